//! Opening a store: migrations, realm, keys, the last known head, the effects journal, the tail of the log.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU64},
    },
};

use crypto::RootKeys;
use domain::time::{Clock, Timestamp};
use tokio::sync::watch;

use crate::{
    Store, StoreError,
    committer::{Committer, LOG, Places},
    deployment::{is_settled, settle_deployment},
    engine::{Db, DbConfig, DbError},
    head_file::HeadFile,
    inner::{Inner, LogKeys},
    journal::{Effected, Journal, Line},
    random::Random,
    schema,
    seen::Seen,
    subject_keys::KeyStore,
};

/// Lines of the journal applied by one transaction.
const APPLIED_AT_ONCE: usize = 500;

/// Where a store is and whose it is.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The data.
    pub data: DbConfig,
    /// The wrapped keys; never the same file or schema as the data.
    pub keys: DbConfig,
    /// The folder of the head file and the effects journal; of this process alone.
    pub folder: PathBuf,
    /// The name under which the log is known, such as `records.city.example`; realm and log number are added.
    pub name: String,
}

impl Store {
    /// Opens the store, making it if it is new, starts the committer, and takes up what a crash or a restore left
    /// undone.
    ///
    /// # Errors
    /// Another realm, suite, name or log key than the database was made with; a database behind its last known
    /// head; a log that does not add up.
    pub async fn open(
        config: &StoreConfig,
        root: Arc<RootKeys>,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
    ) -> Result<Self, StoreError> {
        let db = Db::open_or_create(&config.data).await?;
        let keys_db = Db::open_or_create(&config.keys).await?;
        let (store, effects) = Self::assemble(config, (db, keys_db), root, clock, random).await?;
        store.place_what_is_left().await?;
        store.apply_journal(effects).await?;
        store.finish_erasures().await?;
        store.finish_closings().await?;
        Ok(store)
    }

    /// Opens a store that is there to look at it. Nothing is taken up and nothing is sealed, so that a copy on another
    /// machine does not grow into a second history under the same key. Migrations are made, and places that were due are
    /// written.
    ///
    /// # Errors
    /// As for [`Store::open`], and where there is no store.
    pub async fn open_to_look(
        config: &StoreConfig,
        root: Arc<RootKeys>,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
    ) -> Result<Self, StoreError> {
        let nothing = || {
            let text =
                "there is no deployment in this database; look whether the configuration names the right one";
            StoreError::Refused(text.into())
        };
        // Opening would make the file.
        if matches!(&config.data, DbConfig::Sqlite { path, .. } if !path.exists()) {
            return Err(nothing());
        }
        let db = Db::open(&config.data).await?;
        let keys_db = Db::open(&config.keys).await?;
        db.migrate(schema::DATA, clock.now().0).await?;
        if !is_settled(&db).await? {
            return Err(nothing());
        }
        let (store, _) = Self::assemble(config, (db, keys_db), root, clock, random).await?;
        match store.place_what_is_left().await {
            // A check tells of each such row.
            Ok(()) | Err(StoreError::Db(DbError::Corrupt { .. })) => Ok(store),
            Err(error) => Err(error),
        }
    }

    /// Puts the store together and checks it; with what the journal says has to be applied.
    async fn assemble(
        config: &StoreConfig,
        (db, keys_db): (Db, Db),
        root: Arc<RootKeys>,
        clock: Arc<dyn Clock>,
        random: Arc<Random>,
    ) -> Result<(Self, Vec<Line>), StoreError> {
        #[cfg(feature = "bench-unsealed")]
        if root.realm() == "production" {
            let text = "NOT FOR USE: built with bench-unsealed, look-ups would be answered without evidence";
            return Err(StoreError::Refused(text.into()));
        }
        db.migrate(schema::DATA, clock.now().0).await?;
        keys_db.migrate(schema::KEYS, clock.now().0).await?;
        let origin = format!("{}/{}/log/{LOG}", config.name, root.realm());
        let log_keys = LogKeys::new(&origin, &root)?;
        let (entries, latest) = settle_deployment(&db, &root, &origin, clock.now()).await?;
        let (head_file, last_head) = HeadFile::open(&config.folder.join("log.head"), entries == 0)?;
        let (journal, effects) = Journal::open(&config.folder.join("effects.journal"), clock.now())?;
        let inner = Arc::new(Inner {
            keys: KeyStore::new(keys_db, Arc::clone(&root)),
            places: Places::new(db.engine()),
            db,
            root,
            clock,
            node: random.bytes(),
            random,
            origin,
            log_keys,
            head_file: Mutex::new(head_file),
            journal: Arc::new(journal),
            seen: Mutex::new(Seen::default()),
            latest: AtomicI64::new(latest.0),
            tiled: AtomicU64::new(0),
            tiling: tokio::sync::Mutex::new(()),
            stopping: watch::channel(None).0,
        });
        let committer = Committer::start(Arc::clone(&inner));
        let store = Store { inner, committer };
        store.check_tail(last_head).await?;
        Ok((store, effects))
    }

    /// Applies the journal once more: the database may be an older copy than the file.
    async fn apply_journal(&self, lines: Vec<Line>) -> Result<(), StoreError> {
        for some in lines.chunks(APPLIED_AT_ONCE) {
            let (mut ended, mut erased, mut closed) = (vec![], vec![], vec![]);
            for line in some {
                match line.effect {
                    Effected::SessionEnded { session } => ended.push((session, Timestamp(line.at))),
                    Effected::Erased { subject, account } => erased.push((subject, account)),
                    Effected::AccountClosed { account, .. } => closed.push((account, Timestamp(line.at))),
                }
            }
            self.end_sessions(ended).await?;
            // Before the erasures: whoever was erased later had had the closed account before.
            if !closed.is_empty() {
                self.close_again(&closed).await?;
            }
            if !erased.is_empty() {
                self.erase_again(erased).await?;
            }
        }
        Ok(())
    }
}
