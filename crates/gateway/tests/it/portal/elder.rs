//! Elder mode: one step a page, the notice first and then the form.

use std::sync::Arc;

use super::browser::Browser;
use crate::{bed::Bed, cast::chen};

on_both!(elder_mode_shows_one_step_a_page);

/// Whether a page has the notice, the form, and the way from the one to the other.
fn steps(page: &str, address: &str) -> [bool; 3] {
    [
        page.contains("<section class=\"notice\">"),
        page.contains(&format!("<form method=\"post\" action=\"{address}\"")),
        page.contains(&format!("href=\"{address}?step=form\"")),
    ]
}

async fn elder_mode_shows_one_step_a_page(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    for address in ["/look-up/vehicle", "/report/vehicle"] {
        let second = format!("{address}?step=form");
        let mut browser = Browser::with_session(&app, &token);
        for path in [address, &second] {
            let page = browser.get(path).await.expect(200).text;
            assert_eq!(steps(&page, address), [true, true, false], "both at once: {page}");
        }
        browser.cookies.insert("mingcha-elder".into(), "1".into());
        let page = browser.get(address).await.expect(200).text;
        assert_eq!(steps(&page, address), [true, false, true], "the notice: {page}");
        let page = browser.get(&second).await.expect(200).text;
        assert_eq!(steps(&page, address), [false, true, false], "the form: {page}");
        // What was typed wrong comes back as the form, not as the notice before it.
        let values = [
            ("once", "1"),
            ("key.plate", "晋N3OT08"),
            ("key.plate_class", "02"),
        ];
        let page = browser.post(address, &values).await.expect(400).text;
        assert_eq!(
            steps(&page, address),
            [false, true, false],
            "the form again: {page}"
        );
    }
}
