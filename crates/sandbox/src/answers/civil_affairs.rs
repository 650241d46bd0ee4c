//! Civil affairs: what is registered of a marriage, which is not whether somebody is married.

use jiff::{Span, civil::Date};
use serde_json::Map;

use super::{World, put};
use crate::{
    authority::days_before,
    persona::{Marriage, MarriageState, Party},
    wire::{Answered, Code},
};

/// Days in which either may withdraw an application for divorce, and after that days in which both must come
/// (民法典 1077).
const WITHDRAWAL_DAYS: i64 = 30;

/// Only the newest registration is told: a former spouse is a stranger.
pub(super) fn marriage(world: &World<'_>, body: &[u8]) -> Answered {
    let (who, today) = (world.person_alone(body)?, world.today());
    let all = world.register.marriages_of(&who.id_number);
    let newest = all
        .iter()
        .max_by_key(|marriage| registered_on(marriage, today))
        .ok_or(Code::NotFound)?;
    let (code, certificate) = match newest.state {
        MarriageState::Married => ("1", Some(&newest.certificate)),
        MarriageState::Divorced => ("2", newest.ended_certificate.as_ref()),
        MarriageState::Void => ("3", None),
        MarriageState::Annulled => ("4", None),
    };
    let mut data = Map::new();
    put(&mut data, "djzt", Some(code));
    put(&mut data, "djrq", Some(registered_on(newest, today).to_string()));
    put(&mut data, "djjg", Some(newest.office.as_str()));
    put(&mut data, "zsbh", certificate.map(String::as_str));
    put(
        &mut data,
        "lhchqz",
        withdrawal_ends(newest, today).map(|day| day.to_string()),
    );
    let parties = newest.parties.each_ref().map(Party::identity);
    let number = |at: usize| parties[at].map(|(_, number)| number);
    put(&mut data, "nfsfzmhm", number(0));
    put(&mut data, "vfsfzmhm", number(1));
    if newest.state == MarriageState::Married {
        let spouse = parties
            .into_iter()
            .flatten()
            .find(|(_, number)| *number != who.id_number);
        put(&mut data, "poxm", spouse.map(|(name, _)| name));
        put(&mut data, "posfzmhm", spouse.map(|(_, number)| number));
    }
    Ok(data)
}

/// The day of what is registered now: the marriage, or what ended it.
fn registered_on(marriage: &Marriage, today: Date) -> Date {
    marriage.ended.unwrap_or(marriage.registered).on(today)
}

/// Until when a pending application can be withdrawn; told until it lapses, thirty days after that.
fn withdrawal_ends(marriage: &Marriage, today: Date) -> Option<Date> {
    let applied = marriage.divorce_applied?.on(today);
    let ends = applied.checked_add(Span::new().days(WITHDRAWAL_DAYS)).ok()?;
    (days_before(today, WITHDRAWAL_DAYS) <= ends).then_some(ends)
}
