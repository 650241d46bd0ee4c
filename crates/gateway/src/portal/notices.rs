//! A notice as a page shows it: the summary first, the whole text behind it.

use domain::{kind::LoadedKind, purpose::ACCOUNT_PROOFING};

use super::Page;
use crate::{actions::prove_real_name::IDENTITY, app::App, error::Error};

/// One block of a notice.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// A paragraph.
    Paragraph(String),
    /// A list; each item with its label, where it has one.
    List(Vec<(String, String)>),
}

/// A notice, ready for a page.
#[derive(Debug)]
pub(super) struct NoticeView {
    /// What it is about, its first heading.
    pub(super) title: String,
    /// Its first paragraph, which says the main thing.
    pub(super) summary: String,
    /// The rest.
    pub(super) blocks: Vec<Block>,
}

/// The notice that is sealed with every proof of who one is.
pub(super) fn of_proofing(app: &App, page: &Page) -> Result<NoticeView, Error> {
    let kind = app.kinds.get(IDENTITY).ok_or(Error::NotFound)?;
    notice(app, page, kind, ACCOUNT_PROOFING)
}

/// The notice of a kind for a purpose.
pub(super) fn notice(app: &App, page: &Page, kind: &LoadedKind, purpose: &str) -> Result<NoticeView, Error> {
    let shown = app
        .notice(kind, purpose, page.lang)
        .ok_or_else(|| Error::Internal(format!("{} has no notice for its purpose", kind.kind.id)))?;
    Ok(NoticeView::read(&shown.text))
}

impl NoticeView {
    /// Reads headings, paragraphs and lists; nothing else stands in a notice.
    pub(super) fn read(text: &str) -> Self {
        let mut view = NoticeView {
            title: String::new(),
            summary: String::new(),
            blocks: vec![],
        };
        for block in text.split("\n\n").map(str::trim).filter(|b| !b.is_empty()) {
            if let Some(heading) = block.strip_prefix('#') {
                view.title = heading.trim_start_matches('#').trim().to_owned();
            } else if block.starts_with("- ") {
                view.blocks.push(Block::List(block.lines().map(item).collect()));
            } else if view.summary.is_empty() {
                view.summary = block.replace('\n', " ");
            } else {
                view.blocks.push(Block::Paragraph(block.replace('\n', " ")));
            }
        }
        view
    }
}

/// `- label: text`, in either language's colon; a label is short.
fn item(line: &str) -> (String, String) {
    let line = line.trim_start_matches("- ").trim();
    let cut = line.find(['：', ':']).filter(|at| *at <= 60);
    match cut {
        Some(at) => {
            let rest = line[at..].trim_start_matches(['：', ':']).trim();
            (line[..at].to_owned(), rest.to_owned())
        }
        None => (String::new(), line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_read_in_blocks() {
        let view = NoticeView::read("# 查之前\n\n您要查。\n\n- 谁来查：明查\n- 怎么查: a: b\n\n每次都记。\n");
        assert_eq!(
            (view.title.as_str(), view.summary.as_str()),
            ("查之前", "您要查。")
        );
        let list = vec![("谁来查".into(), "明查".into()), ("怎么查".into(), "a: b".into())];
        assert_eq!(
            view.blocks,
            [Block::List(list), Block::Paragraph("每次都记。".into())]
        );
    }
}
