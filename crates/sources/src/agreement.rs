//! The agreement with a record holder and its licence paper: until when, and which fields of which kinds.
//!
//! What stands outside is neither mapped nor asked: a file that tries is refused at start. After the last day of
//! either paper the source answers `maintenance`, and not `not_covered`, which would tell a falsehood about the
//! record holder and use up the grant.

use std::collections::BTreeMap;

use domain::kind::{Catalogue, LoadedKind};
use jiff::civil::Date;
use serde::Deserialize;
use toml::{Spanned, value::Datetime};

use crate::{
    dial::Realm,
    file::{Raw, RawServes, SourceError, SourceFile},
    source::kind_of,
    sources::Sources,
};

/// How many days before its end a paper raises an alarm.
pub const ALARM_DAYS: [i64; 3] = [60, 30, 7];

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAgreement {
    number: String,
    expires: Spanned<Datetime>,
    #[serde(default)]
    licence: Option<String>,
    #[serde(default)]
    licence_expires: Option<Spanned<Datetime>>,
    #[serde(default)]
    fields: Option<BTreeMap<Spanned<String>, Vec<Spanned<String>>>>,
}

/// The agreement with a record holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its number, as both sides file it.
    pub number: String,
    /// The last day, in China, on which it permits to ask.
    pub expires: Date,
    /// The paper by which the record holder may give: number and last day. Only the demo goes without.
    pub licence: Option<(String, Date)>,
    /// Kind → the fields that may be given, and in mode `match` the claims that may be compared. `None`, in the
    /// demo alone, is everything.
    pub fields: Option<BTreeMap<String, Vec<String>>>,
}

/// Which of a source's two papers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PaperKind {
    /// The agreement between both sides.
    Agreement,
    /// The record holder's licence to give.
    Licence,
}

impl PaperKind {
    /// The stable word for traces and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            PaperKind::Agreement => "agreement",
            PaperKind::Licence => "licence",
        }
    }
}

/// A paper and how long it lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paper {
    /// The source's id.
    pub source: String,
    /// Which paper.
    pub kind: PaperKind,
    /// Its number.
    pub number: String,
    /// Its last day.
    pub expires: Date,
    /// How many days are left after today; negative once it has expired.
    pub days_left: i64,
}

impl Paper {
    /// The alarm that it raises: the smallest of [`ALARM_DAYS`] within which it ends, or 0 once it has expired.
    #[must_use]
    pub fn alarm(&self) -> Option<i64> {
        if self.days_left < 0 {
            return Some(0);
        }
        ALARM_DAYS
            .into_iter()
            .filter(|days| self.days_left <= *days)
            .min()
    }
}

impl Agreement {
    /// Both papers of a source, the agreement first.
    #[must_use]
    pub fn papers(&self, source: &str, today: Date) -> Vec<Paper> {
        let paper = |kind, number: &String, expires: Date| Paper {
            source: source.to_owned(),
            kind,
            number: number.clone(),
            expires,
            days_left: i64::from((expires - today).get_days()),
        };
        let mut papers = vec![paper(PaperKind::Agreement, &self.number, self.expires)];
        let licence = self.licence.as_ref();
        papers.extend(licence.map(|(number, expires)| paper(PaperKind::Licence, number, *expires)));
        papers
    }

    /// What is agreed, for whoever runs the source: a line for each kind, with its fields and claims.
    #[must_use]
    pub fn agreed(&self) -> Vec<String> {
        let line = |(kind, fields): (&String, &Vec<String>)| match fields.as_slice() {
            [] => format!("{kind}: no field, only whether it matches"),
            fields => format!("{kind}: {}", fields.join(" ")),
        };
        match &self.fields {
            Some(fields) => fields.iter().map(line).collect(),
            None => vec!["everything that is mapped".to_owned()],
        }
    }

    /// Whether both papers still hold on this day.
    #[must_use]
    pub fn holds(&self, today: Date) -> bool {
        let ends = self
            .licence
            .as_ref()
            .map_or(self.expires, |(_, licence)| self.expires.min(*licence));
        today <= ends
    }

    /// Reads the agreement and checks that the file keeps to it.
    pub(crate) fn compile(
        file: &SourceFile,
        kinds: &Catalogue,
        raw: &Raw,
        realm: Realm,
    ) -> Result<Option<Self>, SourceError> {
        let Some(written) = &raw.agreement else {
            return match realm {
                Realm::Demo => Ok(None),
                Realm::Production => Err(file.wrong_as_a_whole(
                    "agreement: a real source is asked only under an agreement; write [agreement] with number, \
                     expires, licence, licence_expires and fields",
                )),
            };
        };
        let (line, written) = (written.span(), written.get_ref());
        let lacks = |what: &str| {
            let problem =
                format!("agreement: {what} is missing; a real source is asked only by what is agreed");
            Err(file.wrong(&line, problem))
        };
        if realm == Realm::Production && written.fields.is_none() {
            return lacks("fields = { kind = [\"field\", …] }");
        }
        let licence = match (&written.licence, &written.licence_expires) {
            (Some(number), Some(expires)) => Some((number.clone(), date(file, "licence_expires", expires)?)),
            (None, None) if realm == Realm::Demo => None,
            (None, _) => return lacks("licence, the number of the paper by which the holder may give,"),
            (_, None) => return lacks("licence_expires, the last day of the licence,"),
        };
        if written.number.trim().is_empty() {
            return lacks("number");
        }
        for (kind, agreed) in written.fields.iter().flatten() {
            check_names(file, kind_of(file, kinds, kind)?, agreed)?;
        }
        for serves in &raw.serves {
            check_route(file, written, serves)?;
        }
        let plain = |(kind, fields): (&Spanned<String>, &Vec<Spanned<String>>)| {
            let fields = fields.iter().map(|f| f.get_ref().clone()).collect();
            (kind.get_ref().clone(), fields)
        };
        Ok(Some(Agreement {
            number: written.number.clone(),
            expires: date(file, "expires", &written.expires)?,
            licence,
            fields: written.fields.as_ref().map(|f| f.iter().map(plain).collect()),
        }))
    }
}

/// What is agreed is a field of the kind, or a claim that can be compared in mode `match`: another word would permit
/// nothing, and be read as agreed.
fn check_names(file: &SourceFile, kind: &LoadedKind, agreed: &[Spanned<String>]) -> Result<(), SourceError> {
    let kind = &kind.kind;
    let is_known = |id: &str| kind.field(id).is_some() || kind.claim(id).is_some();
    match agreed.iter().find(|id| !is_known(id.get_ref())) {
        None => Ok(()),
        Some(id) => Err(file.wrong(
            &id.span(),
            format!(
                "the kind {} has no field or claim {}: compare the names letter by letter",
                kind.id,
                id.get_ref()
            ),
        )),
    }
}

/// Everything that a route asks for or maps stands in the agreement.
fn check_route(
    file: &SourceFile,
    agreement: &RawAgreement,
    serves: &Spanned<RawServes>,
) -> Result<(), SourceError> {
    let Some(agreed) = &agreement.fields else {
        return Ok(());
    };
    let raw = serves.get_ref();
    let kind = raw.kind.get_ref();
    let Some(fields) = agreed.get(kind.as_str()) else {
        let problem = format!(
            "the agreement does not name the kind {kind}: take this [[serves]] out, or, if it is agreed, add it to \
             agreement.fields"
        );
        return Err(file.wrong(&raw.kind.span(), problem));
    };
    let outside = raw
        .fields
        .keys()
        .chain(&raw.claims)
        .find(|id| !fields.iter().any(|f| f.get_ref() == id.get_ref()));
    match outside {
        None => Ok(()),
        Some(id) => Err(file.wrong(
            &id.span(),
            format!(
                "{} is outside the agreement: take it out, or, if it is agreed, add it to agreement.fields.{kind}",
                id.get_ref()
            ),
        )),
    }
}

fn date(file: &SourceFile, name: &str, raw: &Spanned<Datetime>) -> Result<Date, SourceError> {
    let written = raw.get_ref();
    let is_date = written.time.is_none() && written.offset.is_none();
    let date = written.to_string().parse().ok().filter(|_| is_date);
    date.ok_or_else(|| file.wrong(&raw.span(), format!("{name}: a date such as 2036-12-31")))
}

impl Sources {
    /// The papers of every source, in the order of their end.
    #[must_use]
    pub fn papers(&self, today: Date) -> Vec<Paper> {
        let of = |info: &crate::SourceInfo| {
            let agreement = info.agreement.as_ref();
            agreement.map_or_else(Vec::new, |a| a.papers(&info.id, today))
        };
        let mut papers: Vec<_> = self.infos().flat_map(of).collect();
        papers.sort_by(|a, b| (a.expires, &a.source, a.kind).cmp(&(b.expires, &b.source, b.kind)));
        papers
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_paper_warns_sixty_thirty_and_seven_days_before() {
        let agreement = Agreement {
            number: "A".into(),
            expires: date(2026, 12, 31),
            licence: Some(("L".into(), date(2026, 12, 1))),
            fields: None,
        };
        assert_eq!(agreement.agreed(), ["everything that is mapped"]);
        let fields = [("car", vec!["vin", "brand"]), ("person", vec![])];
        let fields =
            fields.map(|(kind, ids)| (kind.to_owned(), ids.into_iter().map(str::to_owned).collect()));
        let named = Agreement {
            fields: Some(fields.into()),
            ..agreement.clone()
        };
        assert_eq!(
            named.agreed(),
            ["car: vin brand", "person: no field, only whether it matches"]
        );
        let alarm = |today| agreement.papers("s", today)[0].alarm();
        assert_eq!(alarm(date(2026, 11, 1)), Some(60));
        assert_eq!(alarm(date(2026, 10, 31)), None);
        assert_eq!(alarm(date(2026, 12, 1)), Some(30));
        assert_eq!(alarm(date(2026, 11, 30)), Some(60));
        assert_eq!(alarm(date(2026, 12, 24)), Some(7));
        assert_eq!(alarm(date(2026, 12, 31)), Some(7));
        assert_eq!(alarm(date(2027, 1, 1)), Some(0));
        assert!(agreement.holds(date(2026, 12, 1)));
        assert!(!agreement.holds(date(2026, 12, 2)), "the licence ends first");
    }
}
