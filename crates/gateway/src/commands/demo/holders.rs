//! Record holders of the demo that speak no HTTP: the insurers drop a file each day, and the repair shops keep a
//! front-end database where one is named.

use std::{path::Path, sync::Arc, time::Duration};

use domain::time::Timestamp;
use sandbox::{DropFolders, Keys, Sandbox};
use tokio_postgres::NoTls;

use crate::error::StartError;

/// How often the insurers see whether a new day has begun.
const PERIOD: Duration = Duration::from_secs(600);
/// Where the insurers drop their files, below the demo's folder.
const DROPS: &str = "drops/insurance";

/// Lets the gateway find the insurers' drops instead of asking over HTTP.
pub(super) fn insurance(files: &mut [(String, String)], folder: &Path, keys: &Keys) {
    let folders = DropFolders {
        drops: &folder.join(DROPS),
        store: &folder.join("drops/store"),
        keys: &folder.join("drops/keys"),
    };
    replace(files, sandbox::insurance_drop_source(&folders, keys));
}

/// Drops today's file now, and each further day's when it begins.
///
/// # Errors
/// The folder cannot be written.
pub(super) fn drop_insurance(sandbox: &Arc<Sandbox>, folder: &Path) -> Result<(), StartError> {
    let (sandbox, folder) = (Arc::clone(sandbox), folder.join(DROPS));
    // A kept folder has drops that were signed by the key of an earlier start.
    match std::fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
        _ => {}
    }
    sandbox.drop_insurance(&folder)?;
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(PERIOD).await;
            if let Err(error) = sandbox.drop_insurance(&folder) {
                tracing::error!(kind = %error.kind(), "the insurers cannot drop their file");
            }
        }
    });
    Ok(())
}

/// Fills the repair shops' database from the personas, and lets the gateway ask there.
///
/// # Errors
/// The database is not there, or may not be written to.
pub(super) async fn maintenance(
    files: &mut [(String, String)],
    url: &str,
    now: Timestamp,
) -> Result<(), StartError> {
    // The error may tell the address, and never the password.
    let unusable = |e: tokio_postgres::Error| StartError(format!("--maintenance-database: {e}"));
    let config: tokio_postgres::Config = url.parse().map_err(unusable)?;
    let (client, connection) = config.connect(NoTls).await.map_err(unusable)?;
    let connection = tokio::spawn(connection);
    let filled = client.batch_execute(&sandbox::repair_tables(now)).await;
    drop(client);
    // The connection ends with its client; nothing is left to be known of it.
    drop(connection.await);
    filled.map_err(unusable)?;
    replace(files, sandbox::repair_tables_source(url));
    Ok(())
}

fn replace(files: &mut [(String, String)], (name, text): (String, String)) {
    if let Some(file) = files.iter_mut().find(|(known, _)| *known == name) {
        file.1 = text;
    }
}
