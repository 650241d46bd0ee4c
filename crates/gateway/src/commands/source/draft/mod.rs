//! `mingcha source draft FILE.csv`: from a file of records, a first draft of all that is needed to look them up: a
//! kind, a source, a drop and a test subject. What it guessed it says, to be mended by hand.

mod write;

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use crypto::{Suite, suite::Hasher};
use sources::{Draft, draft};

use crate::{app::hex, commands::Outcome, error::StartError, start::World};
use write::{Part, Words};

/// How much of the file is copied at a time.
const PIECE: usize = 1 << 16;

/// From what, and where to.
#[derive(Debug, Args)]
pub struct DraftArgs {
    /// The records: CSV with a header, in UTF-8, GBK or GB18030; `.gz` is unpacked.
    pub file: PathBuf,
    /// The id of the new kind, and of its source: lower-case words joined by hyphens.
    #[arg(long, value_name = "ID")]
    pub kind: String,
    /// What people call such a record.
    #[arg(long, value_name = "WORDS")]
    pub name: Option<String>,
    /// The folder to write into.
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
}

/// Writes the draft and tells what was guessed.
///
/// # Errors
/// The file cannot be read as CSV, has no column of identity numbers, or there is such a kind in the folder.
pub fn run(args: &DraftArgs, world: &World) -> Outcome {
    say!("{}", make(args, world)?.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the draft; what to tell.
///
/// # Errors
/// As for [`run`].
pub fn make(args: &DraftArgs, world: &World) -> Result<String, StartError> {
    let today = world.clock.now().date_in_china();
    let file = args.file.display();
    let draft = draft(&args.file, today).map_err(|e| {
        let (problem, remedy) = (e.problem.code(), e.problem.remedy());
        StartError(format!("{file}:{}: {problem}. {remedy}", e.line))
    })?;
    let owner = draft.owner.ok_or_else(|| {
        StartError(format!(
            "{file}: no column holds identity numbers, so that nobody could be shown whose a row is; of each column at \
             least 98 in 100 cells must be of one type"
        ))
    })?;
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if args.kind.len() > 48 || !args.kind.split('-').all(is_word) {
        return Err(StartError(
            "--kind: lower-case words joined by hyphens, such as member-hours".into(),
        ));
    }
    let into = std::path::absolute(&args.into)?;
    let kind = into.join("kinds").join(&args.kind);
    if kind.exists() {
        return Err(StartError(format!(
            "{}: is there already; take another --kind or --into",
            kind.display()
        )));
    }
    let name = args.name.clone().unwrap_or_else(|| args.kind.clone());
    let words = Words {
        id: &args.kind,
        name: &name,
        into: &into,
        packed: is_packed(&args.file),
    };
    let parts = write::parts(&draft, owner);
    for (path, text) in write::files(&words, &draft, owner, &parts) {
        let path = into.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&into))?;
        fs::write(&path, text)?;
    }
    let day = today.strftime("%Y%m%d");
    let drop = format!("{}-{day}{}", args.kind, words.ending());
    drop_file(&args.file, &into.join("drops"), &drop)?;
    Ok(told(&words, &draft, &parts, &drop))
}

fn is_packed(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "gz")
}

/// Copies the file under a dated name, and writes its checksum last, as a record holder does.
fn drop_file(from: &Path, folder: &Path, name: &str) -> Result<(), StartError> {
    fs::create_dir_all(folder)?;
    let (mut from, mut to) = (File::open(from)?, File::create(folder.join(name))?);
    let (mut hasher, mut piece) = (Hasher::new(Suite::Intl), vec![0; PIECE]);
    loop {
        let read = from.read(&mut piece)?;
        if read == 0 {
            break;
        }
        hasher.update(&piece[..read]);
        to.write_all(&piece[..read])?;
    }
    let line = format!("{}  {name}\n", hex(&hasher.finish()));
    fs::write(folder.join(format!("{name}.sha256")), line)?;
    Ok(())
}

/// Which columns take no other words than those of today.
fn closed_lists(draft: &Draft, parts: &[Part<'_>]) -> String {
    let pairs = draft.columns.iter().zip(parts);
    let closed = pairs.filter(|(column, part)| !column.codes.is_empty() && part.left_out.is_none());
    let closed: Vec<String> = closed
        .map(|(column, part)| format!("{} ({})", column.name, part.id))
        .collect();
    if closed.is_empty() {
        return String::new();
    }
    format!(
        "\nClosed lists: {}. Any other word there refuses the whole file, beyond the {} rows of max_bad_rows. Where \
         another may come, make it text: docs/own-records.md says in which places.\n",
        closed.join(", "),
        draft.wrong
    )
}

fn told(words: &Words<'_>, draft: &Draft, parts: &[Part<'_>], drop: &str) -> String {
    let mut text = format!(
        "{} rows in {}, cells between {:?}\n\n",
        draft.rows, draft.charset, draft.delimiter
    );
    for (column, part) in draft.columns.iter().zip(parts) {
        let format = column
            .format
            .map(|format| format!(" written {format}"))
            .unwrap_or_default();
        let codes = if column.codes.is_empty() {
            String::new()
        } else {
            format!(": {}", column.codes.join(", "))
        };
        let empty = if column.is_optional {
            ", sometimes empty"
        } else {
            ""
        };
        let used = part
            .left_out
            .map_or_else(String::new, |why| format!(", left out: {why}"));
        text.push_str(&format!(
            "  {} → {}: {}{format}{codes}{empty}{used}\n",
            column.name, part.id, column.of_type
        ));
    }
    text.push_str(&closed_lists(draft, parts));
    if draft.is_repeated {
        text.push_str("\nThe same person stands in several rows: they make one record, with a list.\n");
    }
    if draft.wrong > 0 {
        text.push_str(&format!(
            "\n{} rows do not fit, and max_bad_rows lets them be left out:\n",
            draft.wrong
        ));
        for row in &draft.told {
            text.push_str(&format!("  {row}: {}\n", row.problem.code()));
        }
    }
    let (id, into) = (words.id, words.into.display());
    text.push_str(&format!(
        "\nWritten below {into}: kinds/{id}, sources/{id}.toml, tests.toml, drops/{drop} and its checksum. Next:\n\n  \
         mingcha kind check {into}/kinds/{id}\n  \
         mingcha source check {into}/sources/{id}.toml --kinds {into}/kinds --demo --ask {into}/tests.toml\n  \
         mingcha demo --source {into}/sources/{id}.toml --kinds {into}/kinds --subjects {into}/tests.toml\n"
    ));
    text
}
