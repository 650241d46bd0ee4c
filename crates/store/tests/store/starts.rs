//! What every start checks: whose database it is, whether it is the newest, and what must not come back.

use std::{fs, path::Path, sync::Arc, time::Duration};

use crypto::{RootKeys, Suite};
use domain::{ids::SubjectId, words::Level};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use store::{
    PHONE_PASSED_ON, Store, StoreConfig, StoreError,
    engine::{Db, DbConfig, Engine},
};

use crate::{acts::*, world::*};

/// What the start says.
async fn refusal(world: &World) -> String {
    match world.try_open().await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let owner = by.account.chain();
        for round in 0..6 {
            for n in 0..30 {
                sealed(store.seal(note(owner, &format!("note {round} {n}"))).await);
            }
            if round % 2 == 0 {
                store.publish_checkpoint().await.unwrap();
            }
        }
        let receipt = store.receipt(owner, 5).await.unwrap().unwrap();
        close(store).await;
        for published_is_behind in [true, false] {
            let store = world.open().await;
            assert_eq!(store.log_size().await.unwrap(), 182);
            let published = store.published().await.unwrap().unwrap().0;
            assert_eq!(published < 182, published_is_behind);
            verify(&store, &receipt).unwrap();
            verify(&store, &store.receipt(owner, 181).await.unwrap().unwrap()).unwrap();
            store.publish_checkpoint().await.unwrap();
            check(&store).await;
            close(store).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_with_other_keys_or_another_name_is_refused() {
    each_world(|world| async move {
        close(world.open().await).await;
        for (realm, suite, name, said) in [
            ("demo", Suite::Intl, "log.example", "realm \"production\""),
            ("production", Suite::Gm, "log.example", "suite \"intl\""),
            (
                "production",
                Suite::Intl,
                "other.example",
                "log origin \"log.example/production/log/0\"",
            ),
            (
                "production",
                Suite::Intl,
                "log.example",
                "key file is not the one",
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let mut rng = ChaCha20Rng::from_seed([9; 32]);
            let path = folder.path().join("keys");
            let root = Arc::new(RootKeys::create(&path, realm, suite, 0, &mut rng).unwrap());
            let other = StoreConfig {
                name: name.into(),
                ..world.config.clone()
            };
            let random = Arc::new(store::Random::new([3; 32]));
            let opened = Store::open(&other, root, world.clock.clone(), random).await;
            let text = opened.map(drop).unwrap_err().to_string();
            assert!(text.contains(said), "{text}");
        }
        close(world.open().await).await;
    })
    .await;
}

/// Two nodes make the same deployment at once.
#[tokio::test(flavor = "multi_thread")]
async fn two_first_starts_at_once_are_one() {
    on_postgres(|world| async move {
        let (one, two) = tokio::join!(
            world.open_node(1, world.clock.clone()),
            world.open_node(2, world.clock.clone())
        );
        sealed(one.seal(note(domain::ids::DEPLOYMENT, "started")).await);
        sealed(two.seal(note(domain::ids::DEPLOYMENT, "started")).await);
        check(&one).await;
    })
    .await;
}

/// A copy of a database: the bytes of a file, or tables beside the others.
struct Copy(Vec<u8>);

/// Takes a copy of the data or of the keys.
async fn copy(config: &DbConfig) -> Copy {
    match config {
        DbConfig::Sqlite { path, .. } => {
            let db = Db::open(config).await.unwrap();
            let copy = path.with_extension("copy");
            vacuum_into(path, &copy);
            drop(db);
            let bytes = fs::read(&copy).unwrap();
            fs::remove_file(copy).unwrap();
            Copy(bytes)
        }
        DbConfig::Postgres { .. } => {
            let db = Db::open(config).await.unwrap();
            for table in tables(&db).await {
                run(&db, &format!("CREATE TABLE copy_{table} AS TABLE {table}"), &[]).await;
            }
            Copy(vec![])
        }
    }
}

/// Puts it back, once the store before has let go of the file: the last connection copies its log into it, and removes it.
async fn put_back(config: &DbConfig, copy: &Copy) {
    match config {
        DbConfig::Sqlite { path, .. } => {
            let log = path.with_extension("sqlite-wal");
            for _ in 0..1000 {
                if !log.exists() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(!log.exists(), "somebody still has {} open", path.display());
            fs::write(path, &copy.0).unwrap();
        }
        DbConfig::Postgres { .. } => {
            let db = Db::open(config).await.unwrap();
            for table in tables(&db).await {
                run(&db, &format!("DELETE FROM {table}"), &[]).await;
                run(
                    &db,
                    &format!("INSERT INTO {table} SELECT * FROM copy_{table}"),
                    &[],
                )
                .await;
            }
        }
    }
}

fn vacuum_into(from: &Path, to: &Path) {
    let connection = rusqlite::Connection::open(from).unwrap();
    connection
        .execute("VACUUM INTO ?1", [to.to_str().unwrap()])
        .unwrap();
}

async fn tables(db: &Db) -> Vec<String> {
    assert_eq!(db.engine(), Engine::Postgres);
    let sql = store::engine::Sql::both(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema() \
         AND table_name NOT LIKE 'copy%' ORDER BY 1",
    );
    let rows = db.query(&sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| row.text(0, "t.name").unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_put_back_to_an_older_state_is_refused() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        store.publish_checkpoint().await.unwrap();
        close(store).await;
        let older = copy(&world.config.data).await;
        let store = world.open().await;
        sealed(store.seal(note(by.account.chain(), "the last one")).await);
        close(store).await;
        put_back(&world.config.data, &older).await;
        let text = refusal(&world).await;
        assert!(
            text.contains("has 2 entries, but 3 were sealed") && text.contains("older state"),
            "{text}"
        );
        // Whoever restores on purpose empties the file; that it is gone is no word of theirs.
        let head = world.folder.path().join("log.head");
        fs::remove_file(&head).unwrap();
        for _ in 0..2 {
            let text = refusal(&world).await;
            assert!(text.contains("is missing, though the log has entries"), "{text}");
        }
        fs::write(&head, b"").unwrap();
        check(&world.open().await).await;
    })
    .await;
}

/// The file outside may be older (a crash before it was synced) but never of another log.
#[tokio::test(flavor = "multi_thread")]
async fn the_head_outside_may_lag_but_not_differ() {
    each_world(|world| async move {
        let head = world.folder.path().join("log.head");
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        close(store).await;
        let older = fs::read(&head).unwrap();
        let store = world.open().await;
        for _ in 0..5 {
            sealed(store.seal(note(by.account.chain(), "note")).await);
        }
        close(store).await;
        let newest = fs::read(&head).unwrap();
        // Behind the head, before and after the published checkpoint went past it.
        for publish in [true, false] {
            fs::write(&head, &older).unwrap();
            let store = world.open().await;
            if publish {
                store.publish_checkpoint().await.unwrap();
            }
            close(store).await;
        }
        let another = World::other_head_file(2);
        fs::write(&head, another).unwrap();
        let text = refusal(&world).await;
        assert!(text.contains("differs from the head kept outside"), "{text}");
        let another = World::other_head_file(7);
        fs::write(&head, another).unwrap();
        assert!(
            refusal(&world)
                .await
                .contains("differs from the head kept outside")
        );
        fs::write(&head, [7; 144]).unwrap();
        assert!(refusal(&world).await.contains("is damaged"));
        fs::write(&head, newest).unwrap();
        check(&world.open().await).await;
    })
    .await;
}

/// Both databases are put back to before a session ended, another was replaced, and a person was erased.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_brings_nothing_back() {
    each_world(|world| async move {
        let store = world.open().await;
        let (ended, replaced) = (sign_up(&store, 1).await, sign_up(&store, 2).await);
        let person = prove(&store, 3).await;
        look_up(&store, person.subject, person.holder).await;
        close(store).await;
        let (data, keys) = (copy(&world.config.data).await, copy(&world.config.keys).await);
        let store = world.open().await;
        sign_out(&store, ended).await;
        sign_in(&store, replaced.account, Level::L1, Some(replaced.session)).await;
        let erase = store.erase(person.subject, person.account);
        sealed(store.seal(change(person.subject, "person-erased", erase)).await);
        store.destroy_keys(person.subject, person.account).await.unwrap();
        close(store).await;
        // The keys alone, then both.
        for both in [false, true] {
            put_back(&world.config.keys, &keys).await;
            if both {
                put_back(&world.config.data, &data).await;
                fs::write(world.folder.path().join("log.head"), b"").unwrap();
            }
            let store = world.open().await;
            for session in [ended.session, replaced.session, person.holder.session] {
                assert!(
                    store.session(token_of(session)).await.unwrap().is_none(),
                    "{both}"
                );
            }
            let subject = store.subject(person.subject).await.unwrap().unwrap();
            assert!(!subject.active && subject.person.is_none() && subject.account.is_none());
            assert!(store.account(person.account).await.unwrap().is_none());
            assert!(store.account_by_phone(&phone(3)).await.unwrap().is_none());
            let wrapped = "SELECT count(*) FROM wrapped_key WHERE class = 'profile'";
            assert_eq!(
                number_of(&world.keys().await, wrapped).await,
                2,
                "those of the two others"
            );
            let key = store
                .encrypt_answer(person.subject, look_up_id(&store), b"x")
                .await;
            assert!(matches!(key, Err(StoreError::Erased)), "{key:?}");
            check(&store).await;
            close(store).await;
        }
    })
    .await;
}

/// The process ends between the seal of an erasure and the destruction of the keys: the next start finishes it.
#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_that_was_cut_off_is_finished() {
    each_world(|world| async move {
        let store = world.open().await;
        let person = prove(&store, 1).await;
        look_up(&store, person.subject, person.holder).await;
        let erase = store.erase(person.subject, person.account);
        sealed(store.seal(change(person.subject, "person-erased", erase)).await);
        let left = "SELECT count(*) FROM wrapped_key WHERE class = 'profile'";
        assert_eq!(number_of(&world.keys().await, left).await, 2);
        check(&store).await;
        close(store).await;
        let store = world.open().await;
        assert_eq!(number_of(&world.keys().await, left).await, 0);
        assert_eq!(store.finish_erasures().await.unwrap(), 0);
        let state = "SELECT count(*) FROM subject WHERE state = 'erased' AND account_id IS NULL";
        assert_eq!(number_of(&world.data().await, state).await, 1);
        check(&store).await;
    })
    .await;
}

/// Whoever looks at a copy on another machine does not grow a second history, nor finish what a crash left.
#[tokio::test(flavor = "multi_thread")]
async fn looking_takes_nothing_up() {
    each_world(|world| async move {
        let text = world.try_look().await.map(drop).unwrap_err().to_string();
        assert!(text.contains("there is no deployment"), "{text}");
        let store = world.open().await;
        let (person, other) = (prove(&store, 1).await, prove(&store, 2).await);
        close(store).await;
        let data = copy(&world.config.data).await;
        let store = world.open().await;
        let erase = store.erase(person.subject, person.account);
        sealed(store.seal(change(person.subject, "person-erased", erase)).await);
        store.destroy_keys(person.subject, person.account).await.unwrap();
        let erase = store.erase(other.subject, other.account);
        sealed(store.seal(change(other.subject, "person-erased", erase)).await);
        close(store).await;
        // The one's erasure is in the journal and not in the older copy; the other's was cut off.
        for restored in [false, true] {
            if restored {
                put_back(&world.config.data, &data).await;
                fs::write(world.folder.path().join("log.head"), b"").unwrap();
            }
            let left = "SELECT count(*) FROM wrapped_key";
            let (size, keys) = {
                let store = world.try_look().await.unwrap();
                let keys = number_of(&world.keys().await, left).await;
                (store.log_size().await.unwrap(), keys)
            };
            let store = world.try_look().await.unwrap();
            assert_eq!(store.log_size().await.unwrap(), size, "{restored}");
            assert_eq!(number_of(&world.keys().await, left).await, keys, "{restored}");
            close(store).await;
        }
        let looked = world.try_look().await.unwrap().log_size().await.unwrap();
        let store = world.open().await;
        assert!(
            store.log_size().await.unwrap() > looked,
            "a start seals the erasure again"
        );
    })
    .await;
}

/// Closes an account whose phone is somebody else's now; the key of it is still there.
async fn close_account(store: &Store, of: Proven) {
    let effect = store.close_account(of.account, of.subject);
    sealed(store.seal(change(of.subject, PHONE_PASSED_ON, effect)).await);
}

/// How many profiles can still be opened.
async fn profile_keys(world: &World) -> i64 {
    let left = "SELECT count(*) FROM wrapped_key WHERE class = 'profile'";
    number_of(&world.keys().await, left).await
}

/// The process ends between the seal of a closing and the destruction of the key: the next start finishes it, and so does
/// the account that follows.
#[tokio::test(flavor = "multi_thread")]
async fn a_closing_that_was_cut_off_is_finished() {
    for restarts in [true, false] {
        each_world(|world| async move {
            let mut store = world.open().await;
            let first = prove(&store, 1).await;
            close_account(&store, first).await;
            assert_eq!(profile_keys(&world).await, 2);
            assert!(store.account(first.account).await.unwrap().is_none());
            check(&store).await;
            if restarts {
                close(store).await;
                store = world.open().await;
                assert_eq!(profile_keys(&world).await, 1, "the person's");
                assert_eq!(store.finish_closings().await.unwrap(), 0);
                check(&store).await;
            }
            let again = sign_up(&store, 2).await;
            let effect = store.bind_account(again.account, first.subject, &person(1)).await;
            sealed(
                store
                    .seal(change(first.subject, "name-proven", effect.unwrap()))
                    .await,
            );
            assert_eq!(
                profile_keys(&world).await,
                2,
                "the person's and the new account's"
            );
            check(&store).await;
        })
        .await;
    }
}

/// When the copy was taken of which the case is.
#[derive(Clone, Copy, PartialEq)]
enum CopyOf {
    Unproven,
    Proven,
    /// And the person was erased later.
    ProvenThenErased,
}

/// Both databases are put back to before an account was closed, whose phone is another's by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_copy_opens_no_closed_account() {
    for of in [CopyOf::Unproven, CopyOf::Proven, CopyOf::ProvenThenErased] {
        each_world(|world| restored_after_closing(world, of)).await;
    }
}

async fn restored_after_closing(world: World, of: CopyOf) {
    let mut store = world.open().await;
    let by = sign_up(&store, 1).await;
    let mut copies = None;
    let subject = store.mention_subject(&id_number(1)).await.unwrap();
    for proven in [false, true] {
        if proven {
            bind(&store, by, subject).await;
        }
        if proven == (of != CopyOf::Unproven) {
            close(store).await;
            copies = Some((copy(&world.config.data).await, copy(&world.config.keys).await));
            store = world.open().await;
        }
    }
    let first = Proven {
        subject,
        account: by.account,
        holder: by,
    };
    close_account(&store, first).await;
    store.destroy_account_key(by.account, subject).await.unwrap();
    // The phone is somebody else's.
    let next = sign_up(&store, 1).await;
    if of == CopyOf::ProvenThenErased {
        let last = sign_up(&store, 2).await;
        bind(&store, last, subject).await;
        let erase = store.erase(subject, last.account);
        sealed(store.seal(change(subject, "person-erased", erase)).await);
        store.destroy_keys(subject, last.account).await.unwrap();
    }
    close(store).await;
    let (data, keys) = copies.unwrap();
    put_back(&world.config.keys, &keys).await;
    let store = world.open().await;
    let profiles = i64::from(of == CopyOf::Proven);
    assert_eq!(
        profile_keys(&world).await,
        profiles,
        "the person's, where there is one"
    );
    assert_eq!(
        store.account_by_phone(&phone(1)).await.unwrap(),
        Some(next.account)
    );
    close(store).await;
    put_back(&world.config.data, &data).await;
    put_back(&world.config.keys, &keys).await;
    fs::write(world.folder.path().join("log.head"), b"").unwrap();
    stays_closed(&world, first, of).await;
}

/// Proves the name of the first person.
async fn bind(store: &Store, by: Holder, subject: SubjectId) {
    let effect = store.bind_account(by.account, subject, &person(1)).await.unwrap();
    sealed(store.seal(change(subject, "name-proven", effect)).await);
}

/// Both databases are those of the copy.
async fn stays_closed(world: &World, first: Proven, of: CopyOf) {
    let (by, profiles) = (first.holder, i64::from(of == CopyOf::Proven));
    let mut sizes = vec![];
    for _ in 0..2 {
        let store = world.open().await;
        assert!(store.account(by.account).await.unwrap().is_none());
        assert!(store.account_by_phone(&phone(1)).await.unwrap().is_none());
        assert!(store.session(token_of(by.session)).await.unwrap().is_none());
        assert_eq!(profile_keys(world).await, profiles);
        sizes.push(store.log_size().await.unwrap());
        check(&store).await;
        close(store).await;
    }
    assert_eq!(sizes[0], sizes[1], "it is sealed once");
    // Whoever has the phone begins anew, and stays.
    let store = world.open().await;
    let again = sign_up(&store, 1).await;
    close(store).await;
    let store = world.open().await;
    assert_eq!(
        store.account_by_phone(&phone(1)).await.unwrap(),
        Some(again.account)
    );
    assert!(store.session(token_of(again.session)).await.unwrap().is_some());
    let told = |entries: Vec<store::EntryView>| {
        entries
            .iter()
            .any(|e| e.shared.about.as_deref() == Some(PHONE_PASSED_ON))
    };
    let chain = if of == CopyOf::Unproven {
        by.account.chain()
    } else {
        first.subject
    };
    assert!(told(store.entries(chain, None, 20).await.unwrap()));
    check(&store).await;
}
