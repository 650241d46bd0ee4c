//! My look-ups, who looked at me, receipts.

use axum::{Json, extract::State, http::StatusCode};
use domain::{ids::LookupId, time::Timestamp};
use ledger::{Chain, Shared as Opening, cbor::Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{EntryView, LookupPage, LookupView};
use utoipa::{IntoParams, ToSchema};

use super::{Bearer, Body, Path, Problem, Query, Shared, problem::ProblemBody};
use crate::{
    actions::view_history::{self, PAGE},
    app::hex,
    error::Error,
};

/// Which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// Only what is older than this look-up or entry.
    before: Option<String>,
    /// Those put out of sight too.
    #[serde(default)]
    hidden: bool,
}

/// One of my look-ups.
#[derive(Serialize, ToSchema)]
pub struct LookupLine {
    lookup_id: String,
    time: String,
    /// `released`, `refused` or `failed`.
    state: String,
    kind: Option<String>,
    mode: Option<String>,
    purpose: Option<String>,
    fields: Vec<String>,
    outcome: Option<String>,
    reason: Option<String>,
    hidden: bool,
}

impl From<&LookupView> for LookupLine {
    fn from(view: &LookupView) -> Self {
        let opening = &view.entry.shared;
        LookupLine {
            lookup_id: view.lookup.to_string(),
            time: view.time.rfc3339(),
            state: view.state.clone(),
            kind: opening.kind.clone(),
            mode: opening.mode.clone(),
            purpose: opening.purpose.clone(),
            fields: opening.fields.to_vec(),
            outcome: opening.outcome.clone(),
            reason: opening.reason.clone(),
            hidden: view.hidden,
        }
    }
}

/// My look-ups, newest first.
#[utoipa::path(get, path = "/v1/lookups", params(PageQuery), responses((status = 200, body = Vec<LookupLine>)), tag = "history", security(("session" = [])))]
pub async fn lookups(
    State(app): Shared,
    Bearer(requester): Bearer,
    Query(page): Query<PageQuery>,
) -> Result<Json<Vec<LookupLine>>, Problem> {
    let before = match &page.before {
        Some(text) => Some(lookup_id(text)?),
        None => None,
    };
    let page = LookupPage {
        before,
        with_hidden: page.hidden,
        limit: PAGE,
    };
    let views = view_history::lookups(&app, &requester, page).await?;
    Ok(Json(views.iter().map(LookupLine::from).collect()))
}

/// One of my look-ups.
#[utoipa::path(get, path = "/v1/lookups/{id}", params(("id" = String, Path)), responses((status = 200, body = LookupLine), (status = 404, body = ProblemBody)), tag = "history", security(("session" = [])))]
pub async fn lookup(
    State(app): Shared,
    Bearer(requester): Bearer,
    Path(id): Path<String>,
) -> Result<Json<LookupLine>, Problem> {
    let view = view_history::lookup(&app, &requester, lookup_id(&id)?).await?;
    Ok(Json(LookupLine::from(&view)))
}

/// Out of sight, or back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HideRequest {
    hidden: bool,
}

/// Puts one of my look-ups out of my sight, or back. It stays in the log and in the subject's view.
#[utoipa::path(put, path = "/v1/lookups/{id}/hidden", params(("id" = String, Path)), request_body = HideRequest, responses((status = 204), (status = 404, body = ProblemBody)), tag = "history", security(("session" = [])))]
pub async fn hide(
    State(app): Shared,
    Bearer(requester): Bearer,
    Path(id): Path<String>,
    Body(request): Body<HideRequest>,
) -> Result<StatusCode, Problem> {
    view_history::hide(&app, &requester, lookup_id(&id)?, request.hidden).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The receipt of one of my look-ups, against the newest head of the log.
#[utoipa::path(get, path = "/v1/receipts/{id}", params(("id" = String, Path)), responses((status = 200, body = Object), (status = 404, body = ProblemBody)), tag = "history", security(("session" = [])))]
pub async fn receipt(
    State(app): Shared,
    Bearer(requester): Bearer,
    Path(id): Path<String>,
) -> Result<Json<Box<RawValue>>, Problem> {
    let receipt = view_history::receipt(&app, &requester, lookup_id(&id)?).await?;
    Ok(Json(
        RawValue::from_string(receipt.to_json()).map_err(|e| Error::Internal(e.to_string()))?,
    ))
}

/// One entry about me.
#[derive(Serialize, ToSchema)]
pub struct EntryLine {
    /// Its number in my chain; there is no gap.
    number: u64,
    /// Its index in the log.
    log_index: u64,
    time: String,
    /// `INTENT`, `RELEASE`, `REFUSAL`, `FAILURE`, `CHANGE` or `ACT`.
    #[serde(rename = "type")]
    entry_type: &'static str,
    lookup_id: Option<String>,
    kind: Option<String>,
    mode: Option<String>,
    purpose: Option<String>,
    basis: Option<String>,
    fields: Vec<String>,
    /// Ids of fields that were told; `field@source` is what another source than the one that answered says.
    disclosed: Vec<String>,
    outcome: Option<String>,
    source: Option<String>,
    as_of: Option<String>,
    about: Option<String>,
    /// SHA-256 of the text that was shown before it, hexadecimal.
    notice: Option<String>,
    /// The language of a consent's text: `zh` or `en`.
    notice_lang: Option<String>,
    /// How a consent's text was shown: `page`, `elder-page` or `client`.
    notice_shown: Option<String>,
    reasons: Vec<String>,
    /// In what capacity it was asked.
    by: String,
    /// It was I.
    by_me: bool,
}

/// Who looked at me: every entry of my chain, newest first, refused ones included.
#[utoipa::path(get, path = "/v1/access-log", params(PageQuery), responses((status = 200, body = Vec<EntryLine>)), tag = "history", security(("session" = [])))]
pub async fn access_log(
    State(app): Shared,
    Bearer(requester): Bearer,
    Query(page): Query<PageQuery>,
) -> Result<Json<Vec<EntryLine>>, Problem> {
    let before = match &page.before {
        Some(text) => Some(
            text.parse()
                .map_err(|_| Error::bad("BAD_VALUE", "before", "the number of an entry"))?,
        ),
        None => None,
    };
    let entries = view_history::access_log(&app, &requester, before).await?;
    let line = |e: &EntryView| {
        entry_line(
            e.seq,
            e.leaf_index,
            e.time,
            &e.shared,
            &e.chain,
            &requester.account.bytes(),
        )
    };
    Ok(Json(entries.iter().map(line).collect()))
}

fn entry_line(
    number: u64,
    log_index: u64,
    time: Timestamp,
    shared: &Opening,
    chain: &Chain,
    me: &[u8],
) -> EntryLine {
    let detail = |name| match chain.detail.get(name) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    EntryLine {
        number,
        log_index,
        time: time.rfc3339(),
        entry_type: shared.entry_type.as_str(),
        lookup_id: shared.lookup.map(|id| LookupId::from_bytes(id).to_string()),
        kind: shared.kind.clone(),
        mode: shared.mode.clone(),
        purpose: shared.purpose.clone(),
        basis: shared.basis.clone(),
        fields: shared.fields.to_vec(),
        disclosed: shared.disclosed.keys().cloned().collect(),
        outcome: shared.outcome.clone(),
        source: shared.source.clone(),
        as_of: shared.as_of.map(|t| Timestamp(t).rfc3339()),
        about: shared.about.clone(),
        notice: shared.notice.as_deref().map(hex),
        notice_lang: detail("lang"),
        notice_shown: detail("shown"),
        reasons: chain.reasons.clone(),
        by: chain.requester.role.clone(),
        by_me: chain.requester.id == me,
    }
}

fn lookup_id(text: &str) -> Result<LookupId, Error> {
    LookupId::parse(text).ok_or_else(|| Error::bad("BAD_RECEIPT_ID", "id", "the id of a look-up"))
}
