//! What the two seals of a look-up cost, on SQLite and on PostgreSQL, alone and with many at once.
//!
//! `MINGCHA_TEST_POSTGRES=... cargo run --release -p store --example seal_speed [N] [PEOPLE]`
#![expect(clippy::disallowed_methods, reason = "it measures")]
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::{collections::BTreeMap, error::Error, path::Path, sync::Arc, time::Instant};

use crypto::{RootKeys, Suite};
use domain::{
    identifiers::Phone,
    ids::{AccountId, LookupId, SessionId, SubjectId},
    time::{ManualClock, Timestamp},
    words::Level,
};
use futures_util::future::join_all;
use ledger::{Chain, EntryType, Hash, Shared, opening};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use store::{
    Act, Effect, EndLookup, NewLookup, NewSession, Outcome, Random, Seal, Store, StoreConfig,
    engine::DbConfig,
    testing::{postgres, sqlite},
};

const NOW: Timestamp = Timestamp(1_780_243_200_000_000);

/// One look-up's two seals.
async fn look_up(store: &Store, owner: SubjectId, by: Holder) {
    let Holder { account, session } = by;
    let lookup = store.random().id(NOW, LookupId::new);
    let new = NewLookup {
        lookup,
        requester: account,
        session,
        standing: None,
        deadline: NOW.plus_seconds(3),
        repeat_key: None,
        request_hash: None,
    };
    let end = EndLookup {
        lookup,
        requester: account,
        session,
        standing: None,
        release: true,
        answer: None,
    };
    let fields = ["plate", "vin", "brand", "registered", "inspection_valid_until"];
    for (entry_type, act) in [
        (EntryType::Intent, Act::Begin(new)),
        (EntryType::Release, Act::End(end)),
    ] {
        let mut shared = Shared::new(entry_type, 0, owner.bytes().to_vec());
        shared.lookup = Some(lookup.bytes());
        shared.purpose = Some("own-information".into());
        shared.fields = fields.map(str::to_owned).into();
        shared.policy = Some("6f1ed002ab5595859014ebf0951522d9".into());
        let chain = chain_of(account);
        let sealed = store
            .seal(Seal {
                owner,
                shared,
                chain,
                act,
            })
            .await;
        assert!(matches!(sealed, Ok(Outcome::Sealed(_))), "{sealed:?}");
    }
}

/// Who looks up: an account with a session.
#[derive(Clone, Copy)]
struct Holder {
    account: AccountId,
    session: SessionId,
}

async fn open(folder: &Path, data: DbConfig, keys: DbConfig) -> Result<Store, Box<dyn Error>> {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let root = RootKeys::create(&folder.join("keys"), "production", Suite::Gm, NOW.0, &mut rng)?;
    let config = StoreConfig {
        data,
        keys,
        folder: folder.to_owned(),
        name: "log.example".into(),
    };
    let clock = Arc::new(ManualClock::new(NOW));
    Ok(Store::open(&config, Arc::new(root), clock, Arc::new(Random::new([2; 32]))).await?)
}

/// Signs somebody in who is new.
async fn sign_in(store: &Store) -> Result<Holder, Box<dyn Error>> {
    let (account, created) = store.create_account(&Phone::parse("13800000000")?.value).await?;
    change(store, account, "account-created", created).await?;
    let session = store.random().id(NOW, SessionId::new);
    let started = store.start_session(NewSession {
        id: session,
        token_digest: [1; 32],
        account,
        level: Level::L2,
        seconds: 3600,
        replaces: None,
    });
    change(store, account, "signed-in", started).await?;
    Ok(Holder { account, session })
}

/// Seals a change in the account's own chain.
async fn change(
    store: &Store,
    account: AccountId,
    about: &str,
    effect: Effect,
) -> Result<(), Box<dyn Error>> {
    let mut shared = Shared::new(EntryType::Change, 0, vec![1]);
    shared.about = Some(about.into());
    let (owner, chain, act) = (account.chain(), chain_of(account), Act::Change(effect));
    let outcome = store
        .seal(Seal {
            owner,
            shared,
            chain,
            act,
        })
        .await?;
    assert!(matches!(outcome, Outcome::Sealed(_)));
    Ok(())
}

fn chain_of(account: AccountId) -> Chain {
    Chain {
        owner: [0; 16],
        sequence: 0,
        previous: Hash::ZERO,
        reasons: vec![],
        requester: opening::Requester {
            role: "person".into(),
            id: account.bytes().to_vec(),
            level: 2,
        },
        detail: BTreeMap::new(),
    }
}

async fn measure(name: &str, store: Store, times: u64, people: u64) -> Result<(), Box<dyn Error>> {
    let by = sign_in(&store).await?;
    let owners: Arc<[SubjectId]> = (0..people)
        .map(|_| store.random().id(NOW, SubjectId::new))
        .collect();
    // Everybody's chain, and key of the year, exists before it is measured.
    for some in owners.chunks(256) {
        for made in join_all(some.iter().map(|owner| store.ensure_chain(*owner))).await {
            made?;
        }
        join_all(some.iter().map(|owner| look_up(&store, *owner, by))).await;
    }
    for at_once in [1, 16, 64, 256] {
        let started = Instant::now();
        // Alone each waits for two syncs: fewer say as much.
        let fewer = if at_once == 1 { 20 } else { 1 };
        let each = (times / at_once / fewer).max(1);
        let workers = (0..at_once).map(|worker| {
            let (store, owners) = (store.clone(), Arc::clone(&owners));
            tokio::spawn(async move {
                for n in 0..each {
                    look_up(&store, owners[((worker * each + n) % people) as usize], by).await;
                }
            })
        });
        for done in join_all(workers).await {
            done?;
        }
        let seconds = started.elapsed().as_secs_f64();
        let done = (each * at_once) as f64;
        let (rate, time) = (done / seconds, seconds * 1e6 / done);
        println!("{name:10} {at_once:4} at once {rate:9.0} look-ups/s {time:9.1} µs each");
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let number = |at| std::env::args().nth(at).and_then(|n| n.parse().ok());
    let (times, people) = (number(1).unwrap_or(20_000), number(2).unwrap_or(1000));
    let (folder, (_data, data), (_keys, keys)) = (tempfile::tempdir()?, sqlite().await, sqlite().await);
    measure("SQLite", open(folder.path(), data, keys).await?, times, people).await?;
    let (folder, data, keys) = (tempfile::tempdir()?, postgres().await, postgres().await);
    let store = open(folder.path(), data.config.clone(), keys.config.clone()).await?;
    measure("PostgreSQL", store, times, people).await?;
    data.remove().await;
    keys.remove().await;
    Ok(())
}
