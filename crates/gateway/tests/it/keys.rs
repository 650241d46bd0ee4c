//! `mingcha keys rotate` by the program itself: who orders it is sealed, as of an order about a source.

use std::{fs, sync::Arc};

use domain::{
    ids::DEPLOYMENT,
    time::{ManualClock, Timestamp},
};
use gateway::{
    config::Config,
    messenger::{Messenger, Outbox},
    start::{self, World},
};
use store::Random;

use crate::deployment::Deployment;

impl Deployment {
    fn keys(&self) -> String {
        fs::read_to_string(self.at("root-keys.json")).unwrap()
    }

    /// What the deployment's own chain says last: what happened, and who did it in which role.
    async fn last_change(&self) -> (String, String, Vec<u8>) {
        let world = World {
            clock: Arc::new(ManualClock::new(Timestamp(1_900_000_000_000_000))),
            random: Arc::new(Random::new([7; 32])),
        };
        let config = Config::parse(&self.config, std::iter::empty()).unwrap();
        let root = start::root_keys(&config.keys, "production", None, &world).unwrap();
        let messenger = Messenger::Outbox(Outbox::default());
        let app = start::look(config, root, &[], messenger, &world).await.unwrap();
        let entries = app.store.entries(DEPLOYMENT, None, 1).await.unwrap();
        let entry = entries.into_iter().next().unwrap();
        let by = entry.chain.requester;
        (entry.shared.about.unwrap(), by.role, by.id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_is_sealed_under_its_operators_name() {
    let deployment = Deployment::new();
    deployment.done(&["migrate"]);
    let before = deployment.keys();
    for by in [
        &["--by", "王"][..],
        &["--by", "wang and others"],
        &["--by", ""],
        &[],
    ] {
        let ended = deployment.run(&[&["keys", "rotate"][..], by].concat());
        let why = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && why.contains("--by"), "{by:?}: {why}");
    }
    assert_eq!(deployment.keys(), before, "nobody is named, and nothing is done");
    deployment.done(&["keys", "rotate", "--by", "wang"]);
    assert_ne!(deployment.keys(), before);
    let sealed = (
        "root key 2 wraps from now on".to_owned(),
        "operator".to_owned(),
        b"wang".to_vec(),
    );
    assert_eq!(deployment.last_change().await, sealed);
}
