//! The figures of a run: as a table for people, and as the one line of JSON.

/// What is told.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) ratio_throughput: f64,
    pub(crate) ratio_cpu: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms_half_load: f64,
    pub(crate) proxy_p50_ms: f64,
    pub(crate) proxy_p99_ms: f64,
    pub(crate) fsync_p99_ms: f64,
    pub(crate) seal_share: f64,
    pub(crate) people: u64,
    pub(crate) growth_p50: f64,
    pub(crate) idle_rss_mb: f64,
    pub(crate) first_answer_ms: f64,
    pub(crate) routing_share: f64,
}

impl Figures {
    /// The line that ends every run; its keys are those of design and documentation.
    pub(crate) fn json(&self) -> String {
        format!(
            "{{\"bench\":\"lookup\",\"ratio_throughput\":{:.3},\"ratio_cpu\":{:.2},\"p50_ms\":{:.3},\
             \"p99_ms_half_load\":{:.3},\"fsync_p99_ms\":{:.3},\"seal_share\":{:.3},\"people\":{},\
             \"growth_p50\":{:.3},\"idle_rss_mb\":{:.1},\"first_answer_ms\":{:.1},\"routing_share\":{:.4}}}",
            self.ratio_throughput,
            self.ratio_cpu,
            self.p50_ms,
            self.p99_ms_half_load,
            self.fsync_p99_ms,
            self.seal_share,
            self.people,
            self.growth_p50,
            self.idle_rss_mb,
            self.first_answer_ms,
            self.routing_share,
        )
    }

    /// Choosing among sources adds at most 3 % to a look-up.
    pub(crate) fn routing_is_cheap(&self) -> bool {
        self.routing_share <= 0.03
    }

    /// Each figure beside its aim.
    pub(crate) fn print(&self) {
        let latest = self.proxy_p99_ms + 4.0 * self.fsync_p99_ms;
        let rows = [
            (
                "throughput / proxy's",
                self.ratio_throughput,
                self.ratio_throughput >= 0.18,
                "≥ 0.18, towards 0.30",
            ),
            (
                "CPU / proxy's",
                self.ratio_cpu,
                self.ratio_cpu <= 6.0,
                "≤ 6, towards 3.3",
            ),
            (
                "share of the two seals",
                self.seal_share,
                self.seal_share <= 0.5,
                "≤ 0.5",
            ),
            (
                "p50 with ten times as many people",
                self.growth_p50,
                self.growth_p50 <= 1.5,
                "≤ 1.5 times",
            ),
            (
                "memory at rest, MB",
                self.idle_rss_mb,
                self.idle_rss_mb <= 40.0,
                "≤ 40",
            ),
            (
                "first answer after exec, ms",
                self.first_answer_ms,
                self.first_answer_ms <= 300.0,
                "≤ 300",
            ),
            (
                "share of routing",
                self.routing_share,
                self.routing_is_cheap(),
                "≤ 0.03",
            ),
            (
                "p99 at half load, ms",
                self.p99_ms_half_load,
                self.p99_ms_half_load <= latest,
                "≤ proxy's + 4 syncs",
            ),
        ];
        eprintln!("\n{} people", self.people);
        for (what, figure, met, aim) in rows {
            eprintln!(
                "  {what:<36} {figure:>9.3}  {aim:<22} {}",
                if met { "met" } else { "MISSED" }
            );
        }
        eprintln!(
            "  at half load: p50 {:.3} ms (proxy {:.3}), p99 {:.3} ms (proxy {:.3}), p99 of a sync {:.3} ms",
            self.p50_ms, self.proxy_p50_ms, self.p99_ms_half_load, self.proxy_p99_ms, self.fsync_p99_ms,
        );
    }
}

/// The middle one; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 if middle > 0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted.get(middle).copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_its_figures_in_order() {
        let line = Figures {
            people: 100_000,
            ratio_cpu: 5.0,
            ..Figures::default()
        }
        .json();
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["ratio_cpu"], 5.0);
        assert_eq!(parsed["people"], 100_000);
        let keys = [
            "bench",
            "ratio_throughput",
            "ratio_cpu",
            "p50_ms",
            "p99_ms_half_load",
            "fsync_p99_ms",
            "seal_share",
            "people",
            "growth_p50",
            "idle_rss_mb",
            "first_answer_ms",
            "routing_share",
        ];
        let places: Vec<_> = keys.iter().map(|key| line.find(&format!("\"{key}\":"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{line}");
        assert_eq!(parsed.as_object().map(serde_json::Map::len), Some(keys.len()));
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0]), 5.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
    }
}
