//! The receipt of a look-up (查询回执): as the file that verifies offline, and as a page to print.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::header,
    response::IntoResponse,
};
use domain::time::Timestamp;
use ledger::{Receipt, Shared as Opening, leaf};

use super::{Answer, Holder, Page, Shared, history, html, kinds, qr, sentences::field};
use crate::{
    actions::view_history,
    app::{App, hex},
};

/// The page to print.
#[derive(Template)]
#[template(path = "receipt.html")]
pub(super) struct ReceiptView {
    pub(super) p: Page,
    pub(super) lookup: String,
    pub(super) kind: String,
    pub(super) mark: Option<String>,
    pub(super) outcome: Option<String>,
    pub(super) time: String,
    pub(super) purpose: Option<String>,
    pub(super) source: Option<String>,
    pub(super) as_of: Option<String>,
    pub(super) disclosed: Vec<String>,
    pub(super) origin: String,
    pub(super) log_index: u64,
    pub(super) leaf_hash: String,
    /// The log's public keys.
    pub(super) keys: Vec<String>,
    /// The receipt's address, which the code carries together with the leaf hash.
    pub(super) address: String,
    pub(super) code: Option<String>,
}

/// The file. It is kept exactly as it is: another space in it, and it no longer verifies.
pub(crate) async fn file(State(app): Shared, holder: Holder, Path(id): Path<String>) -> Answer {
    let view = history::one(&app, &holder.requester, &id).await?;
    let receipt = view_history::receipt(&app, &holder.requester, view.lookup).await?;
    let name = format!("attachment; filename=\"mingcha-receipt-{}.json\"", view.lookup);
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, receipt.to_json()).into_response())
}

/// The page.
pub(crate) async fn page(State(app): Shared, holder: Holder, Path(id): Path<String>) -> Answer {
    let view = history::one(&app, &holder.requester, &id).await?;
    let receipt = view_history::receipt(&app, &holder.requester, view.lookup).await?;
    let page = holder.page;
    let opening = &view.entry.shared;
    let kind = opening.kind.clone().unwrap_or_default();
    let leaf_hash = leaf_hash(&app, &receipt);
    let address = format!(
        "{}/look-ups/{}",
        app.config.public_url.trim_end_matches('/'),
        view.lookup
    );
    let loaded = app.kinds.get(&kind);
    html(&ReceiptView {
        lookup: view.lookup.to_string(),
        kind: kinds::name(&app, &page, &kind),
        mark: loaded
            .and_then(|k| k.kind.mark.as_ref())
            .map(|m| page.of(m).to_owned()),
        outcome: opening.outcome.clone(),
        time: page.time(view.time),
        purpose: opening
            .purpose
            .as_deref()
            .map(|code| kinds::purpose_name(&app, &page, code)),
        source: opening
            .source
            .as_deref()
            .map(|id| kinds::source_name(&app, &page, id)),
        as_of: opening.as_of.map(|t| page.time(Timestamp(t))),
        disclosed: opening
            .disclosed
            .keys()
            .map(|id| field(&app, &page, &kind, id))
            .collect(),
        origin: app.store.origin().to_owned(),
        log_index: view.entry.leaf_index,
        keys: super::verify::keys(&app),
        code: qr::svg(&format!("{address}#{leaf_hash}")),
        leaf_hash,
        address,
        p: page,
    })
}

/// By which the entry is named in public; it tells nothing about anybody.
fn leaf_hash(app: &App, receipt: &Receipt) -> String {
    let shared = Opening::commitment(&receipt.shared, &receipt.shared_salt);
    hex(&leaf::leaf_hash(app.store.origin(), &shared, &receipt.chain).0)
}
