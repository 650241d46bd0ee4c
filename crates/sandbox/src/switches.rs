//! Switches that make the played authorities slow, faulty or stale: for a persona, a request, a path, or all.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use domain::outcome::Outcome;
use serde::{Deserialize, Serialize};

use crate::{answers::Path, register::persona, reviews::Plan, wire::Code};

/// How many switches may be set at a time.
const MAX_SWITCHES: usize = 1000;
/// The longest delay, in milliseconds.
const MAX_DELAY_MS: u64 = 60_000;

/// One switch. It applies to a request that fits all of `persona`, `request` and `path` that are given; the one
/// set last wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// Requests about the persona with this slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// Requests of this look-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Requests to this path, such as `traffic/vehicle/query`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Milliseconds before the answer, at most a minute.
    #[serde(default)]
    pub delay_ms: u64,
    /// Answer with this outcome instead; one of those that a code of the protocol tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Spoil the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// The member of `data` that the faults `missing_field` and `wrong_type` are about; the first if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Days by which the data is older than promised.
    #[serde(default)]
    pub stale_days: u32,
    /// Seconds after which a review that is handed in is answered; a minute if not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_after_s: Option<u32>,
    /// The answer to that review is that the record is right; otherwise it is mended.
    #[serde(default)]
    pub upholds: bool,
    /// For how many requests it applies; for all if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

impl Switch {
    /// What becomes of a review to which it applies.
    pub(crate) fn plan(&self) -> Plan {
        Plan {
            after_s: self.answer_after_s.unwrap_or(60),
            upholds: self.upholds,
        }
    }
}

/// How an answer is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The connection is closed in the middle of the answer.
    Close,
    /// Bytes that are no message.
    Garbage,
    /// An authentic message that is no JSON.
    NotJson,
    /// A record of somebody else; a comparison says that all fits.
    WrongPerson,
    /// A member is missing.
    MissingField,
    /// A member is of another type.
    WrongType,
}

/// Why a switch is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// No persona has that slug.
    #[error("there is no such persona; GET /_personas lists them")]
    UnknownPersona,
    /// No authority has that path.
    #[error("there is no such path; write authority and path, such as traffic/vehicle/query")]
    UnknownPath,
    /// The outcome is told by no code of the protocol.
    #[error("no code tells this outcome; use `fault` or `delay_ms` for broken, timed_out and bad_answer")]
    UnknownOutcome,
    /// The delay is too long.
    #[error("a delay is at most {MAX_DELAY_MS} ms")]
    DelayTooLong,
    /// Too many are set.
    #[error("at most {MAX_SWITCHES} switches; DELETE /_switch clears them")]
    TooMany,
}

#[derive(Default)]
pub(crate) struct Switches {
    /// Spares the usual request the lock.
    any: AtomicBool,
    set: Mutex<Vec<Switch>>,
}

impl Switches {
    pub(crate) fn set(&self, switch: Switch) -> Result<(), SwitchError> {
        if switch.persona.as_deref().is_some_and(|id| persona(id).is_none()) {
            return Err(SwitchError::UnknownPersona);
        }
        if switch
            .path
            .as_deref()
            .is_some_and(|path| Path::of(path).is_none())
        {
            return Err(SwitchError::UnknownPath);
        }
        if switch.outcome.is_some_and(|outcome| Code::of(outcome).is_none()) {
            return Err(SwitchError::UnknownOutcome);
        }
        if switch.delay_ms > MAX_DELAY_MS {
            return Err(SwitchError::DelayTooLong);
        }
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        if set.len() == MAX_SWITCHES {
            return Err(SwitchError::TooMany);
        }
        set.push(switch);
        self.any.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn clear(&self) {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.any.store(false, Ordering::Release);
    }

    pub(crate) fn all(&self) -> Vec<Switch> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The switch for a request; one that applies a number of times is used up by this.
    pub(crate) fn take(&self, lookup: &str, number: &str, path: Path) -> Option<Switch> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |switch: &Switch| {
            let about = |id: &str| persona(id).is_some_and(|who| who.id_number == number);
            switch.persona.as_deref().is_none_or(about)
                && switch.request.as_deref().is_none_or(|request| request == lookup)
                && switch.path.as_deref().is_none_or(|name| name == path.name())
                && switch.times != Some(0)
        };
        let at = set.iter().rposition(fits)?;
        let switch = set[at].clone();
        if let Some(times) = &mut set[at].times {
            *times -= 1;
            if *times == 0 {
                set.remove(at);
            }
        }
        Some(switch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_fits_wins_and_is_used_up() {
        let switches = Switches::default();
        let path = Path::VehicleQuery;
        assert_eq!(switches.take("a", "b", path), None);
        let slow = Switch {
            delay_ms: 5,
            ..Switch::default()
        };
        let once = Switch {
            path: Some(path.name().into()),
            fault: Some(Fault::Close),
            times: Some(1),
            ..slow.clone()
        };
        let for_one = Switch {
            request: Some("other".into()),
            ..slow.clone()
        };
        for switch in [slow.clone(), once.clone(), for_one.clone()] {
            switches.set(switch).unwrap();
        }
        assert_eq!(switches.take("a", "b", path), Some(once));
        assert_eq!(switches.take("a", "b", path), Some(slow));
        assert_eq!(switches.take("other", "b", path), Some(for_one));
        switches.clear();
        assert_eq!(switches.take("a", "b", path), None);
    }

    #[test]
    fn what_cannot_apply_is_refused() {
        let switches = Switches::default();
        let refused = |switch| switches.set(switch).unwrap_err();
        let none = Switch::default;
        assert_eq!(
            refused(Switch {
                persona: Some("nobody".into()),
                ..none()
            }),
            SwitchError::UnknownPersona
        );
        assert_eq!(
            refused(Switch {
                path: Some("vehicle/query".into()),
                ..none()
            }),
            SwitchError::UnknownPath
        );
        assert_eq!(
            refused(Switch {
                outcome: Some(Outcome::Broken),
                ..none()
            }),
            SwitchError::UnknownOutcome
        );
        assert_eq!(
            refused(Switch {
                delay_ms: 60_001,
                ..none()
            }),
            SwitchError::DelayTooLong
        );
        for _ in 0..MAX_SWITCHES {
            switches.set(none()).unwrap();
        }
        assert_eq!(refused(none()), SwitchError::TooMany);
    }
}
