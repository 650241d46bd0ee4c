//! docs/api.md, followed as somebody who writes a client would, and each answer held against the one that it shows.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::{
    cast::{chen, gulbahar},
    guide::{Follower, blocks, lines, lines_of},
};

const GUIDE: &str = include_str!("../../../../docs/api.md");
/// The answer to whoever has to wait.
const WAITS: &str = "HTTP/1.1 202";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_of_the_api_is_true() {
    let folder = tempfile::tempdir().unwrap();
    // One question at once: somebody has to wait, as the guide shows it.
    let mut follower = Follower::new(folder.path(), &["--in-work", "1"]);
    let (mut shown, mut printed, mut before) = (0, 0, None);
    let blocks = blocks(GUIDE);
    for (at, (language, block)) in blocks.iter().enumerate() {
        match *language {
            "sh" => {
                let waits = blocks.get(at + 1).is_some_and(|next| next.1.starts_with(WAITS));
                if waits && block.contains("/v1/lookups ") {
                    before = Some(takes_the_only_place(&follower, block).await);
                }
                for line in lines(block) {
                    follower.follow(&line).await;
                }
            }
            "http" => {
                shown += 1;
                follower.came(block);
            }
            "text" => {
                printed += 1;
                assert!(
                    follower.printed.contains(block.trim()),
                    "{block}: {}",
                    follower.printed
                );
            }
            other => panic!("nobody follows {other}"),
        }
    }
    assert_eq!(follower.counted, [1, 3, 18, 2], "what the guide has");
    assert_eq!((shown, printed), (18, 3), "each answer is shown");
    let other = before.unwrap().await.unwrap().reply.unwrap();
    assert_eq!(other.json["outcome"], "found", "{}", other.text);
}

/// Somebody else asks the same question, whose source takes a while. Done when it was asked.
async fn takes_the_only_place(follower: &Follower, question: &str) -> JoinHandle<Follower> {
    let (one, other) = (chen(), gulbahar());
    let phones = [one, other].map(|who| who.phone.as_deref().unwrap());
    let mut somebody = follower.beside();
    let signing_in = ["/v1/account/codes", "/v1/account/sessions", "/v1/account/proof"];
    let lines_to_sign_in = lines_of(GUIDE, "sh").into_iter().filter(|line| {
        let is_post = line.contains(" -d ");
        is_post && signing_in.iter().any(|path| line.contains(path))
    });
    for line in lines_to_sign_in {
        let line = line.replace(phones[0], phones[1]).replace(&one.name, &other.name);
        somebody
            .follow(&line.replace(&one.id_number, &other.id_number))
            .await;
    }
    let authorities = follower.authorities().to_owned();
    let journal = format!("curl {authorities}/_journal");
    let mut watcher = follower.beside();
    let before = asked(&mut watcher, &journal).await;
    let slow = r#"{"path": "traffic/licence/query", "delay_ms": 1500, "times": 1}"#;
    let switch = format!("curl {authorities}/_switch -H 'content-type: application/json' -d '{slow}'");
    watcher.follow(&switch).await;
    let question = lines(question).remove(0);
    let held = tokio::spawn(async move {
        somebody.follow(&question).await;
        somebody
    });
    for _ in 0..250 {
        if asked(&mut watcher, &journal).await > before {
            return held;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody asked the source");
}

/// How often the authorities were asked.
async fn asked(watcher: &mut Follower, journal: &str) -> usize {
    watcher.follow(journal).await;
    let reply = watcher.reply.as_ref().unwrap();
    reply.json.as_array().unwrap().len()
}
