//! `mingcha kind check DIR`: proves one kind's folder: its data, notices, rules, and every example in it.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Subcommand};
use domain::{
    decision::Reason,
    example::Example,
    ids::{AccountId, SessionId},
    kind::{Catalogue, LoadedKind},
    purpose::{Purpose, PurposeRegister},
    requester::{Relation, Requester, Role},
    words::{Bilingual, LegalBasis},
};
use policy::Policy;

use super::Outcome;
use crate::{actions::decide, embedded, error::StartError, start::World};

/// Record kinds.
#[derive(Debug, Args)]
pub struct KindArgs {
    #[command(subcommand)]
    command: KindCommand,
}

#[derive(Debug, Subcommand)]
enum KindCommand {
    /// Check the folder of one kind and run its examples.
    Check {
        /// The folder, whose name is the kind's id.
        folder: PathBuf,
    },
}

/// Checks a folder; fails if anything in it is wrong.
///
/// # Errors
/// The folder cannot be read, or the kind itself is wrong; a failing example is no error but a failure.
pub fn run(args: &KindArgs, world: &World) -> Outcome {
    let KindCommand::Check { folder } = &args.command;
    let folder = embedded::kind_folder(folder)?;
    let name = folder.name.clone();
    // Beside the embedded kinds, whose parts and ids it may meet; an embedded one is checked in its own place.
    let mut folders: Vec<_> = embedded::kinds().into_iter().filter(|k| k.name != name).collect();
    folders.push(folder);
    let kinds = Catalogue::new(&folders)?;
    let policy = Policy::new(&kinds, &[])?;
    let kind = kinds
        .get(&name)
        .ok_or_else(|| StartError(format!("{name}: not read")))?;
    let register = register_of(kind)?;
    let today = world.clock.now().date_in_china();
    let mut failed = 0;
    for (file, text) in &kind.examples {
        let example =
            Example::parse(&format!("{name}/{file}"), text).map_err(|e| StartError(e.to_string()))?;
        let decided = |request: &domain::lookup::LookupRequest, relation, level| {
            decide(&policy, request, relation, level)
        };
        match example.run(kind, &register, today, decided) {
            Ok(()) => say!("ok      {file}")?,
            Err(problem) => {
                failed += 1;
                say!("FAILED  {file}: {problem}")?;
            }
        }
    }
    say!("{name}: {} examples, {failed} failed", kind.examples.len())?;
    if kind.examples.is_empty() {
        say!("{name}: an example shows others what it does; write at least one")?;
    }
    Ok(if failed == 0 && !kind.examples.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// As the running system decides, but for what only a database knows.
fn decide(
    policy: &Policy,
    request: &domain::lookup::LookupRequest,
    relation: Relation,
    level: domain::words::Level,
) -> Result<(), Reason> {
    decide::visible(request, level).map_err(|r| r.reason)?;
    if relation == Relation::Other {
        return Err(Reason::NoGrant);
    }
    let requester = Requester {
        role: Role::Person,
        account: AccountId::from_bytes([0; 16]),
        session: SessionId::from_bytes([0; 16]),
        subject: None,
        level,
        standing: None,
    };
    let permits = |q| policy.decide(&q) == domain::decision::Decision::Permit;
    if decide::questions(request, &requester, relation)
        .into_iter()
        .all(permits)
    {
        Ok(())
    } else {
        Err(Reason::PolicyForbids)
    }
}

/// A register in which every purpose that the kind names is assessed, as a deployment's would be.
fn register_of(kind: &Arc<LoadedKind>) -> Result<PurposeRegister, StartError> {
    let purpose = |code: &String| Purpose {
        code: code.clone(),
        name: Bilingual::new(code, code),
        bases: vec![LegalBasis::Contract],
        pia: Some("check".into()),
        fields: std::collections::BTreeMap::new(),
    };
    Ok(PurposeRegister::new(
        kind.kind.purposes.iter().map(purpose).collect(),
    )?)
}
