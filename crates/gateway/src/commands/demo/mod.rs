//! `mingcha demo`: simulated authorities, gateway and personas in one process, on this machine only.

mod client;
mod holders;
mod once;
mod own;
mod seed;

use std::{io, net::SocketAddr, os::unix::fs::DirBuilderExt, path::PathBuf, sync::Arc};

use clap::Args;
use crypto::Suite;
use sandbox::Sandbox;
use sources::SourceFile;
use tokio::net::TcpListener;

use own::{Own, OwnArgs};

use super::{Outcome, doctor, listen, lock::FolderLock, serve};
use crate::{
    app::App,
    config::Config,
    error::StartError,
    jobs,
    messenger::{Messenger, Outbox},
    router,
    source_files::demo_sources,
    start::{self, World},
};

/// Rehearse everything with invented people; no other set-up.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Look up one record of each kind over the API, verify every receipt offline, print a table, and end.
    #[arg(long, conflicts_with_all = ["files", "kinds", "subjects"])]
    once: bool,
    /// Where to listen; on this machine only.
    #[arg(long, default_value = "127.0.0.1:8700")]
    listen: SocketAddr,
    /// Keep everything in this folder instead of a temporary one.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Check the log and every entry kept in `--data`, and end.
    #[arg(long, requires = "data")]
    check: bool,
    /// Where to serve metrics; on this machine only.
    #[arg(long, default_value = "127.0.0.1:0")]
    metrics: SocketAddr,
    /// Where the simulated authorities write their journal.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Cryptography: `gm` (SM2, SM3, SM4) or `intl` (Ed25519, SHA-256, AES).
    #[arg(long, default_value = "gm")]
    suite: Suite,
    /// Add so many computed people with a vehicle each, for load.
    #[arg(long, default_value_t = 0)]
    crowd: u64,
    /// Ask for maintenance from a front-end database on this PostgreSQL, whose schema `mingcha_sandbox` is made anew;
    /// without it over HTTP like the rest.
    #[arg(long, value_name = "URL")]
    maintenance_database: Option<String>,
    #[command(flatten)]
    own: OwnArgs,
    /// For benchmarks: register and prove the first so many of the crowd, print the token of each, and end.
    #[arg(long, requires = "data", hide = true)]
    seed: Option<u64>,
    /// For rigs: so many questions in work at once; the next ones wait for their turn.
    #[arg(long, hide = true)]
    in_work: Option<usize>,
    /// For benchmarks: ask the authorities that `mingcha sandbox` plays elsewhere on this machine, by its source files.
    #[arg(long, value_name = "DIR", hide = true)]
    sources: Option<PathBuf>,
}

/// What the demo alone has.
pub struct DemoWorld {
    /// The simulated authorities.
    pub sandbox: Arc<Sandbox>,
    /// Where they listen.
    pub sandbox_url: String,
}

/// Runs the demo.
///
/// # Errors
/// It cannot start; the text says why.
pub async fn run(args: DemoArgs, world: &World) -> Outcome {
    if !args.listen.ip().is_loopback() || !args.metrics.ip().is_loopback() {
        return Err(StartError(format!(
            "the demo listens on this machine only, {} or {} is reachable from others; use 127.0.0.1",
            args.listen.ip(),
            args.metrics.ip()
        )));
    }
    let scratch = Scratch::new(args.data.clone(), world)?;
    let _lock = FolderLock::take(&scratch.folder())?;
    let listen = if args.once || args.check || args.seed.is_some() {
        SocketAddr::from(([127, 0, 0, 1], 0))
    } else {
        args.listen
    };
    let listener = listen::bind(listen, "--listen HOST:PORT").await?;
    let address = listener.local_addr()?;
    let own = Own::read(&args.own, &scratch.folder(), world)?;
    let app = Arc::new(open(&args, &own, scratch.folder(), address, world).await?);
    if args.check {
        return doctor::check(&app).await;
    }
    if let Some(people) = args.seed {
        return seed::run(app, people).await;
    }
    // A counter is kept from its first use on.
    let measured = serve::install_metrics()?;
    own.read_drops(&app)?;
    // Nobody is told "no file yet" because they were quick.
    jobs::look_for_drops::look(&app).await;
    let _jobs = jobs::start(&app);
    let metrics = listen::bind(args.metrics, "--metrics HOST:PORT").await?;
    let metrics_address = metrics.local_addr()?;
    serve::serve_metrics(metrics, measured);
    if args.once {
        let server = tokio::spawn(listen::serve(
            listener,
            router::router(Arc::clone(&app)),
            app.config.limits.connections,
            std::future::pending(),
        ));
        let ended = once::run(&app, address).await;
        server.abort();
        return ended;
    }
    welcome(&app, address, metrics_address)?;
    serve::serve_until_stopped(listener, app).await
}

async fn open(
    args: &DemoArgs,
    own: &Own,
    folder: PathBuf,
    address: SocketAddr,
    world: &World,
) -> Result<App, StartError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the authorities are played on this machine"
    )]
    let sandbox_listener = TcpListener::bind("127.0.0.1:0").await?;
    let sandbox_url = format!("http://{}", sandbox_listener.local_addr()?);
    let keys = world.random.with(|rng| sandbox::Keys::generate(args.suite, rng));
    let keys = keys.map_err(|e| StartError(e.to_string()))?;
    let mut files = sandbox::source_files(&sandbox_url, &keys);
    holders::insurance(&mut files, &folder, &keys);
    if let Some(url) = &args.maintenance_database {
        holders::maintenance(&mut files, url, world.clock.now()).await?;
    }
    let mut sandbox = Sandbox::new(keys, Arc::clone(&world.clock), world.random.fork())
        .with_crowd(args.crowd)
        .with_guests(own.guests.clone());
    if let Some(journal) = &args.journal {
        sandbox = sandbox.with_journal(journal)?;
    }
    let sandbox = Arc::new(sandbox);
    holders::drop_insurance(&sandbox, &folder)?;
    tokio::spawn(axum::serve(sandbox_listener, sandbox.router()).into_future());
    let mut config = config(&folder, address)?;
    config.limits.lookups_in_work = args.in_work;
    config.kinds_folder.clone_from(&args.own.kinds);
    let root = start::root_keys(&config.keys, "demo", Some(args.suite), world)?;
    let mut files: Vec<_> = match &args.sources {
        Some(elsewhere) => serve::source_files(elsewhere)?,
        None => files
            .into_iter()
            .map(|(name, text)| SourceFile { name, text })
            .collect(),
    };
    files.extend_from_slice(&own.files);
    let messenger = Messenger::Outbox(Outbox::default());
    let mut app = start::start(config, root, &files, messenger, world).await?;
    start::begin(&app).await?;
    keep_sources(&demo_sources(&folder), &app, &files)?;
    app.demo = Some(DemoWorld { sandbox, sandbox_url });
    Ok(app)
}

/// Keeps the files of the sources, for `mingcha source list --data`. They hold the gateway's secret keys of this start.
fn keep_sources(folder: &std::path::Path, app: &App, files: &[SourceFile]) -> Result<(), StartError> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
        _ => {}
    }
    std::fs::DirBuilder::new().mode(0o700).create(folder)?;
    for (info, file) in app.sources.infos().zip(files) {
        std::fs::write(folder.join(format!("{}.toml", info.id)), &file.text)?;
    }
    Ok(())
}

fn config(folder: &std::path::Path, address: SocketAddr) -> Result<Config, StartError> {
    let text = include_str!("demo.toml")
        .replace("{folder}", &folder.display().to_string().replace('\\', "/"))
        .replace("{address}", &address.to_string());
    Ok(Config::parse(&text, std::iter::empty())?)
}

/// The folder of one run: a temporary one is removed when the demo ends.
struct Scratch {
    kept: Option<PathBuf>,
    temporary: PathBuf,
}

impl Scratch {
    fn new(kept: Option<PathBuf>, world: &World) -> Result<Self, StartError> {
        let name = crate::app::hex(&world.random.bytes::<6>());
        let temporary = std::env::temp_dir().join(format!("mingcha-demo-{name}"));
        // A source's file takes whole paths alone.
        let kept = kept.map(std::path::absolute).transpose()?;
        let scratch = Scratch { kept, temporary };
        std::fs::create_dir_all(scratch.folder())?;
        Ok(scratch)
    }

    fn folder(&self) -> PathBuf {
        self.kept.clone().unwrap_or_else(|| self.temporary.clone())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.kept.is_none() {
            drop(std::fs::remove_dir_all(&self.temporary));
        }
    }
}

/// The public keys of the log, all of which `mingcha verify` should be given.
fn log_keys(app: &App, separator: &str) -> String {
    let keys = app.store.log_keys();
    let all = std::iter::once(&keys.ed25519).chain(&keys.sm2);
    all.map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

fn welcome(app: &App, address: SocketAddr, metrics: SocketAddr) -> io::Result<()> {
    let brought = app.demo.iter().flat_map(|demo| demo.sandbox.guests());
    let but = if brought.clone().next().is_some() {
        ", but for whom you brought along"
    } else {
        ""
    };
    say!("Mingcha 明查 demo. Everybody in it is invented{but}.\n")?;
    say!("  Portal        http://{address}/")?;
    say!("  API           http://{address}/docs/")?;
    say!("  Personas      http://{address}/demo")?;
    say!("  Codes by SMS  http://{address}/demo/outbox")?;
    if let Some(demo) = &app.demo {
        say!("  Authorities   {}", demo.sandbox_url)?;
    }
    say!("  Metrics       http://{metrics}/metrics")?;
    say!("  Log keys      {}\n", log_keys(app, "\n                "))?;
    say!("{}", sandbox::outline())?;
    for guest in brought {
        let phone = guest.phone.as_deref().unwrap_or_default();
        say!("  Your test subject {}, phone {phone}", guest.name)?;
    }
    say!(
        "Open the portal, sign in with a persona's phone, take the code from the outbox page, and prove the name."
    )?;
    say!("Press Ctrl-C to end.")
}
