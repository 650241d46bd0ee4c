//! My look-ups, who looked at me, receipts.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{AppendHeaders, IntoResponse, Response},
};
use domain::{ids::LookupId, time::Timestamp};
use jiff::civil::Date;
use ledger::{Chain, Shared as Opening, cbor::Value};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{EntryView, LookupView};
use utoipa::{IntoParams, ToSchema};

use super::{Bearer, Body, Path, Problem, Query, Shared, problem::ProblemBody, problems::HistoryProblems};
use crate::{
    actions::{
        search_history::{self, Class, Found, Search},
        view_history::{self, Mine, PAGE},
    },
    app::{App, hex},
    error::Error,
};

/// Which look-ups.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SearchQuery {
    /// Only what is older than this look-up.
    before: Option<String>,
    /// Those put out of sight too.
    #[serde(default)]
    hidden: bool,
    /// The record kind's id.
    kind: Option<String>,
    /// `answered`, `nothing`, `refused` or `failed`.
    outcome: Option<String>,
    /// Not before this day in China, `2026-11-22`.
    from: Option<String>,
    /// Not after this day in China.
    to: Option<String>,
}

impl SearchQuery {
    fn search(&self, app: &App) -> Result<Search, Error> {
        if self
            .kind
            .as_ref()
            .is_some_and(|kind| app.kinds.get(kind).is_none())
        {
            return Err(Error::bad("UNKNOWN_KIND", "kind", "the id of a kind"));
        }
        let day = |at: &'static str, text: &Option<String>| -> Result<Option<Date>, Error> {
            let read = text.as_ref().map(|text| text.parse());
            read.transpose()
                .map_err(|_| Error::bad("BAD_VALUE", at, "a day, as 2026-11-22"))
        };
        let class = self.outcome.as_deref().map(|word| {
            Class::from_word(word)
                .ok_or_else(|| Error::bad("BAD_VALUE", "outcome", "answered, nothing, refused or failed"))
        });
        Ok(Search {
            kind: self.kind.clone(),
            class: class.transpose()?,
            from: day("from", &self.from)?,
            to: day("to", &self.to)?,
            with_hidden: self.hidden,
            before: self.before.as_deref().map(lookup_id).transpose()?,
        })
    }

    /// The address of the next page (RFC 8288). What is in it was read and is safe in an address.
    fn link(&self, next: LookupId) -> String {
        let words = [
            ("kind", &self.kind),
            ("outcome", &self.outcome),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let mut link = format!("</v1/lookups?before={next}&hidden={}", self.hidden);
        for (name, word) in words
            .into_iter()
            .filter_map(|(name, word)| Some((name, word.as_ref()?)))
        {
            link.push_str(&format!("&{name}={word}"));
        }
        link + ">; rel=\"next\""
    }
}

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// Only what is older than the entry of this number.
    before: Option<String>,
    /// `me` (who looked at me; the default) or `account` (sign-ins and what else happened to the account).
    of: Option<String>,
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
    basis: Option<String>,
    fields: Vec<String>,
    disclosed: Vec<String>,
    outcome: Option<String>,
    reason: Option<String>,
    source: Option<String>,
    as_of: Option<String>,
    /// The index of the entry that ended it.
    log_index: u64,
    hidden: bool,
}

/// My look-ups to be kept elsewhere.
#[derive(Serialize, ToSchema)]
pub struct ExportBody {
    /// `mingcha-look-ups-v1`.
    format: &'static str,
    look_ups: Vec<LookupLine>,
    /// `before` of the export that goes on, where there are more than 5000.
    next: Option<String>,
}

impl ExportBody {
    pub(crate) fn of(found: &Found) -> Self {
        ExportBody {
            format: "mingcha-look-ups-v1",
            look_ups: found.views.iter().map(LookupLine::from).collect(),
            next: found.next.map(|id| id.to_string()),
        }
    }
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
            basis: opening.basis.clone(),
            fields: opening.fields.to_vec(),
            disclosed: opening.disclosed.keys().map(ToString::to_string).collect(),
            outcome: opening.outcome.clone(),
            reason: opening.reason.clone(),
            source: opening.source.clone(),
            as_of: opening.as_of.map(|t| Timestamp(t).rfc3339()),
            log_index: view.entry.leaf_index,
            hidden: view.hidden,
        }
    }
}

/// My look-ups, newest first, or those that are searched for. Where there may be more, the header `link` has the address
/// of the next page; a search reads a bounded number and may give a short page before the end.
#[utoipa::path(get, path = "/v1/lookups", params(SearchQuery), responses((status = 200, body = Vec<LookupLine>, headers(("link" = Option<String>, description = "The next page, `rel=\"next\"`"))), HistoryProblems), tag = "history", security(("session" = [])))]
pub async fn lookups(
    State(app): Shared,
    Bearer(requester): Bearer,
    Query(query): Query<SearchQuery>,
) -> Result<Response, Problem> {
    let search = query.search(&app)?;
    let found = search_history::find(&app, &requester, &search, PAGE.into()).await?;
    let lines: Vec<LookupLine> = found.views.iter().map(LookupLine::from).collect();
    let link = found
        .next
        .map(|next| AppendHeaders([(header::LINK, query.link(next))]));
    Ok((link, Json(lines)).into_response())
}

/// Which export.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ExportQuery {
    /// Only what is older than this look-up.
    before: Option<String>,
}

/// My look-ups to be kept elsewhere, those out of sight too, newest first: at most 5000 at once.
#[utoipa::path(get, path = "/v1/lookups/export", params(ExportQuery), responses((status = 200, body = ExportBody), HistoryProblems), tag = "history", security(("session" = [])))]
pub async fn export(
    State(app): Shared,
    Bearer(requester): Bearer,
    Query(query): Query<ExportQuery>,
) -> Result<Json<ExportBody>, Problem> {
    let before = query.before.as_deref().map(lookup_id).transpose()?;
    let found = search_history::export(&app, &requester, before).await?;
    Ok(Json(ExportBody::of(&found)))
}

/// One of my look-ups.
#[utoipa::path(get, path = "/v1/lookups/{id}", params(("id" = String, Path)), responses((status = 200, body = LookupLine), (status = 400, body = ProblemBody, description = "`BAD_RECEIPT_ID`"), HistoryProblems), tag = "history", security(("session" = [])))]
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
#[utoipa::path(put, path = "/v1/lookups/{id}/hidden", params(("id" = String, Path)), request_body = HideRequest, responses((status = 204), HistoryProblems), tag = "history", security(("session" = [])))]
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
#[utoipa::path(get, path = "/v1/receipts/{id}", params(("id" = String, Path)), responses((status = 200, body = Object), (status = 400, body = ProblemBody, description = "`BAD_RECEIPT_ID`"), HistoryProblems), tag = "history", security(("session" = [])))]
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

/// Who looked at me: every entry of my chain, newest first, refused ones included; or what happened to my account.
#[utoipa::path(get, path = "/v1/access-log", params(LogQuery), responses((status = 200, body = Vec<EntryLine>), HistoryProblems), tag = "history", security(("session" = [])))]
pub async fn access_log(
    State(app): Shared,
    Bearer(requester): Bearer,
    Query(query): Query<LogQuery>,
) -> Result<Json<Vec<EntryLine>>, Problem> {
    let of = match query.of.as_deref() {
        None | Some("me") => Mine::Person,
        Some("account") => Mine::Account,
        Some(_) => return Err(Error::bad("BAD_VALUE", "of", "me or account").into()),
    };
    let before = match &query.before {
        Some(text) => Some(
            text.parse()
                .map_err(|_| Error::bad("BAD_VALUE", "before", "the number of an entry"))?,
        ),
        None => None,
    };
    let entries = view_history::access_log(&app, &requester, of, before).await?;
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
        disclosed: shared.disclosed.keys().map(ToString::to_string).collect(),
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
