//! Prints what each operation costs: `cargo run --release -p crypto --example crypto_speed`.
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::hint::black_box;
use std::time::Instant;

use crypto::envelope::{Context, open_row, seal_row};
use crypto::session::{Identity, Initiator, accept};
use crypto::{DataKey, DirectoryKey, Ed25519Signer, SecretBytes, Sm2Signer, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

fn main() {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    for suite in [Suite::Gm, Suite::Intl] {
        println!("suite {suite}");
        rows(suite, &mut rng);
        messages(suite, &mut rng);
        let directory = DirectoryKey::new(suite, 1, &SecretBytes::new([3; 32]));
        measure("directory digest", 200_000, || {
            black_box(directory.digest("phone", "13900000000"));
        });
        let content = [5; 512];
        measure("hash of 512 bytes", 200_000, || {
            black_box(suite.hash(&[&content]));
        });
    }
    println!("signatures");
    let ed25519 = Ed25519Signer::new(&SecretBytes::new([4; 32]));
    let signature = ed25519.sign(b"message");
    measure("Ed25519 sign", 5_000, || {
        black_box(ed25519.sign(b"message"));
    });
    let verifier = ed25519.verifier();
    measure("Ed25519 verify", 5_000, || {
        assert!(verifier.verify(b"message", &signature))
    });
    let Ok(sm2) = Sm2Signer::new(&SecretBytes::new([4; 32])) else {
        return;
    };
    let signature = sm2.sign(b"message");
    measure("SM2 sign", 2_000, || {
        black_box(sm2.sign(b"message"));
    });
    let verifier = sm2.verifier();
    measure("SM2 verify", 2_000, || {
        assert!(verifier.verify(b"message", &signature))
    });
}

fn rows(suite: Suite, rng: &mut ChaCha20Rng) {
    let key = DataKey::generate(suite, rng);
    let context = Context {
        realm: "production",
        table: "record",
        column: "body",
        subject: [7; 16],
        row: &[8; 16],
        revision: 1,
        key_version: 1,
    };
    for len in [32, 512, 8192] {
        let content = vec![9; len];
        measure(&format!("seal a row of {len}"), 50_000, || {
            drop(black_box(seal_row(&key, &context, &content, rng)));
        });
        let sealed = seal_row(&key, &context, &content, rng);
        measure(&format!("open a row of {len}"), 50_000, || {
            assert!(open_row(&key, &context, black_box(&sealed)).is_ok());
        });
    }
    let bytes = vec![3; suite.key_len()];
    measure("prepare a data key", 50_000, || {
        drop(black_box(DataKey::new(suite, &bytes)))
    });
}

fn messages(suite: Suite, rng: &mut ChaCha20Rng) {
    const NOW: i64 = 1_700_000_000_000_000;
    let (Ok(mingcha), Ok(traffic)) = (
        Identity::generate("mingcha", suite, rng),
        Identity::generate("traffic", suite, rng),
    ) else {
        return;
    };
    let (to, from) = (traffic.peer(), mingcha.peer());
    let handshake = |rng: &mut ChaCha20Rng| {
        let (initiator, hello) = Initiator::start(&mingcha, &to, NOW, rng).ok()?;
        let (server, welcome) = accept(&traffic, &from, &hello, NOW, rng).ok()?;
        Some((initiator.finish(&welcome, NOW).ok()?, server))
    };
    measure("handshake, both sides", 500, || assert!(handshake(rng).is_some()));
    let Some((client, server)) = handshake(rng) else {
        return;
    };
    measure("request and reply of 300 bytes, both sides", 20_000, || {
        let passed = client
            .seal_request([1; 16], "vehicle", NOW, &[7; 300])
            .and_then(|request| {
                let opened = server.open_request(&request.bytes, NOW)?;
                let reply = server.seal_reply(&opened.exchange, NOW, &[8; 300])?;
                client.open_reply(&request.exchange, &reply, NOW)
            });
        assert!(passed.is_ok());
    });
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement is the one thing that needs the clock itself"
)]
fn measure(what: &str, times: u32, mut operation: impl FnMut()) {
    for _ in 0..times / 10 {
        operation();
    }
    let start = Instant::now();
    for _ in 0..times {
        operation();
    }
    println!("  {what}: {} ns", start.elapsed().as_nanos() / u128::from(times));
}
