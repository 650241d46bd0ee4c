//! Reads a source's drop for a check, as the gateway would, onto a shelf in a temporary folder that is removed
//! afterwards: what a running server keeps is not touched.

use std::{
    fs,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use sources::{DropEvent, DropNews, Problem, SourceFile, Sources};

use crate::{app::hex, error::StartError, start::World};

/// The temporary folder of one check.
pub(super) struct Rehearsal(PathBuf);

impl Rehearsal {
    /// Makes the folder, for this process's user alone.
    pub(super) fn begin(world: &World) -> Result<Self, StartError> {
        let (process, random) = (std::process::id(), hex(&world.random.bytes::<8>()));
        let name = format!("mingcha-check-{process}-{random}");
        let folder = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Rehearsal(folder))
    }

    /// The same source with its rows and their keys in this folder. The file was found sound before.
    pub(super) fn moved(&self, file: &SourceFile) -> Result<SourceFile, StartError> {
        moved(file, &self.0)
    }
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The same source with its rows and their keys below a folder. The file was found sound before.
///
/// # Errors
/// It was not.
pub(in crate::commands) fn moved(file: &SourceFile, to: &Path) -> Result<SourceFile, StartError> {
    let wrong = |problem: String| StartError(format!("{}: {problem}", file.name));
    let mut table: toml::Table = file
        .text
        .parse()
        .map_err(|e: toml::de::Error| wrong(e.message().to_owned()))?;
    if let Some(drops) = table.get_mut("drops").and_then(toml::Value::as_table_mut) {
        for folder in ["store", "keys"] {
            let path = to.join(folder).display().to_string();
            drops.insert(folder.to_owned(), path.into());
        }
    }
    Ok(SourceFile {
        name: file.name.clone(),
        text: toml::to_string(&table).map_err(|e| wrong(e.to_string()))?,
    })
}

/// Reads the newest drop of a source, and writes what became of it; whether all is well.
pub(in crate::commands) fn read_drop(sources: &Sources, source: &str, out: &mut String) -> bool {
    let news = sources.refresh(source, &|_| {});
    let mut sound = true;
    for news in &news {
        sound &= tell(news, out);
    }
    if news.is_empty() {
        let remedy = Problem::NoDrop.remedy();
        out.push_str(&format!(
            "WRONG {source}: no file whose name fits `name`, with its checksum beside it. {remedy}\n"
        ));
        sound = false;
    }
    sound
}

/// Writes what became of one drop: counts, lines and names of fields, never a value.
fn tell(news: &DropNews, out: &mut String) -> bool {
    let at = match news.file.as_str() {
        "" => format!("{}: its folder", news.source),
        file => format!("{}: {file}", news.source),
    };
    match &news.event {
        DropEvent::Serving {
            as_of,
            rows,
            left_out,
            told,
            repeated,
        } => {
            let day = as_of.date_in_china();
            out.push_str(&format!("ok    {at}: {rows} rows as of {day}\n"));
            if *left_out > 0 {
                out.push_str(&format!(
                    "note  {at}: {left_out} rows cannot be read and are left out\n"
                ));
            }
            for row in told {
                out.push_str(&format!("note  {at}: {row}: {}\n", row.problem.code()));
            }
            if *repeated > 0 {
                out.push_str(&format!(
                    "note  {at}: {repeated} keys have several rows, which are ambiguous without `several = true`\n"
                ));
            }
            true
        }
        DropEvent::Refused { problem, rows } => {
            out.push_str(&format!("WRONG {at}: {}. {}\n", problem.code(), problem.remedy()));
            for row in rows {
                let problem = row.problem;
                out.push_str(&format!(
                    "WRONG {at}: {row}: {}. {}\n",
                    problem.code(),
                    problem.remedy()
                ));
            }
            false
        }
        DropEvent::Quarantined(held) => {
            let (problem, lacking) = (held.problem(), held.lacking.join(", "));
            out.push_str(&format!(
                "WRONG {at}: {} {lacking}. {}\n",
                problem.code(),
                problem.remedy()
            ));
            false
        }
        DropEvent::Remapped { .. } | DropEvent::Overdue { .. } => true,
    }
}
