//! Several sources for one question: who is asked, who stands in for whom, and how that is told.

use std::time::Duration;

use domain::{
    identifiers::Area,
    outcome::Outcome,
    words::{AskedFreshness, Freshness},
};
use serde_json::json as value;
use sources::{Answer, Problem, Question, SourceFile, Sources, Wanted};
use tokio::time::Instant;

use crate::{
    server::{Act, Server, json},
    world::{TRAFFIC, car_answer, car_question, file, sources, text},
};

/// A source of that name at this server; `changes` are lines put in the place of its freshness.
fn source(name: &str, server: &Server, changes: &str) -> SourceFile {
    let text = TRAFFIC
        .replace("test-traffic", name)
        .replace("freshness = \"realtime\"", changes);
    file(&format!("{name}.toml"), &text, server.port())
}

async fn good() -> Server {
    Server::always(json(car_answer())).await
}

/// Answers with an outcome's code and nothing else.
async fn saying(code: u8) -> Server {
    Server::always(json(value!({ "code": code }))).await
}

async fn dead() -> Server {
    Server::always(Act::RawThenClose(Vec::new())).await
}

const REALTIME: &str = "freshness = \"realtime\"";
const DAILY: &str = "freshness = \"daily\"";

fn wanting(freshness: AskedFreshness, region: Option<&str>) -> Question {
    Question {
        wanted: Wanted {
            freshness,
            region: region.map(|digits| Area::parse(digits).unwrap()),
        },
        ..car_question()
    }
}

fn by(answer: &Answer) -> &str {
    answer.provenance.as_ref().map_or("", |p| p.source.as_str())
}

#[tokio::test]
async fn a_staler_source_stands_in_only_where_that_is_accepted() {
    let (dead, daily) = (dead().await, good().await);
    let sources = sources(&[source("daily", &daily, DAILY), source("live", &dead, REALTIME)]);
    let any = sources.ask(wanting(AskedFreshness::Any, None)).await;
    assert_eq!(
        (any.outcome, by(&any), any.staler),
        (Outcome::Found, "daily", true)
    );
    assert_eq!(any.provenance.unwrap().freshness, Freshness::Daily);
    let heard = daily.requests().len();
    let live = sources.ask(wanting(AskedFreshness::Realtime, None)).await;
    assert_eq!((live.outcome, live.staler), (Outcome::Broken, false));
    assert_eq!(daily.requests().len(), heard, "nobody staler was asked");
}

/// Nobody is sent to another entry for what is had here, if not live.
#[tokio::test]
async fn what_is_not_live_is_told_from_what_is_not_covered() {
    let (beijing, elsewhere) = (
        good().await,
        "[[elsewhere]]\nregion = \"11\"\nname = { zh = \"入口\", en = \"Entry\" }\naddress = \"https://bj.example\"\n",
    );
    let regions = "freshness = \"daily\"\nregions = [\"11\"]";
    let mut files = [
        source("daily", &beijing, DAILY),
        source("daily", &beijing, regions),
    ];
    files.iter_mut().for_each(|file| file.text.push_str(elsewhere));
    for (n, file) in files.iter().enumerate() {
        let sources = sources(std::slice::from_ref(file));
        let live = sources.ask(wanting(AskedFreshness::Realtime, Some("11"))).await;
        assert_eq!((live.outcome, live.not_live), (Outcome::NotCovered, true));
        assert_eq!(live.elsewhere, None);
        let any = sources.ask(wanting(AskedFreshness::Any, Some("11"))).await;
        assert_eq!((any.outcome, any.not_live), (Outcome::Found, false));
        // Where no source covers the region either, freshness is not why.
        let other = sources.ask(wanting(AskedFreshness::Realtime, Some("31"))).await;
        assert_eq!((other.outcome, other.not_live), (Outcome::NotCovered, n == 0));
    }
}

#[tokio::test]
async fn the_freshest_and_cheapest_answers_alone() {
    let (dear, cheap, daily) = (good().await, good().await, good().await);
    let sources = sources(&[
        source("a-dear", &dear, "freshness = \"realtime\"\nprice = 50"),
        source("b-cheap", &cheap, "freshness = \"realtime\"\nprice = 5"),
        source("c-daily", &daily, DAILY),
    ]);
    let answer = sources.ask(car_question()).await;
    assert_eq!((by(&answer), answer.staler), ("b-cheap", false));
    assert_eq!((dear.requests().len(), daily.requests().len()), (0, 0));
}

#[tokio::test]
async fn no_record_is_an_answer_and_nobody_else_is_asked() {
    let (first, second) = (saying(1).await, good().await);
    let sources = sources(&[source("a", &first, REALTIME), source("b", &second, REALTIME)]);
    let answer = sources.ask(car_question()).await;
    assert_eq!((answer.outcome, by(&answer)), (Outcome::NotFound, "a"));
    assert!(second.requests().is_empty());
}

#[tokio::test]
async fn who_does_not_cover_it_is_passed_over_and_a_failure_is_told_before_that() {
    let (uncovered, second) = (saying(3).await, good().await);
    let passed = sources(&[source("a", &uncovered, REALTIME), source("b", &second, REALTIME)]);
    assert_eq!(by(&passed.ask(car_question()).await), "b");
    let dead = dead().await;
    for names in [["a", "b"], ["b", "a"]] {
        let files = [
            source(names[0], &uncovered, REALTIME),
            source(names[1], &dead, REALTIME),
        ];
        let answer = sources(&files).ask(car_question()).await;
        assert_eq!(
            answer.outcome,
            Outcome::Broken,
            "whether it is covered is not known"
        );
    }
}

#[tokio::test]
async fn a_plate_goes_to_its_region_and_nowhere_else() {
    let (beijing, guangdong) = (good().await, good().await);
    let elsewhere = "[[elsewhere]]\nregion = \"31\"\nname = { zh = \"上海入口\", en = \"Shanghai's entry\" }\naddress = \"https://sh.example\"\n";
    let mut files = [
        source(
            "beijing",
            &beijing,
            "freshness = \"realtime\"\nregions = [\"京A\"]",
        ),
        source(
            "guangdong",
            &guangdong,
            "freshness = \"realtime\"\nregions = [\"44\"]",
        ),
    ];
    files[0].text.push_str(elsewhere);
    let sources = sources(&files);
    let asking = |plate: &str, region| {
        let mut question = wanting(AskedFreshness::Any, region);
        question.key.insert("plate".into(), text(plate));
        sources.ask(question)
    };
    assert_eq!(by(&asking("京A12345", None).await), "beijing");
    assert_eq!(
        asking("粤B12345", None).await.outcome,
        Outcome::BadAnswer,
        "asked, of another plate"
    );
    assert_eq!((beijing.requests().len(), guangdong.requests().len()), (1, 1));
    let nowhere = asking("沪A12345", None).await;
    assert_eq!(nowhere.outcome, Outcome::NotCovered);
    assert_eq!(nowhere.elsewhere.unwrap().address, "https://sh.example");
    let unnamed = asking("津A12345", None).await;
    assert_eq!((unnamed.outcome, unnamed.elsewhere), (Outcome::NotCovered, None));
    assert_eq!(
        (beijing.requests().len(), guangdong.requests().len()),
        (1, 1),
        "nobody was asked"
    );
    assert_eq!(by(&asking("京A12345", Some("11")).await), "beijing");
    assert_eq!(asking("京A12345", Some("31")).await.outcome, Outcome::NotCovered);
}

#[tokio::test]
async fn who_is_stopped_or_shut_is_not_tried_first() {
    let (ended, next) = (good().await, good().await);
    let mut files = [source("a", &ended, REALTIME), source("b", &next, REALTIME)];
    files[0].text = files[0].text.replace("2036-06-30", "2026-11-21");
    let with_ended = sources(&files);
    assert_eq!(by(&with_ended.ask(car_question()).await), "b");
    assert!(ended.requests().is_empty());
    let alone = sources(&files[..1]).ask(car_question()).await;
    assert_eq!(alone.report.unwrap().problem, Problem::AgreementExpired);

    let dead = dead().await;
    let with_dead = sources(&[source("a", &dead, REALTIME), source("b", &next, REALTIME)]);
    for _ in 0..20 {
        assert_eq!(by(&with_dead.ask(car_question()).await), "b");
    }
    assert_eq!(
        dead.requests().len(),
        10,
        "its breaker opened, and it was left alone"
    );
}

#[tokio::test]
async fn one_that_hangs_leaves_time_for_the_next() {
    let (hangs, daily) = (Server::always(Act::Hang).await, good().await);
    let slow = "freshness = \"realtime\"\nprice = 0";
    let mut files = [source("a", &hangs, slow), source("b", &daily, DAILY)];
    files[0].text = files[0].text.replace("deadline_ms = 400", "deadline_ms = 5000");
    let sources: Sources = sources(&files);
    let question = Question {
        deadline: Instant::now() + Duration::from_millis(900),
        ..car_question()
    };
    let answer = sources.ask(question).await;
    assert_eq!((by(&answer), answer.staler), ("b", true));
}
