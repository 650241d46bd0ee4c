//! `mingcha demo --seed N`: registers and proves the first N of the computed crowd, each with a session at L2, as fast
//! as the log takes it, and prints their tokens. It is for benchmarks, which need people before they can ask.

use std::{
    io::{BufWriter, Write},
    process::ExitCode,
    sync::Arc,
};

use domain::{
    identifiers::{IdNumber, PersonName, Phone},
    lookup::Person,
    words::Level,
};
use futures_util::{StreamExt, stream};
use indicatif::ProgressBar;

use crate::{
    actions::{
        seal_change::seal_change,
        sign_in::{self, SignedIn},
    },
    app::App,
    commands::Outcome,
    error::{Error, StartError},
};

/// How many people are on their way at once: as many as share a transaction.
const AT_ONCE: usize = 256;

/// Registers the people and prints one token a line, in the order of the crowd.
pub(super) async fn run(app: Arc<App>, people: u64) -> Outcome {
    let progress = ProgressBar::new(people);
    let mut out = BufWriter::new(std::io::stdout());
    let mut signed_in = stream::iter(0..people)
        .map(|i| tokio::spawn(member(Arc::clone(&app), i)))
        .buffered(AT_ONCE);
    while let Some(ended) = signed_in.next().await {
        let session = ended.map_err(|e| StartError(e.to_string()))??;
        writeln!(out, "{}", session.token.expose())?;
        progress.inc(1);
    }
    out.flush()?;
    progress.finish();
    app.store.publish_checkpoint().await?;
    Ok(ExitCode::SUCCESS)
}

async fn member(app: Arc<App>, i: u64) -> Result<SignedIn, StartError> {
    let wrong = |what: &str| StartError(format!("person {i} of the crowd: {what}"));
    let who = sandbox::crowd_member(i).ok_or_else(|| wrong("there is none"))?;
    let today = app.now().date_in_china();
    let phone = Phone::parse(who.phone.as_deref().unwrap_or_default()).map_err(|_| wrong("the phone"))?;
    let person = Person {
        name: PersonName::parse(&who.name).map_err(|_| wrong("the name"))?.value,
        id_number: IdNumber::parse(&who.id_number, today)
            .map_err(|_| wrong("the number"))?
            .value,
    };
    join(&app, &phone.value, &person)
        .await
        .map_err(|e| wrong(e.code()))
}

/// What signing up, proving and signing in leave behind, without the questions to register and carrier.
async fn join(app: &App, phone: &Phone, person: &Person) -> Result<SignedIn, Error> {
    let taken = Error::Conflict("PHONE_OR_PERSON_TAKEN");
    let (account, effect) = app.store.create_account(phone).await?;
    let by = || sign_in::holder(account, Level::L1);
    if !seal_change(app, account.chain(), by(), "account-created", effect).await? {
        return Err(taken);
    }
    let subject = app.store.mention_subject(&person.id_number).await?;
    let effect = app.store.bind_account(account, subject, person).await?;
    if !seal_change(app, subject, by(), "real-name-proven", effect).await? {
        return Err(taken);
    }
    sign_in::start(app, account, Level::L2, None, "signed-in").await
}
