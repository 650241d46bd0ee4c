//! Signing in, proving who one is, and leaving.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    identifiers::{IdNumber, PersonName, Phone},
    lookup::Person,
    outcome::Outcome,
    words::Level,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Asking, Bearer, Body, Entering, Problem, Query, Shared,
    catalogue::{LangQuery, NoticeBody},
    lookups::LookupBody,
    problem::ProblemBody,
    problems::{AtPeak, CountedProblems, ProofProblems},
    to_the_end,
};
use crate::{
    actions::{
        erase_person, prove_real_name as proving,
        prove_real_name::{Proof, Way},
        send_code as sending, sign_in as signing,
        sign_in::SignedIn,
        sign_out as leaving, strengthen,
        strengthen::{Consent, Shown, Strengthened},
    },
    app::{App, Lang},
    error::Error,
};

/// A phone that wants a code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "phone": "17900100003", "lang": "en" }))]
pub struct CodeRequest {
    /// A mainland mobile number.
    phone: String,
    /// `zh` or `en`: the language of the message; by the header `accept-language` where absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    lang: Option<Lang>,
}

/// A phone and the code that was sent to it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "phone": "17900100003", "code": "1234 5678" }))]
pub struct SessionRequest {
    /// The phone.
    phone: String,
    /// The eight digits; spaces do not matter.
    code: String,
}

/// A session. Its token is told once.
#[derive(Serialize, ToSchema)]
pub struct SessionBody {
    /// To be sent as `Authorization: Bearer ...`.
    pub token: String,
    /// `L1`, `L2` or `L3`.
    pub level: String,
    /// Seconds until it ends.
    pub expires_in: i64,
}

/// Name and number of a person.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "陈卫东", "id_number": "14222119700715035X" }))]
pub struct PersonRequest {
    /// As on the document.
    pub name: String,
    /// The ID number.
    pub id_number: String,
}

/// What became of a proof.
#[derive(Serialize, ToSchema)]
pub struct ProofBody {
    /// `PROVEN` or `NOT_PROVEN`; `UNAVAILABLE` when register or carrier did not answer.
    pub result: &'static str,
    /// The new session when proven; the old one has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionBody>,
    /// The sealed look-up of the proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<LookupBody>,
}

/// A portrait with the consent to compare it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PortraitRequest {
    /// JPEG or PNG, base64, at most 500 kB.
    portrait: String,
    /// The separate consent to compare it at the register (PIPL 29): the hash of the text that the person agreed to, as
    /// `GET /v1/account/portrait/consent` gives both. It is sealed before the register is asked; the picture is kept nowhere.
    consent: String,
}

/// What is known of the account.
#[derive(Serialize, ToSchema)]
pub struct AccountBody {
    /// The phone, masked.
    phone: String,
    /// The session's level.
    level: String,
    /// Whose real name was proven, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

fn session_body(signed_in: &SignedIn) -> SessionBody {
    SessionBody {
        token: signed_in.token.expose().to_owned(),
        level: signed_in.level.code().to_owned(),
        expires_in: signing::SESSION_SECONDS,
    }
}

/// Reads a phone as typed.
///
/// # Errors
/// `BAD_VALUE` at `phone`.
pub fn phone(text: &str) -> Result<Phone, Error> {
    Phone::parse(text)
        .map(|p| p.value)
        .map_err(|e| Error::unread("phone", "phone", Some(e)))
}

/// Reads name and number as typed.
///
/// # Errors
/// `BAD_VALUE` at the part that is wrong, with what is wrong with it.
pub fn person(app: &App, name: &str, id_number: &str) -> Result<Person, Error> {
    let today = app.now().date_in_china();
    Ok(Person {
        name: PersonName::parse(name)
            .map_err(|e| Error::unread("name", "person_name", Some(e)))?
            .value,
        id_number: IdNumber::parse(id_number, today)
            .map_err(|e| Error::unread("id_number", "id_number", Some(e)))?
            .value,
    })
}

/// Sends a one-time code to a phone. The answer is the same whether it has an account or not.
#[utoipa::path(post, path = "/v1/account/codes", request_body = CodeRequest, responses((status = 202), CountedProblems), tag = "account")]
pub async fn send_code(
    State(app): Shared,
    asking: Asking,
    Body(request): Body<CodeRequest>,
) -> Result<StatusCode, Problem> {
    let lang = request.lang.unwrap_or(asking.lang);
    sending::send_code(&app, &phone(&request.phone)?, lang).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Signs in with a phone and its code; L1.
#[utoipa::path(post, path = "/v1/account/sessions", request_body = SessionRequest, responses((status = 200, body = SessionBody), (status = 400, body = ProblemBody, description = "`CODE_WRONG`: wrong, used, outdated or never sent, all alike; `BAD_VALUE`, `BODY_NOT_JSON`"), (status = 401, body = ProblemBody, description = "`NOT_SIGNED_IN`: the account was erased just then. Sign in anew")), tag = "account")]
pub async fn sign_in(
    State(app): Shared,
    Body(request): Body<SessionRequest>,
) -> Result<Json<SessionBody>, Problem> {
    let signed_in = signing::sign_in(&app, &phone(&request.phone)?, &request.code).await?;
    Ok(Json(session_body(&signed_in)))
}

/// Ends the session.
#[utoipa::path(delete, path = "/v1/account/sessions", responses((status = 204)), tag = "account", security(("session" = [])))]
pub async fn sign_out(State(app): Shared, Bearer(requester): Bearer) -> Result<StatusCode, Problem> {
    leaving::sign_out(&app, &requester).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Proves a real name: register and carrier are both asked, one result. Show the person
/// `GET /v1/kinds/identity/notices/account-proofing` first: its hash is sealed with the question.
#[utoipa::path(post, path = "/v1/account/proof", request_body = PersonRequest, params(("mingcha-turn" = Option<String>, Header, description = "The turn that was told with 202")), responses((status = 200, body = ProofBody), (status = 400, body = ProblemBody, description = "`BAD_VALUE` at `name` or `id_number`; `UNDER_FOURTEEN` by the number alone: a guardian asks (PIPL 31)"), ProofProblems, AtPeak), tag = "account", security(("session" = [])))]
pub async fn prove(
    State(app): Shared,
    Entering(asking): Entering,
    Bearer(requester): Bearer,
    Body(request): Body<PersonRequest>,
) -> Result<Json<ProofBody>, Problem> {
    let person = person(&app, &request.name, &request.id_number)?;
    let (pass, since) = asking.enter(&app, &requester).await?;
    let (work, lang) = (Arc::clone(&app), asking.lang);
    let proof = to_the_end(async move {
        let _in_work = pass;
        proving::prove_real_name(&work, &requester, &person, Way::Phone, (lang, since)).await
    });
    let body = match proof.await? {
        Proof::Proven(signed_in, answered) => ProofBody {
            result: "PROVEN",
            session: Some(session_body(&signed_in)),
            lookup: Some(LookupBody::of(&app, *answered)),
        },
        // One answer, whatever the reason: what the register said of a name and number is not ours to tell here.
        Proof::NotProven(_) => ProofBody {
            result: "NOT_PROVEN",
            session: None,
            lookup: None,
        },
        Proof::Failed(answered) => ProofBody {
            result: "UNAVAILABLE",
            session: None,
            lookup: Some(LookupBody::of(&app, *answered)),
        },
    };
    Ok(Json(body))
}

/// The separate consent to compare a portrait, to be shown by itself and agreed to.
#[utoipa::path(get, path = "/v1/account/portrait/consent", params(LangQuery), responses((status = 200, body = NoticeBody)), tag = "account")]
pub async fn portrait_consent(
    State(app): Shared,
    asking: Asking,
    Query(query): Query<LangQuery>,
) -> Json<NoticeBody> {
    let lang = query.or_accepted(&asking);
    Json(NoticeBody::of(app.portrait_consent(lang), lang))
}

/// Raises the session to L3 by a portrait compared at the register. Besides the consent, the notice
/// `GET /v1/kinds/identity/notices/account-proofing` is to be shown.
#[utoipa::path(post, path = "/v1/account/portrait", request_body = PortraitRequest, responses((status = 200, body = ProofBody), (status = 400, body = ProblemBody, description = "`CONSENT_NEEDED`, `PICTURE_UNUSABLE`, `PROVE_NAME_FIRST`"), ProofProblems, CountedProblems), tag = "account", security(("session" = [])))]
pub async fn portrait(
    State(app): Shared,
    Bearer(requester): Bearer,
    asking: Asking,
    Body(request): Body<PortraitRequest>,
) -> Result<Json<ProofBody>, Problem> {
    let picture = BASE64_STANDARD
        .decode(&request.portrait)
        .map_err(|_| Error::bad("PICTURE_UNUSABLE", "portrait", "base64"))?;
    let (work, at) = (Arc::clone(&app), (asking.lang, asking.arrived));
    let consent = Consent {
        text: request.consent,
        shown: Shown::ByClient,
    };
    let done =
        to_the_end(
            async move { strengthen::by_portrait(&work, &requester, picture.into(), consent, at).await },
        );
    let (result, session, answered) = match done.await? {
        Strengthened::Yes(signed_in, answered) => ("PROVEN", Some(session_body(&signed_in)), answered),
        // A face that is not similar enough is an answer; a register that does not answer is none.
        Strengthened::No(answered) if is_down(answered.outcome) => ("UNAVAILABLE", None, answered),
        Strengthened::No(answered) => ("NOT_PROVEN", None, answered),
    };
    Ok(Json(ProofBody {
        result,
        session,
        lookup: Some(LookupBody::of(&app, *answered)),
    }))
}

fn is_down(outcome: Outcome) -> bool {
    outcome.is_failure() && outcome != Outcome::FaceBelowThreshold
}

/// The account of this session.
#[utoipa::path(get, path = "/v1/account", responses((status = 200, body = AccountBody)), tag = "account", security(("session" = [])))]
pub async fn show(State(app): Shared, Bearer(requester): Bearer) -> Result<Json<AccountBody>, Problem> {
    let account = app
        .store
        .account(requester.account)
        .await?
        .ok_or(Error::NotSignedIn)?;
    // A phone alone does not show whose it is.
    let subject = match requester.subject.filter(|_| requester.level >= Level::L2) {
        Some(id) => app.store.subject(id).await?,
        None => None,
    };
    Ok(Json(AccountBody {
        phone: account.phone.masked(),
        level: requester.level.code().to_owned(),
        name: subject.and_then(|s| s.person).map(|p| p.name.masked()),
    }))
}

/// Erases the person and the account: data at once, evidence restricted until its retention ends.
#[utoipa::path(delete, path = "/v1/account", responses((status = 204), (status = 400, body = ProblemBody, description = "`PROVE_NAME_FIRST`: the account is a person's, and the session is below L2")), tag = "account", security(("session" = [])))]
pub async fn erase(State(app): Shared, Bearer(requester): Bearer) -> Result<StatusCode, Problem> {
    to_the_end(async move { erase_person::erase_person(&app, &requester).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
