//! All routes, on one page.

use std::{any::Any, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    handler::Handler,
    http::StatusCode,
    middleware,
    response::IntoResponse,
    routing::{get, post},
};
use tower::ServiceBuilder;
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    api::{
        self, account, body::MAX_BODY, catalogue, changes, coverage, health, history, images, log, lookups,
        problems, reviews, turns,
    },
    app::App,
    portal,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Mingcha 明查",
        description = "Official records about people, looked up lawfully. Every look-up is decided first, disclosed field by field, labelled with source and age, and provable afterwards."
    ),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("session", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

fn api_routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(account::send_code))
        .routes(routes!(account::sign_in, account::sign_out))
        .routes(routes!(account::prove))
        .routes(routes!(account::portrait))
        .routes(routes!(account::portrait_consent))
        .routes(routes!(account::show, account::erase))
        .routes(routes!(catalogue::kinds))
        .routes(routes!(catalogue::notice))
        .routes(routes!(coverage::coverage))
        .routes(routes!(lookups::create, history::lookups))
        .routes(routes!(turns::show))
        .routes(routes!(history::export))
        .routes(routes!(history::lookup))
        .routes(routes!(history::hide))
        .routes(routes!(lookups::report))
        .routes(routes!(lookups::my_records))
        .routes(routes!(history::access_log))
        .routes(routes!(history::receipt))
        .routes(routes!(images::show))
        .routes(routes!(reviews::open, reviews::list))
        .routes(routes!(reviews::show))
        .routes(routes!(reviews::picture))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(changes::take))
                .layer(DefaultBodyLimit::max(changes::MAX_CHANGE_BODY)),
        )
        .routes(routes!(log::checkpoint))
        .routes(routes!(log::tile))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}

/// The portal.
fn portal_routes() -> Router<Arc<App>> {
    let router = Router::new()
        .route("/", get(portal::home::show))
        .route("/preferences", post(portal::preferences::set))
        .route(
            "/sign-in",
            get(portal::sign_in::phone).post(portal::sign_in::send),
        )
        .route(
            "/sign-in/code",
            get(portal::sign_in::code).post(portal::sign_in::submit),
        )
        .route("/sign-out", post(portal::account::leave))
        .route("/prove", get(portal::prove::show).post(portal::prove::submit))
        .route(
            "/strengthen",
            get(portal::strengthen::show).post(portal::strengthen::counter),
        )
        .route(
            "/strengthen/portrait",
            get(portal::strengthen::consent).post(portal::strengthen::consented),
        )
        .route(
            "/strengthen/portrait/upload",
            get(portal::strengthen::consent).post(portal::strengthen::upload),
        )
        .route("/turn", get(portal::turn::show).post(portal::turn::leave))
        .route("/mine", get(portal::mine::show).post(portal::mine::list))
        .route(
            "/look-up/{kind}",
            get(portal::look_up::show).post(portal::look_up::submit),
        )
        .route(
            "/report/{kind}",
            get(portal::report::show).post(portal::report::submit),
        )
        .route("/look-ups", get(portal::history::list))
        .route("/look-ups/export.json", get(portal::history::export))
        .route("/look-ups/{id}", get(portal::history::show))
        .route("/look-ups/{id}/hide", post(portal::history::hide))
        .route("/look-ups/{id}/image", post(portal::history::image))
        .route("/look-ups/{id}/receipt", get(portal::receipt::page))
        .route("/look-ups/{id}/receipt.json", get(portal::receipt::file))
        .route(
            "/reviews",
            get(portal::reviews::list)
                .post(portal::reviews::open)
                .layer(DefaultBodyLimit::max(reviews::MAX_REVIEW_BODY)),
        )
        .route("/reviews/new", get(portal::reviews::ask))
        .route("/reviews/{id}", get(portal::reviews::show))
        .route("/reviews/{id}/pictures/{place}", get(portal::reviews::picture))
        .route("/access-log", get(portal::access_log::show))
        .route("/verify", get(portal::verify::show))
        .route("/vin", get(portal::vin::show).post(portal::vin::read))
        .route("/coverage", get(portal::coverage::coverage))
        .route("/genuine", get(portal::public::genuine))
        .route("/help", get(portal::public::help))
        .route("/privacy", get(portal::public::privacy))
        .route("/account", get(portal::account::show))
        .route(
            "/account/erase",
            get(portal::account::confirm).post(portal::account::erase),
        )
        .route("/account/erased", get(portal::account::erased));
    #[cfg(feature = "demo")]
    let router = router
        .route("/demo", get(portal::demo::people))
        .route("/demo/outbox", get(portal::demo::outbox))
        .route("/demo/portraits/{file}", get(portal::demo::portrait));
    router
}

/// The API's document, as it is served and as the snapshot has it.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    described().1
}

fn described() -> (Router<Arc<App>>, utoipa::openapi::OpenApi) {
    let (api, mut document) = api_routes().split_for_parts();
    problems::describe(&mut document);
    (api, document)
}

/// The longest that a request may take, its body included: a look-up answers within three seconds, and a picture of
/// 500 kB comes within this over a slow phone.
const LONGEST: Duration = Duration::from_secs(30);

/// Everything that is served on the public listener.
pub fn router(app: Arc<App>) -> Router {
    let (api, document) = described();
    let served = document.clone();
    let router = Router::new()
        .merge(api)
        .route("/openapi.json", get(async move || Json(served)))
        .merge(SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::from("/openapi.json")));
    let dressed = middleware::from_fn_with_state(Arc::clone(&app), portal::dress);
    let nowhere = portal::dress::nowhere.layer(dressed.clone());
    router
        .merge(portal_routes().route_layer(dressed))
        .route("/static/{file}", get(portal::files::file))
        .fallback(nowhere.clone())
        .method_not_allowed_fallback(nowhere)
        .layer(
            // One layer of several, the outermost first: each one by itself would box every request again.
            ServiceBuilder::new()
                .layer(middleware::from_fn_with_state(Arc::clone(&app), api::trace))
                .layer(TimeoutLayer::with_status_code(
                    StatusCode::REQUEST_TIMEOUT,
                    LONGEST,
                ))
                // Its own way would trace what the panic says, which may hold what somebody sent.
                .layer(CatchPanicLayer::custom(|_: Box<dyn Any + Send>| {
                    StatusCode::INTERNAL_SERVER_ERROR.into_response()
                }))
                .layer(DefaultBodyLimit::max(MAX_BODY)),
        )
        .with_state(app)
}
