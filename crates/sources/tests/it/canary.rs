//! Nothing personal is in a trace, a metric or a `Debug` text, whatever the source does (invariant 5).

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use sources::ImageQuestion;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    drops::{Bed, TODAY, YESTERDAY, gbk, line, refresh},
    front::{BOTH, Engine, about, files, row},
    images::image_question,
    reviews::{review, with_reviews},
    server::{Act, Server, http, json},
    world::{IMAGES, TRAFFIC, car_answer, car_question, file, list_question, number, sources},
};

/// Keeps everything that is traced.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Kept;

    fn make_writer(&'a self) -> Kept {
        self.clone()
    }
}

#[test]
fn traces_and_metrics_carry_ids_of_ours_only() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(kept.clone())
        .finish();
    let recorder = PrometheusBuilder::new().build_recorder();
    let debugged = metrics::with_local_recorder(&recorder, || {
        tracing::subscriber::with_default(subscriber, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(ask_in_every_way())
        })
    });
    let traced = String::from_utf8_lossy(&kept.0.lock().unwrap()).into_owned();
    let measured = recorder.handle().render();
    for (name, written) in [("traces", &traced), ("metrics", &measured), ("debug", &debugged)] {
        for secret in [
            "甲某",
            "京A",
            "12345",
            number(1).expose(),
            number(2).expose(),
            "LSVAA",
            "某牌",
            "某地",
            "颜色",
            "canary",
        ] {
            assert!(!written.contains(secret), "{secret} is in the {name}:\n{written}");
        }
    }
    assert!(traced.contains("09090909-0909-0909-0909-090909090909") && traced.contains("wrong_subject"));
    for line in [
        "mingcha_source_answers_total{source=\"test-traffic\",kind=\"car\",outcome=\"found\"} 1",
        "mingcha_source_problems_total{source=\"test-traffic\",problem=\"wrong_subject\"} 1",
        "mingcha_source_milliseconds_count{source=\"test-traffic\",kind=\"car\"} 8",
        "mingcha_source_images_total{source=\"test-traffic\",outcome=\"bad_answer\"} 2",
        "mingcha_source_problems_total{source=\"test-traffic\",problem=\"not_an_image\"} 1",
        "mingcha_source_answers_total{source=\"test-front\",kind=\"car\",outcome=\"found\"} 2",
        "mingcha_source_problems_total{source=\"test-front\",problem=\"wrong_subject\"} 2",
        "mingcha_source_problems_total{source=\"test-front\",problem=\"statement_refused\"} 2",
        "mingcha_source_answers_total{source=\"test-drops\",kind=\"car\",outcome=\"found\"} 1",
        "mingcha_source_problems_total{source=\"test-drops\",problem=\"drop_row_malformed\"} 1",
    ] {
        assert!(measured.contains(line), "{line} is not in\n{measured}");
    }
}

/// Asks a source that answers rightly and wrongly, with canaries where nothing is expected; returns every `Debug`.
async fn ask_in_every_way() -> String {
    let mut foreign = car_answer();
    foreign["d"]["syr"] = json!(number(2).expose());
    let mut malformed = car_answer();
    malformed["d"]["pp"] = json!({"canary": 1});
    let acts = [
        json(car_answer()),
        json(foreign),
        json(malformed),
        json(json!({"code": "canary"})),
        json("canary"),
        Act::Json("{\"canary\": 1, \"canary\": 2}".into()),
        Act::Raw(http("500 canary", "canary: canary\r\n", b"canary")),
        Act::RawThenClose(b"canary".to_vec()),
    ];
    let mut debugged = String::new();
    for act in acts {
        let server = Server::always(act).await;
        let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
        let question = car_question();
        debugged += &format!("{question:?} {:?}\n", list_question());
        debugged += &format!("{:?}\n", sources.ask(question).await);
    }
    for act in [
        json(json!({"code": 0, "d": {"tp": "Y2FuYXJ5"}})),
        json(json!({"code": "canary"})),
    ] {
        let server = Server::always(act).await;
        let sources = sources(&[file("traffic.toml", &format!("{TRAFFIC}{IMAGES}"), server.port())]);
        let question = ImageQuestion {
            handle: "canary-handle".into(),
            ..image_question(b"canary")
        };
        debugged += &format!("{question:?} {:?}\n", sources.image(&question).await);
    }
    for engine in BOTH {
        debugged += &ask_a_database(engine).await;
    }
    debugged + &ask_drops().await + &hand_in_reviews().await
}

/// A row, somebody else's row, a field that cannot be read, and an error whose text holds the value.
async fn ask_a_database(engine: Engine) -> String {
    let rows = [
        row("京A12345", 1, ""),
        row("京A12346", 2, "loose"),
        row("京A12347", 1, "").replace("'AG'", "'canary'"),
    ];
    engine.table("canary", &rows).await;
    let front = sources(&files("canary", &engine.url(), |text| text));
    let mut debugged = String::new();
    for plate in ["京A12345", "京A12346", "京A12347"] {
        debugged += &format!("{:?}\n", front.ask(about(plate)).await);
    }
    let cast = match engine {
        Engine::Postgres => "= {key.plate}::date::text AND",
        Engine::MariaDb => "= {key.plate} AND canary = {key.plate} AND",
    };
    let refused = sources(&files("canary", &engine.url(), |text| {
        text.replace("= {key.plate} AND", cast)
    }));
    debugged + &format!("{:?}\n", refused.ask(about("京A12345")).await)
}

/// A drop that answers, and one whose rows cannot be read.
async fn ask_drops() -> String {
    let bed = Bed::new();
    let (sources, _) = bed.sources();
    bed.drop(
        YESTERDAY,
        &gbk(&[line("京A12345", "某牌", 1), line("京A12346", "某牌", 2)]),
    );
    let mut debugged = format!("{:?}\n", refresh(&sources));
    for plate in ["京A12345", "京A12346"] {
        debugged += &format!("{:?}\n", sources.ask(about(plate)).await);
    }
    let malformed = line("京A12345", "某牌", 1).replace("小型汽车", "canary");
    bed.drop(TODAY, &gbk(&[malformed]));
    debugged + &format!("{:?}\n", refresh(&sources))
}

async fn hand_in_reviews() -> String {
    let mut debugged = format!("{:?}\n", review());
    for act in [
        json(json!({ "code": 0, "d": { "slh": 4711 } })),
        json(json!({ "code": 0, "d": { "slh": "<canary>" } })),
        json(json!({ "code": "canary" })),
        json(json!({ "d": { "zt": "canary", "bh": "canary" } })),
        Act::Raw(http("500 canary", "canary: canary\r\n", b"canary")),
    ] {
        let server = Server::always(act).await;
        let sources = with_reviews(server.port());
        debugged += &format!("{:?}\n", sources.submit(&review()).await);
        debugged += &format!("{:?}\n", sources.review_status(&review()).await);
    }
    debugged
}
