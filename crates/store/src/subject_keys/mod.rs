//! The keys of subjects: made at first need, kept wrapped in a database of their own, destroyed at erasure.
//!
//! Every subject has one key per retention class. `profile` opens what an account needs to live, `record` the
//! answers that are kept for minutes, `evidence-YEAR` the openings of that year's entries. A key that was
//! destroyed is never made again.

mod destroy;
mod rewrap;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crypto::{
    DataKey, RootKeys,
    key_ring::{KeyContext, KeyError},
};
use domain::{ids::SubjectId, time::Timestamp};
use lru::LruCache;
use tokio::time::Instant;

use crate::{
    StoreError,
    engine::{Db, Insert, Row, Sql, Value},
    random::Random,
};

pub(crate) use destroy::Destroyed;

/// The version of a subject's key within its class; rotation of the root key does not change it.
pub(crate) const KEY_VERSION: u32 = 1;
/// How many subjects' keys stay unwrapped in memory, about a kilobyte each: by default no more
/// than a tenth of them have a look-up under way at once.
// INVARIANT: not zero, or it does not compile.
const CACHED_SUBJECTS: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
/// How long: after that a key which another node has destroyed is used here no more. By the runtime's clock, which tests
/// can move: what is kept is no part of any answer.
const CACHED_FOR: Duration = Duration::from_secs(600);

/// The unwrapped keys of one subject, each with its class. There are two or three, and one more for each year.
#[derive(Default)]
pub(crate) struct SubjectKeys(Vec<(String, Arc<DataKey>)>);

impl SubjectKeys {
    /// The key of that class, if there is one.
    pub(crate) fn get(&self, class: &str) -> Option<&Arc<DataKey>> {
        let of_class = self.0.iter().find(|(of, _)| of == class);
        of_class.map(|(_, key)| key)
    }

    fn have(&self, classes: &[&str]) -> bool {
        classes.iter().all(|class| self.get(class).is_some())
    }
}

/// The database of wrapped keys.
pub(crate) struct KeyStore {
    db: Db,
    root: RwLock<Arc<RootKeys>>,
    /// By who was asked for last: nearly everybody is met a second time within the same look-up.
    cache: Mutex<LruCache<SubjectId, Kept>>,
    /// Grows with every change of keys, so that what was read before one is not kept after it.
    changes: AtomicU64,
}

const OF: Sql = Sql::both("SELECT class, wrapped FROM wrapped_key WHERE subject_id = $1");
const DESTROYED: Sql = Sql::both("SELECT class FROM destroyed_key WHERE subject_id = $1 AND class = $2");
const KEY: Insert = Insert {
    table: "wrapped_key",
    columns: &["subject_id", "class", "key_version", "wrapped", "created_us"],
    // Two nodes may make the same key at once: the first one's stands, and both read it back.
    tail: "ON CONFLICT DO NOTHING",
};

impl KeyStore {
    pub(crate) fn new(db: Db, root: Arc<RootKeys>) -> Self {
        KeyStore {
            db,
            root: RwLock::new(root),
            cache: Mutex::new(LruCache::new(CACHED_SUBJECTS)),
            changes: AtomicU64::new(0),
        }
    }

    /// The class of the openings of entries of that time, by China's calendar.
    pub(crate) fn evidence_class(time: Timestamp) -> String {
        evidence_of(i64::from(time.date_in_china().year()))
    }

    /// The root keys that wrap and unwrap now.
    fn root(&self) -> Arc<RootKeys> {
        Arc::clone(&self.root.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Wraps and unwraps with these root keys from here on; `false` if they are fewer than the present ones.
    pub(crate) fn adopt(&self, root: Arc<RootKeys>) -> bool {
        let mut current = self.root.write().unwrap_or_else(PoisonError::into_inner);
        let grown = root.newest_root() >= current.newest_root();
        if grown {
            *current = root;
        }
        grown
    }

    /// All keys that a subject has.
    pub(crate) async fn of(&self, subject: SubjectId) -> Result<Arc<SubjectKeys>, StoreError> {
        let kept = kept(&mut self.cache(), &subject, Instant::now());
        match kept {
            Some(keys) => Ok(keys),
            None => self.read_one(subject).await,
        }
    }

    /// All keys that a subject has, these classes among them if they exist: another node may have made them just now.
    pub(crate) async fn having(
        &self,
        subject: SubjectId,
        classes: &[&str],
    ) -> Result<Arc<SubjectKeys>, StoreError> {
        let keys = self.of(subject).await?;
        if keys.have(classes) {
            return Ok(keys);
        }
        self.read_one(subject).await
    }

    /// The keys of one subject, with those of `classes` made if they are missing.
    pub(crate) async fn ensure(
        &self,
        subject: SubjectId,
        classes: &[&str],
        now: Timestamp,
        random: &Random,
    ) -> Result<Arc<SubjectKeys>, StoreError> {
        let keys = self.of(subject).await?;
        if keys.have(classes) {
            return Ok(keys);
        }
        let subjects = BTreeSet::from([subject]);
        let mut found = self.ensure_all(&subjects, classes, now, random).await?;
        Ok(found.remove(&subject).unwrap_or_default())
    }

    /// The keys of these subjects, with those of `classes` made where they are missing.
    ///
    /// The new keys are durable before this returns, so that nothing is ever encrypted under a key that a crash
    /// could take away.
    ///
    /// # Errors
    /// [`StoreError::Erased`] where one of the keys was destroyed.
    pub(crate) async fn ensure_all(
        &self,
        subjects: &BTreeSet<SubjectId>,
        classes: &[&str],
        now: Timestamp,
        random: &Random,
    ) -> Result<BTreeMap<SubjectId, Arc<SubjectKeys>>, StoreError> {
        let mut found = self.of_all(subjects).await?;
        let root = self.root();
        let (mut rows, mut incomplete) = (vec![], BTreeSet::new());
        for (subject, keys) in &found {
            for class in classes.iter().copied().filter(|class| !keys.have(&[class])) {
                let wrapped = random.with(|rng| {
                    let key = DataKey::generate(root.suite(), rng);
                    root.wrap(&key, &context(*subject, class), rng)
                });
                rows.push(vec![
                    subject.bytes().into(),
                    class.into(),
                    KEY_VERSION.into(),
                    wrapped.into(),
                    now.0.into(),
                ]);
                incomplete.insert(*subject);
            }
        }
        if rows.is_empty() {
            return Ok(found);
        }
        self.insert(rows).await?;
        found.extend(self.read(&incomplete).await?);
        match found.values().all(|keys| keys.have(classes)) {
            true => Ok(found),
            false => Err(StoreError::Erased),
        }
    }

    /// Inserts wrapped keys, except those that were destroyed before.
    async fn insert(&self, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let rows = Arc::new(rows);
        self.db
            .write(move |tx| {
                let rows = Arc::clone(&rows);
                Box::pin(async move {
                    let names: Vec<Vec<Value>> = rows.iter().map(|row| row[..2].to_vec()).collect();
                    let destroyed = tx.query_many(&DESTROYED, &names).await?;
                    let new = rows
                        .iter()
                        .zip(destroyed)
                        .filter(|(_, destroyed)| destroyed.is_empty());
                    let new: Vec<Vec<Value>> = new.map(|(row, _)| row.clone()).collect();
                    tx.insert_many(&KEY, &new).await
                })
            })
            .await?;
        self.changes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// The keys of these subjects from the cache, and the others' from the database.
    async fn of_all(
        &self,
        subjects: &BTreeSet<SubjectId>,
    ) -> Result<BTreeMap<SubjectId, Arc<SubjectKeys>>, StoreError> {
        let mut found = BTreeMap::new();
        let mut others = BTreeSet::new();
        {
            let (mut cache, now) = (self.cache(), Instant::now());
            for subject in subjects {
                match kept(&mut cache, subject, now) {
                    Some(keys) => drop(found.insert(*subject, keys)),
                    None => drop(others.insert(*subject)),
                }
            }
        }
        if !others.is_empty() {
            found.extend(self.read(&others).await?);
        }
        Ok(found)
    }

    fn cache(&self) -> MutexGuard<'_, LruCache<SubjectId, Kept>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of what may not be used any more, so that a key which another node has destroyed does not stay in memory
    /// either; how many. Whoever was asked for last was read no earlier than ten minutes before.
    pub(crate) fn forget_old(&self) -> u64 {
        let (mut cache, now) = (self.cache(), Instant::now());
        let mut forgotten = 0;
        while cache.peek_lru().is_some_and(|(_, kept)| kept.until <= now) {
            cache.pop_lru();
            forgotten += 1;
        }
        forgotten
    }

    /// What is kept of these subjects is not used any more.
    fn forget<'a>(&self, subjects: impl IntoIterator<Item = &'a SubjectId>) {
        let mut cache = self.cache();
        for subject in subjects {
            cache.pop(subject);
        }
    }

    async fn read_one(&self, subject: SubjectId) -> Result<Arc<SubjectKeys>, StoreError> {
        let changes = self.changes.load(Ordering::SeqCst);
        let rows = self.db.query_people(&OF, &[subject.bytes().into()]).await?;
        let keys = self.unwrapped(subject, &rows)?;
        self.keep([(subject, Arc::clone(&keys))], changes);
        Ok(keys)
    }

    async fn read(
        &self,
        subjects: &BTreeSet<SubjectId>,
    ) -> Result<BTreeMap<SubjectId, Arc<SubjectKeys>>, StoreError> {
        let changes = self.changes.load(Ordering::SeqCst);
        let params: Vec<Vec<Value>> = subjects.iter().map(|s| vec![s.bytes().into()]).collect();
        let read = self
            .db
            .read(move |tx| Box::pin(async move { tx.query_many(&OF, &params).await }));
        let mut found = BTreeMap::new();
        for (subject, rows) in subjects.iter().zip(read.await?) {
            found.insert(*subject, self.unwrapped(*subject, &rows)?);
        }
        let keys = found.iter().map(|(subject, keys)| (*subject, Arc::clone(keys)));
        self.keep(keys, changes);
        Ok(found)
    }

    /// The keys in these rows of one subject.
    fn unwrapped(&self, subject: SubjectId, rows: &[Row]) -> Result<Arc<SubjectKeys>, StoreError> {
        let root = self.root();
        let unwrap = |row: &Row| {
            let class = row.text(0, "wrapped_key.class")?.to_owned();
            let wrapped = row.blob(1, "wrapped_key.wrapped")?;
            let key = root.unwrap(wrapped, &context(subject, &class))?;
            Ok((class, Arc::new(key)))
        };
        let keys: Result<Vec<_>, StoreError> = rows.iter().map(unwrap).collect();
        Ok(Arc::new(SubjectKeys(keys?)))
    }

    /// Keeps what was read when so many `changes` had been counted.
    fn keep(&self, read: impl IntoIterator<Item = (SubjectId, Arc<SubjectKeys>)>, changes: u64) {
        let until = Instant::now() + CACHED_FOR;
        let mut cache = self.cache();
        for (subject, keys) in read {
            // Keys that were destroyed while they were read do not stay: whoever destroys counts first, then clears.
            if self.changes.load(Ordering::SeqCst) == changes {
                cache.push(subject, Kept { keys, until });
            }
        }
    }
}

/// Keys that were read, and until when they need not be read again.
struct Kept {
    keys: Arc<SubjectKeys>,
    until: Instant,
}

/// What is kept of a subject, if it may still be used.
fn kept(
    cache: &mut LruCache<SubjectId, Kept>,
    subject: &SubjectId,
    now: Instant,
) -> Option<Arc<SubjectKeys>> {
    let kept = cache.get(subject).filter(|kept| now < kept.until);
    kept.map(|kept| Arc::clone(&kept.keys))
}

fn evidence_of(year: i64) -> String {
    format!("evidence-{year:04}")
}

fn context(subject: SubjectId, class: &str) -> KeyContext<'_> {
    KeyContext {
        subject: subject.bytes(),
        class,
        key_version: KEY_VERSION,
    }
}

impl From<KeyError> for StoreError {
    fn from(error: KeyError) -> Self {
        StoreError::Key(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use crypto::Suite;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::engine::DbConfig;

    #[tokio::test]
    async fn keys_that_are_too_old_leave_memory() {
        let folder = tempfile::tempdir().unwrap();
        let config = DbConfig::Sqlite {
            path: folder.path().join("keys.sqlite"),
            readers: 1,
        };
        let db = Db::open(&config).await.unwrap();
        let (path, mut rng) = (folder.path().join("root-keys"), ChaCha20Rng::from_seed([1; 32]));
        let root = RootKeys::create(&path, "production", Suite::Intl, 0, &mut rng).unwrap();
        let store = KeyStore::new(db, Arc::new(root));
        let [old, young] = [1, 2].map(|n| SubjectId::from_bytes([n; 16]));
        let now = Instant::now();
        for (subject, until) in [(old, now), (young, now + CACHED_FOR)] {
            let keys = Arc::default();
            store.cache().push(subject, Kept { keys, until });
        }
        assert_eq!((store.forget_old(), store.forget_old()), (1, 0));
        assert!(!store.cache().contains(&old) && store.cache().contains(&young));
    }
}
