//! Puts an application together from its configuration. Whatever is wrong is told here, before anybody is served.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use crypto::{RootKeys, Suite};
use domain::{
    ids::DEPLOYMENT,
    kind::{Catalogue, KindFolder},
    purpose::PurposeRegister,
    time::Clock,
};
use policy::{Policy, RuleFile};
use sources::{Realm, SourceFile, Sources};
use store::{Random, Store, StoreConfig, StoreError, engine::DbConfig};

use crate::{
    actions::{
        pause_sources::take_up_orders,
        seal_change::{deployment, no_effect, seal_change},
        watch_sources::restore_measures,
    },
    api::meters::Meters,
    app::{App, hex},
    config::Config,
    embedded,
    error::StartError,
    limits::Limiter,
    messenger::Messenger,
    notices::Notices,
    turns::Turns,
};

/// What the program passes in.
#[derive(Clone)]
pub struct World {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The generator.
    pub random: Arc<Random>,
}

/// Reads the kinds: the embedded ones and the deployment's own.
///
/// # Errors
/// A folder that cannot be read or is wrong.
pub fn kinds(folder: Option<&Path>) -> Result<Catalogue, StartError> {
    let mut folders: Vec<KindFolder> = embedded::kinds();
    if let Some(folder) = folder {
        folders.extend(embedded::kinds_in(folder)?);
    }
    Ok(Catalogue::new(&folders)?)
}

/// Opens everything and checks it. [`begin`] follows before anybody is served.
///
/// # Errors
/// Anything that would make a promise untrue; the text says what to do.
pub async fn start(
    config: Config,
    root: Arc<RootKeys>,
    source_files: &[SourceFile],
    messenger: Messenger,
    world: &World,
) -> Result<App, StartError> {
    let databases = store_config(&config)?;
    start_on(&databases, config, root, source_files, messenger, world).await
}

/// Opens everything on these databases, wherever the configuration would have them.
///
/// # Errors
/// As for [`start`].
pub async fn start_on(
    databases: &StoreConfig,
    config: Config,
    root: Arc<RootKeys>,
    source_files: &[SourceFile],
    messenger: Messenger,
    world: &World,
) -> Result<App, StartError> {
    let (clock, random) = (Arc::clone(&world.clock), Arc::clone(&world.random));
    let store = Store::open(databases, Arc::clone(&root), clock, random);
    assemble((databases, store), config, &root, source_files, messenger, world).await
}

/// Before anybody is served: takes up what operators ordered while nobody ran, and seals what the deployment decides
/// by from now on.
///
/// # Errors
/// The orders cannot be read, or nothing can be sealed.
pub async fn begin(app: &App) -> Result<(), StartError> {
    restore_measures(app);
    let paused = take_up_orders(app)?;
    seal_start(app, &paused).await
}

/// Opens everything that is there to look at it: the database is brought up to this program, and nothing is sealed.
///
/// # Errors
/// As for [`start`], and where there is no deployment yet.
pub async fn look(
    config: Config,
    root: Arc<RootKeys>,
    source_files: &[SourceFile],
    messenger: Messenger,
    world: &World,
) -> Result<App, StartError> {
    let databases = store_config(&config)?;
    let (clock, random) = (Arc::clone(&world.clock), Arc::clone(&world.random));
    let store = Store::open_to_look(&databases, Arc::clone(&root), clock, random);
    assemble((&databases, store), config, &root, source_files, messenger, world).await
}

/// Checks the configuration first, and opens the store last.
async fn assemble(
    (databases, store): (&StoreConfig, impl Future<Output = Result<Store, StoreError>>),
    config: Config,
    root: &RootKeys,
    source_files: &[SourceFile],
    messenger: Messenger,
    world: &World,
) -> Result<App, StartError> {
    let kinds = kinds(config.kinds_folder.as_deref())?;
    let rules = operator_rules(config.policies_folder.as_deref())?;
    let policy = Policy::new(&kinds, &rules)?;
    let register = PurposeRegister::new(config.purposes.clone())?;
    let realm = if root.realm() == "demo" {
        Realm::Demo
    } else {
        Realm::Production
    };
    let seed = world.random.bytes();
    let sources = Sources::new(source_files, &kinds, realm, Arc::clone(&world.clock), seed)?;
    let store = store.await?;
    Ok(App {
        started: world.clock.now(),
        notices: Notices::fill(&kinds, &register, &config.operator, realm)?,
        policy_version: hex(&policy.version()[..16]),
        folder: databases.folder.clone(),
        store,
        policy,
        sources,
        kinds,
        register,
        messenger,
        limiter: Limiter::default(),
        views: Limiter::default(),
        meters: Meters::default(),
        turns: Turns::new(config.limits.in_work(), config.limits.standing()),
        config,
        #[cfg(feature = "demo")]
        demo: None,
    })
}

/// Seals by what is decided, and which sources are left alone.
async fn seal_start(app: &App, paused: &[String]) -> Result<(), StartError> {
    let mut about = format!("started with {}", decided_by(app));
    if !paused.is_empty() {
        about = format!("{about}, paused {}", paused.join(" "));
    }
    let sealed = seal_change(app, DEPLOYMENT, deployment(), &about, no_effect()).await;
    match sealed {
        Ok(_) => Ok(()),
        Err(error) => Err(StartError(format!(
            "the start cannot be sealed: {}",
            error.code()
        ))),
    }
}

/// By what is decided, each by its version: the policy, which has the kinds in it, and the register of purposes.
pub(crate) fn decided_by(app: &App) -> String {
    let (policy, purposes) = (app.policy_version(), hex(&app.register.version()[..16]));
    format!("policy {policy}, purposes {purposes}")
}

fn operator_rules(folder: Option<&Path>) -> Result<Vec<RuleFile>, StartError> {
    let mut rules = BTreeMap::new();
    if let Some(folder) = folder {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "cedar") {
                rules.insert(path.display().to_string(), std::fs::read_to_string(&path)?);
            }
        }
    }
    Ok(rules
        .iter()
        .map(|(name, text)| RuleFile::new(name, text))
        .collect())
}

/// Where the databases are.
///
/// # Errors
/// The variable of the database URL is not set.
pub fn store_config(config: &Config) -> Result<StoreConfig, StartError> {
    let folder = &config.data_folder;
    std::fs::create_dir_all(folder)?;
    let (data, keys) = if let Some(name) = config.database.strip_prefix("env:") {
        let url = std::env::var(name)
            .map_err(|_| StartError(format!("the variable {name} with the database's URL is not set")))?;
        let at = |schema: Option<&str>| DbConfig::Postgres {
            url: url.clone(),
            schema: schema.map(str::to_owned),
            pool: 16,
        };
        (at(Some("mingcha")), at(Some("mingcha_keys")))
    } else {
        let at = |file: &str| DbConfig::Sqlite {
            path: folder.join(file),
            readers: 4,
        };
        (at("mingcha.sqlite"), at("keys.sqlite"))
    };
    Ok(StoreConfig {
        data,
        keys,
        folder: folder.clone(),
        name: config.name.clone(),
    })
}

/// The root keys: from the file or variable that the configuration names. A missing file is made at the first start,
/// with the suite that is given then; where none is, it must be there.
///
/// # Errors
/// The file cannot be read or made, or its realm is not the one that this command serves.
pub fn root_keys(
    reference: &str,
    realm: &str,
    new: Option<Suite>,
    world: &World,
) -> Result<Arc<RootKeys>, StartError> {
    let keys = if let Some(name) = reference.strip_prefix("env:") {
        let text = std::env::var(name)
            .map_err(|_| StartError(format!("the variable {name} with the keys is not set")))?;
        RootKeys::parse(&text)?
    } else if let Some(path) = reference.strip_prefix("file:") {
        let path = Path::new(path);
        if path.exists() {
            RootKeys::load(path)?
        } else {
            let suite =
                new.ok_or_else(|| StartError(format!("there are no root keys at {}", path.display())))?;
            let now = world.clock.now().0;
            let keys = world
                .random
                .with(|rng| RootKeys::create(path, realm, suite, now, rng))?;
            tracing::warn!(file = %path.display(), "root keys were made: whoever loses this file loses all data; keep a copy apart from the backups");
            keys
        }
    } else {
        return Err(StartError("keys: write \"file:PATH\" or \"env:NAME\"".into()));
    };
    if keys.realm() != realm {
        return Err(StartError(format!(
            "these keys are of the realm \"{}\", this command serves \"{realm}\"",
            keys.realm()
        )));
    }
    Ok(Arc::new(keys))
}
