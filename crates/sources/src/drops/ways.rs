//! All routes of a source with drops together: what they make of one row.

use domain::{time::Timestamp, words::Mode};
use serde_json::Value as Json;

use super::way::DropWay;
use crate::{places::Places, report::Failure, route::Route, transport::Way};

/// The routes of one source.
#[derive(Clone, Copy)]
pub(super) struct Ways<'a>(pub(super) &'a [Route]);

impl<'a> Ways<'a> {
    /// Each route with how it finds its rows.
    pub(super) fn each(self) -> impl Iterator<Item = (&'a Route, &'a DropWay)> {
        self.0.iter().filter_map(|route| match &route.way {
            Way::Drop(way) => Some((route, way)),
            _ => None,
        })
    }

    /// By what a row is found, for each route that can read it; all must.
    pub(super) fn words(self, row: &Json, now: Timestamp) -> Result<Vec<String>, Failure> {
        let today = now.date_in_china();
        let one = |(route, way): (&Route, &DropWay)| {
            route.check_row(row, now)?;
            way.of_row(row, today)
        };
        self.each().map(one).collect()
    }

    /// Whether one row alone is a record, for each route.
    pub(super) fn alone(self) -> Vec<bool> {
        self.each().map(|(route, _)| route.wants_one_row()).collect()
    }

    /// All that any route reads of a row.
    pub(super) fn places(self) -> Places {
        let mut places = Places::default();
        for (route, way) in self.each() {
            route.mark(&mut places);
            way.mark(&mut places);
        }
        places
    }

    /// The route by which one record is read, where there is exactly one.
    pub(super) fn record(self) -> Option<&'a DropWay> {
        let mut reads = self.each().filter(|(route, _)| route.mode == Mode::Read);
        let (_, way) = reads.next()?;
        reads.next().is_none().then_some(way)
    }
}
