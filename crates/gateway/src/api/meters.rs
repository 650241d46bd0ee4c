//! What is counted of requests, by route. A counter is looked for by its name and labels once, and then kept: that takes
//! longer than to count.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use metrics::{Counter, Histogram};

/// The counters of all routes that were asked for. There are as many as there are routes, and statuses of each.
#[derive(Default)]
pub(crate) struct Meters(RwLock<BTreeMap<String, OfRoute>>);

struct OfRoute {
    seconds: Histogram,
    statuses: BTreeMap<u16, Counter>,
}

impl OfRoute {
    fn of(route: &str) -> Self {
        OfRoute {
            seconds: metrics::histogram!("mingcha_request_seconds", "route" => route.to_owned()),
            statuses: BTreeMap::new(),
        }
    }
}

impl Meters {
    /// Counts a request of this route, which took so long.
    pub(crate) fn count(&self, route: &str, status: u16, seconds: f64) {
        {
            let routes = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let known = routes
                .get(route)
                .and_then(|of| Some((of, of.statuses.get(&status)?)));
            if let Some((of, counter)) = known {
                of.seconds.record(seconds);
                counter.increment(1);
                return;
            }
        }
        let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let of = routes
            .entry(route.to_owned())
            .or_insert_with_key(|route| OfRoute::of(route));
        of.seconds.record(seconds);
        let counter = of.statuses.entry(status).or_insert_with(|| {
            let labels = [("route", route.to_owned()), ("status", status.to_string())];
            metrics::counter!("mingcha_requests_total", &labels)
        });
        counter.increment(1);
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn each_request_is_counted_by_its_route_and_status() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            let meters = Meters::default();
            for (route, status) in [("/a", 200), ("/a", 200), ("/a", 404), ("/b", 200)] {
                meters.count(route, status, 0.5);
            }
        });
        let told = recorder.handle().render();
        for line in [
            "mingcha_requests_total{route=\"/a\",status=\"200\"} 2",
            "mingcha_requests_total{route=\"/a\",status=\"404\"} 1",
            "mingcha_requests_total{route=\"/b\",status=\"200\"} 1",
            "mingcha_request_seconds_count{route=\"/a\"} 3",
            "mingcha_request_seconds_sum{route=\"/a\"} 1.5",
            "mingcha_request_seconds_count{route=\"/b\"} 1",
        ] {
            assert!(told.lines().any(|told| told == line), "no {line} in\n{told}");
        }
    }
}
