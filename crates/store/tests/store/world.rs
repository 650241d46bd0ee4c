//! A world for one case: two new databases, keys, a clock that stands still, and stores over them.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use crypto::{
    RootKeys, Suite,
    signer::{Ed25519Verifier, Sm2Verifier},
};
use domain::time::{Clock, ManualClock, Timestamp};
use futures_util::FutureExt;
use ledger::{Receipt, SignatureType, TrustedKeys, Verified, VerifierKey, receipt};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use store::{
    Random, Store, StoreConfig, StoreError,
    engine::{Db, DbConfig, Engine, Sql, Value},
    testing::{each_config, postgres, sqlite},
};
use tempfile::TempDir;

/// 2026-06-01 in China.
pub(crate) const START: Timestamp = Timestamp(1_780_243_200_000_000);

/// Everything that stores of one deployment share.
pub(crate) struct World {
    pub(crate) config: StoreConfig,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) root: Arc<RootKeys>,
    pub(crate) key_file: PathBuf,
    pub(crate) folder: TempDir,
    starts: AtomicU8,
}

/// Runs a case in a new world on SQLite, then in one on PostgreSQL.
pub(crate) async fn each_world<R: Future<Output = ()>>(case: impl Fn(World) -> R) {
    each_world_of(Suite::Intl, case).await;
}

/// As [`each_world`], with the keys of this suite.
pub(crate) async fn each_world_of<R: Future<Output = ()>>(suite: Suite, case: impl Fn(World) -> R) {
    each_config(|data| {
        let case = &case;
        async move {
            match data {
                DbConfig::Sqlite { .. } => {
                    let (folder, keys) = sqlite().await;
                    case(World::new(suite, data, keys)).await;
                    drop(folder);
                }
                DbConfig::Postgres { .. } => {
                    let schema = postgres().await;
                    case(World::new(suite, data, schema.config.clone())).await;
                    schema.remove().await;
                }
            }
        }
    })
    .await;
}

/// Runs a case that needs several nodes: on PostgreSQL alone.
pub(crate) async fn on_postgres<R: Future<Output = ()>>(case: impl Fn(World) -> R) {
    let (data, keys) = (postgres().await, postgres().await);
    let done = AssertUnwindSafe(case(World::new(
        Suite::Intl,
        data.config.clone(),
        keys.config.clone(),
    )));
    let done = done.catch_unwind().await;
    data.remove().await;
    keys.remove().await;
    done.unwrap_or_else(|panic| resume_unwind(panic));
}

impl World {
    fn new(suite: Suite, data: DbConfig, keys: DbConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("keys.json");
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let root = RootKeys::create(&key_file, "production", suite, START.0, &mut rng).unwrap();
        World {
            config: StoreConfig {
                data,
                keys,
                folder: folder.path().to_owned(),
                name: "log.example".into(),
            },
            clock: Arc::new(ManualClock::new(START)),
            root: Arc::new(root),
            key_file,
            folder,
            starts: AtomicU8::new(2),
        }
    }

    /// The same world with other root keys.
    pub(crate) fn with_root(self, root: Arc<RootKeys>) -> Self {
        World { root, ..self }
    }

    /// A store of the first node.
    pub(crate) async fn open(&self) -> Store {
        self.try_open().await.unwrap()
    }

    /// The store of the first node, to look at it.
    pub(crate) async fn try_look(&self) -> Result<Store, StoreError> {
        let clock = self.clock.clone();
        let random = Arc::new(Random::new([99; 32]));
        Store::open_to_look(&self.config, Arc::clone(&self.root), clock, random).await
    }

    pub(crate) async fn try_open(&self) -> Result<Store, StoreError> {
        self.try_open_with(&self.config).await
    }

    /// A store of another node: its own folder, clock and generator.
    pub(crate) async fn open_node(&self, number: u8, clock: Arc<ManualClock>) -> Store {
        let folder = self.folder.path().join(format!("node{number}"));
        std::fs::create_dir_all(&folder).unwrap();
        let config = StoreConfig {
            folder,
            ..self.config.clone()
        };
        let random = Arc::new(Random::new([100 + number; 32]));
        Store::open(&config, Arc::clone(&self.root), clock, random)
            .await
            .unwrap()
    }

    pub(crate) async fn open_with(&self, config: &StoreConfig) -> Store {
        self.try_open_with(config).await.unwrap()
    }

    /// A head file of some other log of that size.
    pub(crate) fn other_head_file(size: u64) -> Vec<u8> {
        let mut slot = [size.to_be_bytes().as_slice(), &[9; 32]].concat();
        let sum = Sha256::digest(&slot);
        slot.extend_from_slice(&sum);
        slot
    }

    async fn try_open_with(&self, config: &StoreConfig) -> Result<Store, StoreError> {
        // No start draws what one before has drawn.
        let start = self.starts.fetch_add(1, Ordering::Relaxed);
        let clock: Arc<dyn Clock> = self.clock.clone();
        let random = Arc::new(Random::new([start; 32]));
        Store::open(config, Arc::clone(&self.root), clock, random).await
    }

    /// The data as somebody with all rights sees it.
    pub(crate) async fn data(&self) -> Db {
        Db::open(&self.config.data).await.unwrap()
    }

    pub(crate) async fn keys(&self) -> Db {
        Db::open(&self.config.keys).await.unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Verifies a receipt with the store's log keys, all of which must have signed.
pub(crate) fn verify(store: &Store, receipt: &Receipt) -> Result<Verified, receipt::ReceiptError> {
    let keys = store.log_keys();
    let trusted = TrustedKeys::new(
        [Some(keys.ed25519.clone()), keys.sm2.clone()]
            .into_iter()
            .flatten(),
    )
    .unwrap();
    receipt::verify(receipt.to_json().as_bytes(), &trusted, is_signed)
}

pub(crate) fn is_signed(key: &VerifierKey, message: &[u8], signature: &[u8]) -> bool {
    let signature = signature.try_into().unwrap();
    match key.signature_type() {
        SignatureType::Ed25519 => Ed25519Verifier::new(key.public_key().try_into().unwrap())
            .unwrap()
            .verify(message, signature),
        SignatureType::Sm2 => Sm2Verifier::new(key.public_key().try_into().unwrap())
            .unwrap()
            .verify(message, signature),
        SignatureType::CosignatureV1 => false,
    }
}

/// Runs one statement with all rights; how many rows it touched.
pub(crate) async fn run(db: &Db, sql: &str, params: &[Value]) -> u64 {
    let sql = Sql::both(String::leak(sql.to_owned()));
    let params = params.to_vec();
    db.write(move |tx| {
        let params = params.clone();
        Box::pin(async move { tx.execute(&sql, &params).await })
    })
    .await
    .unwrap()
}

/// One number out of a statement.
pub(crate) async fn number_of(db: &Db, sql: &str) -> i64 {
    let sql = Sql::both(String::leak(sql.to_owned()));
    db.query_opt(&sql, &[])
        .await
        .unwrap()
        .unwrap()
        .int(0, "a.number")
        .unwrap()
}

/// Something that the database does by itself, behind the store's back.
pub(crate) struct Trigger(&'static str);

impl Trigger {
    /// Runs this statement after every row that is written; `$bytes` in it are 33 bytes.
    pub(crate) async fn new(db: &Db, table: &'static str, event: &str, body: &str) -> Self {
        let begin = format!("CREATE TRIGGER planted AFTER {event} ON {table} FOR EACH ROW");
        match db.engine() {
            Engine::Sqlite => {
                let body = body.replace("$bytes", "zeroblob(33)");
                run(db, &format!("{begin} BEGIN {body}; END"), &[]).await;
            }
            Engine::Postgres => {
                let body = body.replace("$bytes", "decode(repeat('00', 33), 'hex')");
                let function = "CREATE OR REPLACE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS";
                run(
                    db,
                    &format!("{function} $$ BEGIN {body}; RETURN NULL; END $$"),
                    &[],
                )
                .await;
                run(db, &format!("{begin} EXECUTE FUNCTION planted()"), &[]).await;
            }
        }
        Trigger(table)
    }

    /// Every row that is written is refused.
    pub(crate) async fn refuse(db: &Db, table: &'static str, event: &str) -> Self {
        let body = match db.engine() {
            Engine::Sqlite => "SELECT RAISE(ABORT, 'planted')",
            Engine::Postgres => "RAISE EXCEPTION 'planted'",
        };
        Self::new(db, table, event, body).await
    }

    pub(crate) async fn remove(self, db: &Db) {
        let on = if db.engine() == Engine::Postgres {
            format!(" ON {}", self.0)
        } else {
            String::new()
        };
        run(db, &format!("DROP TRIGGER planted{on}"), &[]).await;
    }
}

/// Nothing is wrong anywhere, or the case fails and says what.
pub(crate) async fn check(store: &Store) {
    let problems = problems(store).await;
    assert!(problems.is_empty(), "{problems:#?}");
}

/// All that doctor tells.
pub(crate) async fn problems(store: &Store) -> Vec<String> {
    let checks = store.check_all(|_, _| {}).await.unwrap();
    checks
        .into_iter()
        .flat_map(|c| c.problems.into_iter().map(move |p| format!("{}: {p}", c.what)))
        .collect()
}

/// Waits until the stores before have let go of their files: the committer ends when its last handle does.
pub(crate) async fn close(store: Store) {
    drop(store);
    tokio::time::sleep(Duration::from_millis(20)).await;
}
