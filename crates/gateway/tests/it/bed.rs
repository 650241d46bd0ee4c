//! Where a case runs: a new database that goes away with it. What was written to it is checked at the end.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
};

use futures_util::FutureExt;
use gateway::app::App;
use store::{
    StoreConfig,
    engine::DbConfig,
    testing::{self, PgSchema},
};
use tempfile::TempDir;

use crate::app::Builder;

/// Connections of one application under test; a server has a hundred for all tests at once.
const POOL: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// A new database, and a folder for what is kept outside it.
pub(crate) struct Bed {
    folder: TempDir,
    databases: StoreConfig,
    newest: Mutex<Option<Arc<App>>>,
    seeds: AtomicU8,
}

impl Bed {
    /// An application on this database. A second one is the same deployment, started again.
    pub(crate) fn app(self: &Arc<Self>) -> Builder {
        Builder::new(Arc::clone(self))
    }

    pub(crate) fn engine(&self) -> Engine {
        match self.databases.data {
            DbConfig::Sqlite { .. } => Engine::Sqlite,
            DbConfig::Postgres { .. } => Engine::Postgres,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn databases(&self) -> &StoreConfig {
        &self.databases
    }

    /// A number that no application before had: each draws other keys and ids.
    pub(crate) fn next_seed(&self) -> u8 {
        self.seeds.fetch_add(1, Ordering::Relaxed)
    }

    /// The application will be checked when the case has ended, unless another is started after it.
    pub(crate) fn keep(&self, app: &Arc<App>) {
        *self.newest.lock().unwrap() = Some(Arc::clone(app));
    }

    /// Lets go of the application, so that its database is closed.
    pub(crate) fn forget(&self) {
        self.newest.lock().unwrap().take();
    }

    async fn check(&self) {
        let newest = self.newest.lock().unwrap().take();
        if let Some(app) = newest {
            let checks = app.store.check_all(|_, _| {}).await.unwrap();
            for check in &checks {
                assert_eq!(check.problems, Vec::<String>::new(), "{}", check.what);
            }
            assert!(checks.iter().any(|c| c.count > 0), "nothing was checked");
        }
    }
}

/// Runs a case on a new database, checks what it wrote, and removes the database however the case ended.
pub(crate) async fn run<C, R>(engine: Engine, case: C)
where
    C: FnOnce(Arc<Bed>) -> R,
    R: Future<Output = ()>,
{
    let folder = tempfile::tempdir().unwrap();
    let (data, keys, schemas) = match engine {
        Engine::Sqlite => sqlite(folder.path()),
        Engine::Postgres => postgres().await,
    };
    let databases = StoreConfig {
        data,
        keys,
        folder: folder.path().to_owned(),
        name: "test.mingcha.invalid".into(),
    };
    let bed = Arc::new(Bed {
        folder,
        databases,
        newest: Mutex::default(),
        seeds: AtomicU8::new(1),
    });
    let inner = Arc::clone(&bed);
    let done = AssertUnwindSafe(async move {
        case(Arc::clone(&inner)).await;
        inner.check().await;
    });
    let done = done.catch_unwind().await;
    drop(bed);
    for schema in schemas {
        schema.remove().await;
    }
    done.unwrap_or_else(|panic| resume_unwind(panic));
    testing::passed(match engine {
        Engine::Sqlite => "sqlite",
        Engine::Postgres => "postgres",
    });
}

fn sqlite(folder: &Path) -> (DbConfig, DbConfig, Vec<PgSchema>) {
    let at = |file: &str| DbConfig::Sqlite {
        path: PathBuf::from(folder).join(file),
        readers: 2,
    };
    (at("mingcha.sqlite"), at("keys.sqlite"), vec![])
}

async fn postgres() -> (DbConfig, DbConfig, Vec<PgSchema>) {
    let schemas = vec![testing::postgres().await, testing::postgres().await];
    let with_few = |schema: &PgSchema| match schema.config.clone() {
        DbConfig::Postgres { url, schema, .. } => DbConfig::Postgres {
            url,
            schema,
            pool: POOL,
        },
        other => other,
    };
    (with_few(&schemas[0]), with_few(&schemas[1]), schemas)
}
