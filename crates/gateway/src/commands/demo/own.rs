//! Records of whoever rehearses: kinds and sources of their own beside the simulated ones, and their test subjects, who
//! can sign in like a persona.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use sandbox::Persona;
use sources::{Realm, SourceFile, Sources};

use crate::{
    app::App,
    commands::source::{ask, rehearsal},
    error::StartError,
    start::{World, kinds},
};

/// What is one's own.
#[derive(Debug, Args)]
pub(super) struct OwnArgs {
    /// Ask this source too. It is on this machine, and needs neither agreement nor signature; its rows are kept in the
    /// demo's folder.
    #[arg(long = "source", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A folder of further record kinds.
    #[arg(long, value_name = "DIR")]
    pub(super) kinds: Option<PathBuf>,
    /// Let the test subjects of this file sign in: the simulated population register and carrier know them.
    #[arg(long, value_name = "TESTS")]
    subjects: Option<PathBuf>,
}

/// What was read of it.
pub(super) struct Own {
    pub(super) files: Vec<SourceFile>,
    pub(super) guests: Vec<Persona>,
    ids: Vec<String>,
}

impl Own {
    /// Reads and checks all of it; rows of drops and their keys will lie below `folder`.
    ///
    /// # Errors
    /// What is wrong, with file and line.
    pub(super) fn read(args: &OwnArgs, folder: &Path, world: &World) -> Result<Self, StartError> {
        let read = |path: &PathBuf| {
            let name = path.display().to_string();
            let text = fs::read_to_string(path).map_err(|e| StartError(format!("{name}: {e}")))?;
            Ok(SourceFile { name, text })
        };
        let files = args
            .files
            .iter()
            .map(read)
            .collect::<Result<Vec<_>, StartError>>()?;
        let (clock, seed) = (Arc::clone(&world.clock), world.random.bytes());
        let kinds = kinds(args.kinds.as_deref())?;
        let alone = Sources::alone(&files, &kinds, Realm::Demo, clock, seed)?;
        let ids: Vec<String> = alone.infos().map(|info| info.id.clone()).collect();
        // A kept folder has rows that an earlier mapping found. The name is no one's but the demo's.
        let folder = folder.join("demo-rows");
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
        let moved = files.iter().zip(&ids);
        let moved = moved.map(|(file, id)| rehearsal::moved(file, &folder.join(id)));
        let people = match &args.subjects {
            Some(tests) => ask::subjects(tests, world)?,
            None => vec![],
        };
        let people = people
            .iter()
            .map(|(name, number)| (name.as_str(), number.as_str()));
        Ok(Own {
            files: moved.collect::<Result<_, _>>()?,
            guests: sandbox::guests(people),
            ids,
        })
    }

    /// Reads the drops of these sources, and says what became of each.
    pub(super) fn read_drops(&self, app: &App) -> io::Result<()> {
        let mut told = String::new();
        for id in app
            .sources
            .drop_sources()
            .filter(|id| self.ids.iter().any(|own| own == id))
        {
            rehearsal::read_drop(&app.sources, id, &mut told);
        }
        if !told.is_empty() {
            say!("{told}")?;
        }
        Ok(())
    }
}
