//! What lies on the disk: nothing personal in the clear, in any file or table.

use std::fs;

use domain::{identifiers::PersonName, lookup::Person};
use store::engine::{Db, Engine, Sql};

use crate::{acts::*, world::*};

/// How a text may lie somewhere: as it is, in UTF-16, in hexadecimal, in base64 (from any of three offsets).
fn disguises(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut all = vec![
        bytes.to_vec(),
        utf16.clone(),
        hex(bytes).into_bytes(),
        hex(&utf16).into_bytes(),
    ];
    for offset in 0..3 {
        // The characters that do not depend on what stands before and after.
        let whole = &bytes[offset..];
        all.push(base64(&whole[..whole.len() / 3 * 3]).into_bytes());
    }
    all
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks_exact(3) {
        let number = u32::from_be_bytes([0, chunk[0], chunk[1], chunk[2]]);
        for shift in [18, 12, 6, 0] {
            text.push(char::from(LETTERS[(number >> shift) as usize & 63]));
        }
    }
    text
}

/// All bytes of all tables.
async fn dump(db: &Db) -> Vec<u8> {
    let names = match db.engine() {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
        Engine::Postgres => {
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()"
        }
    };
    let mut all = vec![];
    for table in db.query(&Sql::both(names), &[]).await.unwrap() {
        let table = table.text(0, "table.name").unwrap();
        if db.engine() == Engine::Postgres {
            let rows = Sql::both(String::leak(format!(
                "SELECT convert_to(t::text, 'UTF8') FROM {table} t"
            )));
            for row in db.query(&rows, &[]).await.unwrap() {
                all.extend_from_slice(row.blob(0, "table.row").unwrap());
            }
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_personal_lies_in_the_clear() {
    each_world(|world| async move {
        let store = world.open().await;
        let holder = sign_up(&store, 77_112_233).await;
        let name = "欧阳测试丙";
        let person = Person {
            name: PersonName::parse(name).unwrap().value,
            id_number: id_number(4321),
        };
        let subject = store.mention_subject(&person.id_number).await.unwrap();
        let effect = store
            .bind_account(holder.account, subject, &person)
            .await
            .unwrap();
        sealed(store.seal(change(subject, "name-proven", effect)).await);
        let new = store::NewLookup {
            repeat_key: Some([1; 32]),
            request_hash: Some([2; 32]),
            ..new_lookup(&store, holder)
        };
        let lookup = new.lookup;
        sealed(store.seal(begin(subject, new)).await);
        let answer = store
            .encrypt_answer(subject, lookup, "answer-canary-0815".as_bytes())
            .await
            .unwrap();
        let mut release = end_with(subject, holder, lookup, (answer, world.now().plus_seconds(600)));
        release.shared.mapping = Some("shared-canary-4711".into());
        release.chain.reasons = vec!["chain-canary-1234".into()];
        sealed(store.seal(release).await);
        store.drain_outbox_wholly().await.unwrap();
        store.publish_checkpoint().await.unwrap();
        sign_out(&store, holder).await;

        let number = id_number(4321);
        let canaries = [
            name,
            number.expose(),
            "13977112233",
            "answer-canary-0815",
            "shared-canary-4711",
            "chain-canary-1234",
            "own-information",
        ];
        let mut places = vec![
            ("the data".to_owned(), dump(&world.data().await).await),
            ("the keys".to_owned(), dump(&world.keys().await).await),
        ];
        for config in [&world.config.data, &world.config.keys] {
            if let store::engine::DbConfig::Sqlite { path, .. } = config {
                places.extend(files(path.parent().unwrap()));
            }
        }
        places.extend(files(world.folder.path()));
        for (place, bytes) in &places {
            for canary in canaries {
                for disguise in disguises(canary) {
                    let found = bytes.windows(disguise.len()).any(|window| window == disguise);
                    assert!(!found, "{canary} lies in {place}");
                }
            }
        }
        // The search is not blind: what stands in the clear, the log's name, is found.
        let is_named = |bytes: &[u8]| bytes.windows(11).any(|window| window == b"log.example");
        assert!(places.iter().any(|(_, bytes)| is_named(bytes)));
        for disguise in disguises(name) {
            assert!(disguise.len() >= 10, "long enough not to be found by chance");
        }
        check(&store).await;
    })
    .await;
}

fn files(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let mut all = vec![];
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            all.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    all
}
