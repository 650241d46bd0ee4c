//! What the sample pages have in common: a notice, a question, answers, a receipt.

use super::*;

pub(super) fn kind(parts: Vec<KindCard>) -> KindCard {
    KindCard {
        id: "sample".into(),
        name: "sample".into(),
        about: "sample".into(),
        level: Level::L2,
        parts,
    }
}

pub(super) fn notice() -> NoticeView {
    let list = Block::List(vec![("a".into(), "b".into())]);
    let blocks = vec![Block::Paragraph("sample".into()), list];
    NoticeView {
        title: "sample".into(),
        summary: "sample".into(),
        blocks,
    }
}

pub(super) fn question(p: &Page, shows_notice: bool, is_report: bool) -> LookUpView {
    let input = |options, error| Input {
        name: "key.sample".into(),
        label: "sample".into(),
        hint: Some("sample".into()),
        value: "<&\"".into(),
        error,
        optional: true,
        options,
        html_type: "text",
    };
    let choice = Choice {
        code: "1".into(),
        name: "sample".into(),
        chosen: true,
    };
    LookUpView {
        p: p.clone(),
        kind: kind(vec![kind(vec![])]),
        action: "/look-up/sample".into(),
        is_report,
        notices: vec![notice()],
        inputs: vec![input(vec![], Some("sample".into())), input(vec![choice], None)],
        mode: "read",
        rules: vec![("sample-rule".into(), "sample".into())],
        purpose: "sample".into(),
        sources: vec!["a".into(), "b".into()],
        mark: Some("sample".into()),
        once: "1".into(),
        shows_notice,
        shows_form: !shows_notice,
    }
}

pub(super) fn answer() -> AnswerView {
    let cell = |text: &str, picture: Option<&str>| Cell {
        head: "sample".into(),
        text: text.into(),
        is_amount: text == "1",
        picture: picture.map(str::to_owned),
    };
    let source = || SourceView {
        staler: true,
        name: "sample".into(),
        as_of: Some("sample".into()),
        freshness: "weekly".into(),
    };
    let others = || {
        vec![OtherView {
            value: Shown::Number("2".into()),
            from: Some(source()),
        }]
    };
    let field = |value, masked, revealable| FieldView {
        id: "sample".into(),
        name: "sample".into(),
        value,
        masked,
        revealable,
        note: Some("sample".into()),
        from: Some(source()),
        disagrees: masked,
        others: if revealable { others() } else { vec![] },
    };
    let wide = (0..8).map(|_| cell("", None)).collect();
    AnswerView {
        kind: "sample".into(),
        name: "sample".into(),
        lookup: LOOKUP.into(),
        outcome: "found".into(),
        next: "found",
        found: true,
        failed: false,
        fields: vec![
            field(Shown::Text("<b>".into()), true, true),
            field(Shown::Number("1".into()), true, false),
            field(Shown::Words(vec!["a".into()]), false, false),
            field(
                Shown::Rows(vec![vec![cell("1", None), cell("", Some("handle"))]]),
                false,
                false,
            ),
            field(Shown::Rows(vec![wide]), false, false),
            field(Shown::Picture("handle".into()), false, false),
            field(Shown::Nothing, false, false),
        ],
        withheld: vec!["sample".into()],
        elsewhere: Some(("sample".into(), "https://sample.invalid".into())),
        source: Some(source()),
        not_compared: vec!["a".into(), "b".into()],
        sealed: "sample".into(),
        statement: Some("sample".into()),
        mark: Some("sample".into()),
        revealed: vec!["other".into()],
        reviewable: true,
        own_entries: vec![("a".into(), "b".into())],
    }
}

pub(super) fn answer_page(p: &Page) -> AnswerPage {
    let key = vec![("key.sample".into(), "<&\"".into())];
    AnswerPage {
        p: p.clone(),
        answer: answer(),
        key,
        once: "1".into(),
        may_reveal: true,
    }
}

pub(super) fn report(p: &Page) -> ReportView {
    let mut failed = answer();
    (failed.found, failed.failed, failed.fields) = (false, true, vec![]);
    let missing = MissingView {
        name: "sample".into(),
        code: "NOT_PERMITTED".into(),
    };
    let came = |answer| PartView::Came(Box::new(answer));
    ReportView {
        p: p.clone(),
        name: "sample".into(),
        key: vec![],
        about: "sample".into(),
        parts: vec![came(answer()), came(failed), PartView::Missing(missing)],
        once: "1".into(),
        may_reveal: false,
    }
}

pub(super) fn line(outcome: Option<&str>, hidden: bool) -> LookUpLine {
    LookUpLine {
        lookup: LOOKUP.into(),
        time: "sample".into(),
        kind: "sample".into(),
        class: "answered",
        outcome: outcome.map(str::to_owned),
        hidden,
    }
}

pub(super) fn receipt(p: &Page) -> ReceiptView {
    ReceiptView {
        p: p.clone(),
        lookup: LOOKUP.into(),
        kind: "sample".into(),
        mark: Some("sample".into()),
        outcome: Some("found".into()),
        time: "sample".into(),
        purpose: Some("sample".into()),
        source: Some("sample".into()),
        as_of: Some("sample".into()),
        disclosed: vec!["a".into(), "b".into()],
        origin: "sample.invalid".into(),
        log_index: 1,
        leaf_hash: "00".repeat(32),
        keys: vec!["sample.invalid+00000000+AA==".into()],
        address: "https://sample.invalid".into(),
        code: Some("<svg></svg>".into()),
    }
}
