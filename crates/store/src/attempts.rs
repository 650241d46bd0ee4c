//! Codes and counters of attempts. Each counts in a transaction of its own, so that no rollback forgives a failure.

use std::sync::Arc;

use domain::time::Timestamp;

use crate::{
    Store, StoreError,
    engine::{DbError, Sql, Tx, Value},
};

const COUNT: Sql = Sql::both(
    "INSERT INTO attempt (bucket, about, window_start_us, count) VALUES ($1, $2, $3, 1) \
     ON CONFLICT (bucket, about) DO UPDATE SET \
     count = CASE WHEN attempt.window_start_us > $4 THEN attempt.count + 1 ELSE 1 END, \
     window_start_us = CASE WHEN attempt.window_start_us > $5 \
       AND attempt.window_start_us <= excluded.window_start_us \
       THEN attempt.window_start_us ELSE excluded.window_start_us END \
     RETURNING count, window_start_us",
);
const READ: Sql = Sql::both(
    "SELECT count, window_start_us FROM attempt WHERE bucket = $1 AND about = $2 AND window_start_us > $3",
);
/// Wrong codes of a phone.
const CODE_FAILURES: &str = "code-failure";

/// After how many wrong codes within how many seconds a phone has to cool down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoolDown {
    /// Wrong codes.
    pub failures: i64,
    /// The window in which they are counted.
    pub seconds: i64,
}

/// How often something may happen within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound<'a> {
    /// What is counted.
    pub bucket: &'static str,
    /// About what: a digest or id.
    pub about: &'a [u8],
    /// The window, a day at most.
    pub seconds: i64,
    /// How often within it.
    pub most: i64,
}

/// What became of counting within bounds.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounded {
    /// It was counted for each bound. The first bound that is full now is named.
    Counted(Option<&'static str>),
    /// A bound was full before: nothing was counted.
    Full {
        /// Which.
        bucket: &'static str,
        /// When its window ends.
        until: Timestamp,
    },
}

/// How often something happened within its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// How often, this time included.
    pub count: i64,
    /// When the window ends and counting begins anew.
    pub until: Timestamp,
}

impl Store {
    /// Keeps a new code for a phone, in place of any earlier one.
    ///
    /// # Errors
    /// The database.
    pub async fn put_code(
        &self,
        phone: [u8; 32],
        code: [u8; 32],
        tries: u8,
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        const PUT: Sql = Sql::both(
            "INSERT INTO code (phone_digest, code_digest, tries_left, sent_us, expires_us) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (phone_digest) DO UPDATE SET code_digest = excluded.code_digest, \
             tries_left = excluded.tries_left, sent_us = excluded.sent_us, expires_us = excluded.expires_us",
        );
        let now = self.inner.clock.now().0;
        let params = vec![
            phone.into(),
            code.into(),
            tries.into(),
            now.into(),
            expires.0.into(),
        ];
        self.execute(&PUT, params).await.map(|_| ())
    }

    /// Tries a code once: it counts, and a right one is used up. `matches` compares digests in constant time.
    ///
    /// A failure is counted only where there was a code to fail at, in the same transaction: whoever types codes for
    /// a phone that was sent none neither locks it nor leaves a row.
    ///
    /// # Errors
    /// The database; then the try did not count, and nothing was accepted.
    pub async fn try_code(
        &self,
        phone: [u8; 32],
        cool_down: CoolDown,
        matches: impl Fn(&[u8; 32]) -> bool + Send + Sync + 'static,
    ) -> Result<bool, StoreError> {
        const TAKE: Sql = Sql::both(
            "UPDATE code SET tries_left = tries_left - 1 \
             WHERE phone_digest = $1 AND tries_left > 0 AND expires_us > $2 RETURNING code_digest",
        );
        const USED: Sql = Sql::both("DELETE FROM code WHERE phone_digest = $1");
        const FORGIVE: Sql = Sql::both("DELETE FROM attempt WHERE bucket = $1 AND about = $2");
        let now = self.inner.clock.now().0;
        let begun = Timestamp(now).plus_seconds(-cool_down.seconds).0;
        let matches = Arc::new(matches);
        let tried = self.inner.db.write(move |tx| {
            let matches = Arc::clone(&matches);
            Box::pin(async move {
                let failed = tx
                    .query_opt(&READ, &[CODE_FAILURES.into(), phone.into(), begun.into()])
                    .await?;
                let failures = failed.map_or(Ok(0), |row| row.int(0, "attempt.count"))?;
                if failures >= cool_down.failures {
                    return Ok(false);
                }
                let Some(row) = tx.query_opt(&TAKE, &[phone.into(), now.into()]).await? else {
                    return Ok(false);
                };
                let right = matches(&row.hash(0, "code.code_digest")?);
                if right {
                    tx.execute(&USED, &[phone.into()]).await?;
                    tx.execute(&FORGIVE, &[CODE_FAILURES.into(), phone.into()])
                        .await?;
                } else {
                    let failure = [
                        CODE_FAILURES.into(),
                        phone.into(),
                        now.into(),
                        begun.into(),
                        begun.into(),
                    ];
                    tx.query_one(&COUNT, &failure).await?;
                }
                Ok(right)
            })
        });
        Ok(tried.await?)
    }

    /// Counts one attempt of `bucket` about something (a digest or id), in windows of so many seconds, a day at most.
    ///
    /// A window that a wrong clock began in the future goes on from now: its count is kept, its end is not.
    ///
    /// # Errors
    /// The database; whoever asked must then refuse.
    pub async fn count_attempt(
        &self,
        bucket: &'static str,
        about: &[u8],
        window_seconds: i64,
    ) -> Result<Attempts, StoreError> {
        let now = self.inner.clock.now();
        let begun = now.plus_seconds(-window_seconds).0;
        let params = Arc::new(vec![
            bucket.into(),
            about.into(),
            now.0.into(),
            begun.into(),
            begun.into(),
        ]);
        let counted = self.inner.db.write(move |tx| {
            let params = Arc::clone(&params);
            Box::pin(async move { tx.query_one(&COUNT, &params).await })
        });
        let row = counted.await?;
        Ok(Attempts {
            count: row.int(0, "attempt.count")?,
            until: Timestamp(row.int(1, "attempt.window_start_us")?).plus_seconds(window_seconds),
        })
    }

    /// Counts once for every bound, or for none where one is full already: what is beyond a bound leaves no row and,
    /// as long as clocks are right, writes nothing. At most eight bounds.
    ///
    /// # Errors
    /// The database; whoever asked must then refuse.
    pub async fn count_within(&self, bounds: &[Bound<'_>]) -> Result<Bounded, StoreError> {
        let now = self.inner.clock.now();
        for bound in bounds {
            let found = self.attempts(bound.bucket, bound.about, bound.seconds).await?;
            let full = found.filter(|f| f.count >= bound.most && f.until <= now.plus_seconds(bound.seconds));
            if let Some(Attempts { until, .. }) = full {
                let bucket = bound.bucket;
                return Ok(Bounded::Full { bucket, until });
            }
        }
        let begun = |bound: &Bound<'_>| Value::from(now.plus_seconds(-bound.seconds).0);
        let (mut reads, mut counts, mut most) = (vec![], vec![], vec![]);
        for bound in bounds {
            let (bucket, about) = (Value::from(bound.bucket), Value::from(bound.about));
            reads.push(vec![bucket.clone(), about.clone(), begun(bound)]);
            counts.push(vec![bucket, about, now.0.into(), begun(bound), begun(bound)]);
            most.push((bound.bucket, bound.seconds, bound.most));
        }
        let all = Arc::new((reads, counts, most));
        let counted = self.inner.db.write(move |tx| {
            let all = Arc::clone(&all);
            Box::pin(async move { count_all(tx, now, &all).await })
        });
        Ok(counted.await?)
    }

    /// Takes one counted attempt back: it was none after all.
    ///
    /// # Errors
    /// The database; then it stays counted.
    pub async fn forgive_attempt(&self, bucket: &'static str, about: &[u8]) -> Result<(), StoreError> {
        const LESS: Sql =
            Sql::both("UPDATE attempt SET count = count - 1 WHERE bucket = $1 AND about = $2 AND count > 0");
        self.execute(&LESS, vec![bucket.into(), about.into()])
            .await
            .map(|_| ())
    }

    /// How often it happened in the present window, without counting.
    ///
    /// # Errors
    /// The database.
    pub async fn attempts(
        &self,
        bucket: &'static str,
        about: &[u8],
        window_seconds: i64,
    ) -> Result<Option<Attempts>, StoreError> {
        let begun = self.inner.clock.now().plus_seconds(-window_seconds).0;
        let row = self
            .read_opt(&READ, vec![bucket.into(), about.into(), begun.into()])
            .await?;
        row.map(|row| {
            Ok(Attempts {
                count: row.int(0, "attempt.count")?,
                until: Timestamp(row.int(1, "attempt.window_start_us")?).plus_seconds(window_seconds),
            })
        })
        .transpose()
    }

    /// Begins counting anew, as after a right code.
    ///
    /// # Errors
    /// The database.
    pub async fn forgive_attempts(&self, bucket: &'static str, about: &[u8]) -> Result<(), StoreError> {
        const FORGIVE: Sql = Sql::both("DELETE FROM attempt WHERE bucket = $1 AND about = $2");
        self.execute(&FORGIVE, vec![bucket.into(), about.into()])
            .await
            .map(|_| ())
    }

    /// Removes counters and codes that are two days old; how many.
    ///
    /// # Errors
    /// The database.
    pub async fn forget_attempts(&self) -> Result<u64, StoreError> {
        const COUNTERS: Sql = Sql::both(
            "DELETE FROM attempt WHERE (bucket, about) IN \
             (SELECT bucket, about FROM attempt WHERE window_start_us < $1 LIMIT $2)",
        );
        const CODES: Sql = Sql::both(
            "DELETE FROM code WHERE phone_digest IN (SELECT phone_digest FROM code WHERE expires_us < $1 LIMIT $2)",
        );
        let before = self.inner.clock.now().plus_seconds(-2 * 24 * 3600);
        Ok(self.forget(&COUNTERS, before).await? + self.forget(&CODES, before).await?)
    }
}

/// The parameters of reading and of counting each bound, and each bound's name, window and most.
type Bounds = (Vec<Vec<Value>>, Vec<Vec<Value>>, Vec<(&'static str, i64, i64)>);

async fn count_all(
    tx: &Tx<'_>,
    now: Timestamp,
    (reads, counts, bounds): &Bounds,
) -> Result<Bounded, DbError> {
    let (found, mut filled) = (tx.query_many(&READ, reads).await?, None);
    for (at, (bucket, seconds, most)) in bounds.iter().enumerate() {
        let (mut count, mut start) = (0, now.0);
        if let Some(row) = found.get(at).and_then(|rows| rows.first()) {
            (count, start) = (
                row.int(0, "attempt.count")?,
                row.int(1, "attempt.window_start_us")?,
            );
        }
        if count >= *most {
            // A window that a wrong clock began in the future goes on from now.
            if start > now.0 {
                tx.query_many(&COUNT, &counts[at..=at]).await?;
            }
            let until = Timestamp(start.min(now.0)).plus_seconds(*seconds);
            return Ok(Bounded::Full { bucket, until });
        }
        filled = filled.or((count + 1 == *most).then_some(*bucket));
    }
    tx.query_many(&COUNT, counts).await?;
    Ok(Bounded::Counted(filled))
}
