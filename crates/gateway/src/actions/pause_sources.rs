//! Pauses and resumes sources as operators ordered: sealed first, then done.

use std::collections::BTreeMap;

use domain::ids::DEPLOYMENT;
use ledger::opening;

use super::seal_change::{no_effect, seal_change};
use crate::{app::App, error::Error, source_files::read_orders};

/// Applies what the orders in the data folder changed; how many sources were paused or resumed.
///
/// # Errors
/// The orders cannot be read, or nothing can be sealed now: then everything stays as it was and is tried again.
pub async fn pause_sources(app: &App) -> Result<u64, Error> {
    let orders = read_orders(&app.folder).map_err(|e| Error::Internal(e.to_string()))?;
    let mut done = 0;
    for (id, order) in &orders {
        if app.sources.named(id).is_none() || app.sources.is_paused(id) == order.paused {
            continue;
        }
        let act = if order.paused {
            "source-paused"
        } else {
            "source-resumed"
        };
        seal_change(
            app,
            DEPLOYMENT,
            operator(&order.by),
            &format!("{act} {id}"),
            no_effect(),
        )
        .await?;
        app.sources.pause(id, order.paused);
        tracing::warn!(source = id, act, "an operator's order was followed");
        done += 1;
    }
    Ok(done)
}

/// Takes up the orders before anybody is served, so that no source that is paused is asked by the way; who they are.
///
/// # Errors
/// The orders cannot be read.
pub fn take_up_orders(app: &App) -> std::io::Result<Vec<String>> {
    let orders: BTreeMap<_, _> = read_orders(&app.folder)?;
    let paused = orders.into_iter().filter(|(_, order)| order.paused);
    Ok(paused
        .map(|(id, _)| id)
        .filter(|id| app.sources.pause(id, true))
        .collect())
}

/// The operator as openings name them. There are no accounts of operators yet: it is the name that they gave.
#[must_use]
pub fn operator(by: &str) -> opening::Requester {
    opening::Requester {
        role: "operator".to_owned(),
        id: by.as_bytes().to_vec(),
        level: 0,
    }
}
