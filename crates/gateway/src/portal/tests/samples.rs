//! One of each page, with every part that a page can have. Everybody in it is invented.

mod parts;

use askama::Template;
use domain::words::Level;
use sources::Span;

use crate::portal::{
    Page,
    access_log::AccessLogView,
    account::{AccountView, EraseView, ErasedView},
    answer::{AnswerView, FieldView, MissingView, OtherView, PartView, SourceView},
    coverage::{CoverageLine, CoverageView, CoveredKind, Delivered, SourceLine, SpanLine},
    dress::{ProblemView, StepUpView},
    history::{DetailView, LookUpLine, LookUpsView},
    home::HomeView,
    inputs::{Choice, Input},
    kinds::KindCard,
    look_up::{AnswerPage, LookUpView},
    mine::{Group, MineList, MineView, Thing},
    notices::{Block, NoticeView},
    prove::ProveView,
    public::{GenuineView, HelpView, PrivacyView},
    receipt::ReceiptView,
    report::ReportView,
    reviews::{AskView, ReviewLine, ReviewView, ReviewsView},
    sentences::EntryLine,
    sign_in::{CodeView, SignInView},
    strengthen::{ConsentView, PortraitView, StrengthenView},
    turn::TurnView,
    values::{Cell, Shown},
    verify::{VerifyView, WHY},
    vin::{Compared, Found, VinView},
};
use parts::{answer, answer_page, kind, line, notice, question, receipt, report};

const LOOKUP: &str = "01900000-0000-7000-8000-000000000001";

/// Every page by the name of its template.
pub(super) fn pages(p: &Page) -> Vec<(&'static str, String)> {
    let mut pages = vec![];
    let mut add = |name, html: askama::Result<String>| pages.push((name, html.unwrap()));
    let text = || Some("sample".to_owned());
    let card = || kind(vec![]);
    add(
        "home.html",
        HomeView {
            p: p.clone(),
            name: text(),
            kinds: vec![kind(vec![card()]), card()],
        }
        .render(),
    );
    signing_in(p, &mut add);
    let problem = ProblemView {
        p: p.clone(),
        code: "TOO_MANY_REQUESTS".into(),
        lookup: text(),
        trace: text(),
        minutes: Some("3".into()),
    };
    add("problem.html", problem.render());
    for before in [0, 3] {
        let turn = TurnView {
            p: p.clone(),
            what: "sample".into(),
            before,
            seconds: "8".into(),
        };
        add("turn.html", turn.render());
    }
    for (shows_notice, is_report) in [(true, false), (false, true)] {
        add("look_up.html", question(p, shows_notice, is_report).render());
    }
    add("answer.html", answer_page(p).render());
    add("report.html", report(p).render());
    lists(p, &mut add);
    public_pages(p, &mut add);
    pages
}

type Add<'a> = &'a mut dyn FnMut(&'static str, askama::Result<String>);

/// From the phone to the strongest level.
fn signing_in(p: &Page, add: Add<'_>) {
    let text = || Some("sample".to_owned());
    let next = || "/mine".to_owned();
    add(
        "sign_in.html",
        SignInView {
            p: p.clone(),
            next: next(),
            phone: "1".into(),
            error: text(),
        }
        .render(),
    );
    let code = CodeView {
        p: p.clone(),
        next: next(),
        phone: "179****0001".into(),
        error: text(),
        again: true,
    };
    add("sign_in_code.html", code.render());
    let prove = ProveView {
        p: p.clone(),
        next: next(),
        notice: notice(),
        name: String::new(),
        id_number: String::new(),
        name_error: text(),
        number_error: text(),
        result: Some("not-proven".into()),
    };
    add("prove.html", prove.render());
    for level in [Level::L2, Level::L3] {
        let view = StepUpView {
            p: p.clone(),
            level,
            next_step: "/prove".into(),
            name_first: true,
        };
        add("step_up.html", view.render());
    }
    let ways = StrengthenView {
        p: p.clone(),
        next: next(),
        portrait: "/strengthen/portrait".into(),
        closed: "sample".into(),
    };
    add("strengthen.html", ways.render());
    add(
        "portrait_consent.html",
        ConsentView {
            p: p.clone(),
            next: next(),
            notice: notice(),
            consent: notice(),
            hash: "00".repeat(32),
            missing: true,
        }
        .render(),
    );
    let portrait = PortraitView {
        p: p.clone(),
        next: next(),
        consent: "00".repeat(32),
        error: Some("PICTURE_UNUSABLE".into()),
        result: Some("face_below_threshold".into()),
        drawn: Some("/demo/portraits/sample.png".into()),
    };
    add("portrait.html", portrait.render());
}

fn lists(p: &Page, add: Add<'_>) {
    let card = || kind(vec![]);
    let mine = MineView {
        p: p.clone(),
        notices: vec![notice()],
        listed: vec![card()],
        others: vec![card()],
        once: "1".into(),
    };
    add("mine.html", mine.render());
    let thing = || Thing {
        name: "A".into(),
        detail: "B".into(),
        key: vec![("key.a".into(), "A".into())],
    };
    let group = |part, things| Group {
        kind: card(),
        part,
        things,
        notices: vec![notice()],
    };
    let missing = MissingView {
        name: "sample".into(),
        code: "UNAVAILABLE".into(),
    };
    let groups = vec![
        group(PartView::Came(Box::new(answer())), vec![thing(), thing()]),
        group(PartView::Came(Box::new(answer())), vec![]),
        group(PartView::Missing(missing), vec![]),
    ];
    add(
        "mine_list.html",
        MineList {
            p: p.clone(),
            groups,
            others: vec![card()],
            once: "1".into(),
        }
        .render(),
    );
    histories(p, add);
}

/// What was looked up, by me and about me.
fn histories(p: &Page, add: Add<'_>) {
    let look_ups = LookUpsView {
        p: p.clone(),
        rows: vec![line(Some("found"), false), line(None, true)],
        kinds: vec![("sample".into(), "sample".into(), true)],
        outcomes: vec![("answered", true), ("refused", false)],
        from: String::new(),
        to: String::new(),
        with_hidden: true,
        is_search: true,
        older: Some("/look-ups?before=1".into()),
    };
    add("look_ups.html", look_ups.render());
    let detail = |hidden| DetailView {
        p: p.clone(),
        line: line(Some("found"), hidden),
        kind_id: Some("sample".into()),
        purpose: Some("sample".into()),
        basis: Some("contract".into()),
        asked: vec!["a".into()],
        disclosed: if hidden { vec![] } else { vec!["a".into()] },
        source: Some("sample".into()),
        as_of: Some("sample".into()),
        reason: Some("LEVEL_TOO_LOW".into()),
        log_index: 1,
        reviewable: true,
    };
    add("look_up_detail.html", detail(false).render());
    add("look_up_detail.html", detail(true).render());
    add("receipt.html", receipt(p).render());
    let entry = |by_me, class| EntryLine {
        place: "1".into(),
        time: "sample".into(),
        title: "sample".into(),
        who: "sample".into(),
        by_me,
        class,
        details: vec![("a".into(), "b".into())],
    };
    let log = AccessLogView {
        p: p.clone(),
        entries: vec![
            entry(true, "answered"),
            entry(false, "refused"),
            entry(true, "begun"),
            entry(true, "changed"),
        ],
        of_account: false,
        proven: true,
        older: Some("/access-log?before=1".into()),
    };
    add("access_log.html", log.render());
    reviews(p, add);
}

/// Record reviews.
fn reviews(p: &Page, add: Add<'_>) {
    let line = |state, result| ReviewLine {
        id: LOOKUP.into(),
        number: "FH-0000-0000-0001".into(),
        kind: "sample".into(),
        state,
        result,
        due: "1".into(),
    };
    for rows in [
        vec![],
        vec![line("submitted", None), line("closed", Some("upheld"))],
    ] {
        add("reviews.html", ReviewsView { p: p.clone(), rows }.render());
    }
    for error in [None, Some("REVIEW_TEXT"), Some("EVIDENCE_UNUSABLE")] {
        let ask = AskView {
            p: p.clone(),
            lookup: LOOKUP.into(),
            kind: "sample".into(),
            outcome: "not_filed_yet".into(),
            source: "sample".into(),
            due: "1".into(),
            estimated: true,
            once: "1".into(),
            text: "<&\"".into(),
            error: error.map(str::to_owned),
        };
        add("review_new.html", ask.render());
    }
    for (state, result, repeated) in [
        ("received", None, None),
        ("answered", Some("corrected"), None),
        ("closed", Some("corrected"), Some(answer())),
    ] {
        let one = ReviewView {
            p: p.clone(),
            line: line(state, result),
            next: "a".into(),
            again: result.map(|_| "sample".into()),
            lookup: LOOKUP.into(),
            source: "sample".into(),
            source_number: Some("1".into()),
            estimated: true,
            text: "a\nb".into(),
            pictures: vec![1, 2],
            said: Some("a".into()),
            steps: vec![("submitted", "1".into())],
            repeated,
            repeated_lookup: None,
            may_reveal: false,
            once: String::new(),
            key: vec![],
        };
        add("review.html", one.render());
    }
}

/// A VIN by itself, and compared with a record's.
fn vin_pages(p: &Page, add: Add<'_>) {
    for compared in [
        None,
        Some(Compared::Same),
        Some(Compared::Differs(vec![1, 17])),
        Some(Compared::Differs(vec![])),
    ] {
        let vin = VinView {
            p: p.clone(),
            typed: "<b>".into(),
            error: compared.is_none().then(|| "<b>".into()),
            record: if compared.is_some() {
                "<b>".into()
            } else {
                String::new()
            },
            found: Some(Found {
                number: "<b>".into(),
                facts: vec![("<b>".into(), "<b>".into())],
                warnings: vec!["<b>".into()],
                compared,
            }),
        };
        add("vin.html", vin.render());
    }
}

/// The page of coverage; its sources.
fn coverage_page(p: &Page, add: Add<'_>) -> Vec<SourceLine> {
    let span = |span: Span| SpanLine {
        span: span.code(),
        success: (span != Span::Day).then(|| "1".into()),
        ages: match span {
            Span::Month => vec!["a".into(), "b".into()],
            _ => vec![],
        },
        tells_no_age: span == Span::Week,
    };
    let delivered = |state| Delivered {
        state,
        freshness: "daily",
        drifting: true,
        spans: match state {
            "expired" => vec![],
            _ => Span::ALL.map(span).into(),
        },
    };
    let source = |agreement| SourceLine {
        name: "sample".into(),
        licence: Some(("1".into(), "2".into())),
        state: "paused",
        agreement,
        kinds: vec!["a".into(), "b".into()],
    };
    let sources = || vec![source(Some(("1".into(), "2".into()))), source(None)];
    let covered = |lines| CoveredKind {
        id: "sample".into(),
        name: "sample".into(),
        about: "sample".into(),
        level: "sample".into(),
        statement: Some("sample".into()),
        lines,
        elsewhere: vec![
            ("a".into(), "b".into(), None),
            ("a".into(), "b".into(), Some("https://sample.invalid".into())),
        ],
    };
    let way = |state| CoverageLine {
        source: "sample".into(),
        regions: "a".into(),
        features: "a".into(),
        delivered: delivered(state),
    };
    let states = ["asked", "paused", "expired"];
    let kinds = vec![covered(states.map(way).into()), covered(vec![])];
    add(
        "coverage.html",
        CoverageView {
            p: p.clone(),
            kinds,
            sources: sources(),
        }
        .render(),
    );
    sources()
}

fn public_pages(p: &Page, add: Add<'_>) {
    let keys = || vec!["sample.invalid+00000000+AA==".to_owned()];
    let verify = VerifyView {
        p: p.clone(),
        key: "sample".into(),
        keys: keys(),
        codes: WHY,
    };
    add("verify.html", verify.render());
    let sources = coverage_page(p, add);
    for news_sms in [None, Some("a".to_owned())] {
        let genuine = GenuineView {
            p: p.clone(),
            code_sms: "a".into(),
            news_sms,
            public_url: "https://sample.invalid".into(),
            keys: keys(),
        };
        add("genuine.html", genuine.render());
    }
    vin_pages(p, add);
    add("help.html", HelpView { p: p.clone() }.render());
    let retention = vec![("sample".into(), "10".into(), "3".into())];
    add(
        "privacy.html",
        PrivacyView {
            p: p.clone(),
            sources,
            retention,
        }
        .render(),
    );
    accounts(p, add);
}

/// The account, and the demo.
fn accounts(p: &Page, add: Add<'_>) {
    for level in [Level::L1, Level::L2, Level::L3] {
        let view = AccountView {
            p: p.clone(),
            phone: "1".into(),
            name: Some("a".into()),
            level,
        };
        add("account.html", view.render());
    }
    add(
        "erase.html",
        EraseView {
            p: p.clone(),
            unconfirmed: true,
        }
        .render(),
    );
    add("erased.html", ErasedView { p: p.clone() }.render());
    #[cfg(feature = "demo")]
    demo(p, add);
}

#[cfg(feature = "demo")]
fn demo(p: &Page, add: Add<'_>) {
    use crate::portal::demo::{DemoView, MessageLine, OutboxView, PersonaLine};
    let persona = |phone: Option<&str>| PersonaLine {
        id: "sample".into(),
        name: "样例".into(),
        id_number: "1".into(),
        phone: phone.map(str::to_owned),
        about: "sample".into(),
    };
    add(
        "demo.html",
        DemoView {
            p: p.clone(),
            personas: vec![persona(Some("1")), persona(None)],
            authorities: "http://sample.invalid".into(),
        }
        .render(),
    );
    let message = MessageLine {
        phone: "1".into(),
        text: "a".into(),
        code: Some("1234 5678".into()),
        time: "b".into(),
    };
    add(
        "outbox.html",
        OutboxView {
            p: p.clone(),
            messages: vec![message],
        }
        .render(),
    );
    add(
        "outbox.html",
        OutboxView {
            p: p.clone(),
            messages: vec![],
        }
        .render(),
    );
}
