//! Destroying keys: at erasure by subject, at the end of retention by year.

use std::{collections::BTreeSet, sync::Arc, sync::atomic::Ordering};

use domain::{ids::SubjectId, time::Timestamp};

use super::{KeyStore, evidence_of};
use crate::{
    StoreError,
    engine::{Insert, Row, Sql, Value},
};

/// Stands for all subjects in the table of destroyed keys.
const EVERYBODY: [u8; 16] = [0; 16];

/// Keys destroyed by one statement.
const PAGE: i64 = 1000;

const DELETE: Sql = Sql::both("DELETE FROM wrapped_key WHERE subject_id = $1 AND class = $2");
const REMEMBER: Insert = Insert {
    table: "destroyed_key",
    columns: &["subject_id", "class", "destroyed_us"],
    tail: "ON CONFLICT DO NOTHING",
};

impl KeyStore {
    /// Destroys these keys for good. What they encrypted cannot be read by anybody any more.
    pub(crate) async fn destroy(
        &self,
        keys: Vec<(SubjectId, &'static str)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let subjects: Vec<SubjectId> = keys.iter().map(|(subject, _)| *subject).collect();
        let name = |(subject, class): &(SubjectId, &str)| vec![subject.bytes().into(), (*class).into()];
        let names: Arc<Vec<Vec<Value>>> = Arc::new(keys.iter().map(name).collect());
        let done = self
            .db
            .write(move |tx| {
                let names = Arc::clone(&names);
                Box::pin(async move {
                    tx.execute_many(&DELETE, &names).await?;
                    let row = |name: &Vec<Value>| [name.as_slice(), &[now.0.into()]].concat();
                    let rows: Vec<Vec<Value>> = names.iter().map(row).collect();
                    tx.insert_many(&REMEMBER, &rows).await
                })
            })
            .await;
        // Also where it is not known whether they are gone.
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.forget(&subjects);
        done?;
        Ok(self.db.scrub().await?)
    }

    /// Destroys everybody's evidence keys of the years before `year`; how many. It can be repeated.
    pub(crate) async fn destroy_evidence_before(&self, year: i64, now: Timestamp) -> Result<u64, StoreError> {
        const SOME: Sql = Sql::both(
            "DELETE FROM wrapped_key WHERE (subject_id, class) IN (SELECT subject_id, class FROM wrapped_key \
             WHERE class >= 'evidence-' AND class < $1 LIMIT $2)",
        );
        let oldest = evidence_of(year);
        let mut destroyed = 0;
        loop {
            let before = oldest.clone();
            let some = self.db.write(move |tx| {
                let before = before.clone();
                Box::pin(async move {
                    let some = tx.execute(&SOME, &[before.as_str().into(), PAGE.into()]).await?;
                    if some > 0 {
                        let row = vec![EVERYBODY.into(), before.into(), now.0.into()];
                        tx.insert_many(&REMEMBER, &[row]).await?;
                    }
                    Ok(some)
                })
            });
            let some = some.await;
            if !matches!(some, Ok(0)) {
                self.changes.fetch_add(1, Ordering::SeqCst);
                self.cache().clear();
            }
            let some = some?;
            if some == 0 {
                break;
            }
            destroyed += some;
        }
        if destroyed > 0 {
            self.db.scrub().await?;
        }
        Ok(destroyed)
    }

    /// The classes of this subject's keys that were destroyed, and the year before which all evidence was.
    pub(crate) async fn destroyed(&self, subject: SubjectId) -> Result<Destroyed, StoreError> {
        const OF: Sql = Sql::both("SELECT class FROM destroyed_key WHERE subject_id = $1 ORDER BY class");
        let class = |row: &Row| Ok(row.text(0, "destroyed_key.class")?.to_owned());
        let own = self.db.query(&OF, &[subject.bytes().into()]).await?;
        let all = self.db.query(&OF, &[EVERYBODY.into()]).await?;
        Ok(Destroyed {
            classes: own.iter().map(class).collect::<Result<_, StoreError>>()?,
            evidence_before: all.last().map(class).transpose()?,
        })
    }
}

/// Which keys of a subject are lawfully gone.
pub(crate) struct Destroyed {
    classes: BTreeSet<String>,
    evidence_before: Option<String>,
}

impl Destroyed {
    /// The key of this class was destroyed, and is not merely missing.
    pub(crate) fn contains(&self, class: &str) -> bool {
        let outdated = |before: &String| class.starts_with("evidence-") && class < before.as_str();
        self.classes.contains(class) || self.evidence_before.as_ref().is_some_and(outdated)
    }
}
