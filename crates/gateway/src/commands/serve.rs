//! `mingcha serve`: the gateway of a deployment.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use axum::{Router, routing::get};
use clap::Args;
use crypto::Suite;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use sources::{Realm, SourceFile};
use tokio::net::TcpListener;

use super::{Outcome, listen, lock::FolderLock};
use crate::{
    actions::watch_sources,
    app::App,
    config::Config,
    error::StartError,
    jobs,
    messenger::Messenger,
    router,
    start::{self, World},
};

/// The configuration of a deployment, as every command on it reads it.
#[derive(Debug, Clone, Args)]
pub struct DeploymentArgs {
    /// The configuration file.
    #[arg(long, default_value = "/etc/mingcha/config.toml")]
    pub config: PathBuf,
    /// Cryptography of a new deployment: `gm` (SM2, SM3, SM4) or `intl`; an existing one keeps its own.
    #[arg(long, default_value = "gm")]
    pub suite: Suite,
}

impl DeploymentArgs {
    /// Reads the configuration and takes its data folder.
    ///
    /// # Errors
    /// The file cannot be read or is wrong, or another process has the folder.
    pub fn open(&self) -> Result<(Config, FolderLock), StartError> {
        let text = std::fs::read_to_string(&self.config)
            .map_err(|e| StartError(format!("{}: {e}", self.config.display())))?;
        let config = Config::parse(&text, std::env::vars())?;
        let lock = FolderLock::take(&config.data_folder)?;
        Ok((config, lock))
    }

    /// Puts the production application together, making what a new deployment lacks.
    ///
    /// # Errors
    /// Anything that would make a promise untrue.
    pub async fn app(&self, config: Config, world: &World) -> Result<App, StartError> {
        let messenger = messenger(&config)?;
        let root = start::root_keys(&config.keys, "production", Some(self.suite), world)?;
        let files = source_files(&config.sources_folder)?;
        start::start(config, root, &files, messenger, world).await
    }

    /// Puts together what is there, to look at it, as [`start::look`].
    ///
    /// # Errors
    /// As for [`DeploymentArgs::app`], and where there is no deployment yet.
    pub async fn app_to_look(&self, config: Config, world: &World) -> Result<App, StartError> {
        let messenger = messenger(&config)?;
        let root = start::root_keys(&config.keys, "production", None, world)?;
        let files = source_files(&config.sources_folder)?;
        start::look(config, root, &files, messenger, world).await
    }
}

fn messenger(config: &Config) -> Result<Messenger, StartError> {
    match &config.messenger {
        Some(messenger) => Messenger::http(messenger, Realm::Production),
        None => Err(StartError(
            "there is no messenger: without SMS nobody can sign in; add [messenger] to the configuration"
                .into(),
        )),
    }
}

/// Serves the deployment.
///
/// # Errors
/// It cannot start; the text says why.
pub async fn run(args: &DeploymentArgs, world: &World) -> Outcome {
    let (config, _lock) = args.open()?;
    let (listen, metrics_listen) = (config.listen, config.metrics_listen);
    let metrics = install_metrics()?;
    let app = Arc::new(args.app(config, world).await?);
    start::begin(&app).await?;
    let listener = listen::bind(listen, "`listen` in the configuration").await?;
    let metrics_listener = listen::bind(metrics_listen, "`metrics_listen` in the configuration").await?;
    serve_metrics(metrics_listener, metrics);
    let _jobs = jobs::start(&app);
    tracing::info!(%listen, "serving");
    serve_until_stopped(listener, app).await
}

pub(super) fn source_files(folder: &std::path::Path) -> Result<Vec<SourceFile>, StartError> {
    let mut files = vec![];
    let entries = std::fs::read_dir(folder).map_err(|e| StartError(format!("{}: {e}", folder.display())))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let text = std::fs::read_to_string(&path)?;
            files.push(SourceFile {
                name: path.display().to_string(),
                text,
            });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

/// Installs the recorder of metrics for the whole process.
///
/// # Errors
/// One is installed already.
pub fn install_metrics() -> Result<PrometheusHandle, StartError> {
    PrometheusBuilder::new()
        .install_recorder()
        .map_err(|e| StartError(e.to_string()))
}

/// Serves the metrics on a listener of their own, which is never public.
pub fn serve_metrics(listener: TcpListener, metrics: PrometheusHandle) {
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(std::time::Duration::from_secs(5));
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    let page = Router::new().route("/metrics", get(async move || metrics.render()));
    tokio::spawn(axum::serve(listener, page).into_future());
}

/// Serves until the person presses Ctrl-C, the system ends the process, or the log can no longer be written.
///
/// # Errors
/// The log can no longer be written.
pub async fn serve_until_stopped(listener: TcpListener, app: Arc<App>) -> Outcome {
    let store = app.store.clone();
    let connections = app.config.limits.connections;
    let ending = Arc::clone(&app);
    tokio::select! {
        () = listen::serve(listener, router::router(app), connections, asked_to_end()) => {
            // The end waits for threads, and an import may take minutes.
            ending.sources.stop_refreshing();
            // What was sealed last is shown and synced before the process goes.
            store.publish_checkpoint().await?;
            if let Err(error) = watch_sources::keep_measures(&ending) {
                tracing::warn!(code = error.code(), "the measures of the sources are not kept");
            }
            Ok(ExitCode::SUCCESS)
        }
        why = store.stopped() => Err(StartError(why)),
    }
}

async fn asked_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let ctrl_c = tokio::signal::ctrl_c();
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        drop(ctrl_c.await);
        return;
    };
    tokio::select! {
        _ = ctrl_c => {}
        _ = terminated.recv() => {}
    }
}
