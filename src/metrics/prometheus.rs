//! The same numbers in the formats of Prometheus: text 0.0.4, or `OpenMetrics` 1.0 if `Accept` asks for it.

use std::fmt::Write as _;

use super::counters::{ENDPOINTS, METHODS, STATUSES};
use super::latency::BUCKETS_US;
use super::reading::Reading;
use super::table::{Kind, ROWS, Value};
use crate::platform::Outcome;

/// Which of the two text formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// `text/plain; version=0.0.4`
    Text,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

impl Exposition {
    /// The content type, without which Prometheus 3 refuses a scrape.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Reading<'_> {
    /// Every metric in `format`.
    pub fn to_prometheus(&self, format: Exposition) -> String {
        let mut page = Page { text: String::with_capacity(16 * 1024), format };
        let engine = self.engine();
        page.family("fastgo_build_info", Kind::Gauge, "What serves.");
        page.sample(
            "fastgo_build_info",
            &[
                ("engine", engine),
                ("version", env!("CARGO_PKG_VERSION")),
                ("work", &self.config.live.work().to_string()),
            ],
            "1",
        );
        self.write_answers(&mut page);
        self.write_latencies(&mut page);
        for row in ROWS.iter().filter(|row| !row.prometheus.is_empty()) {
            let value = match (row.read)(self) {
                Value::Int(count) => count.to_string(),
                Value::Float(measure) => measure.to_string(),
                Value::Missing => continue,
            };
            page.family(row.prometheus, row.kind, row.help);
            page.sample(row.prometheus, &[("engine", engine)], &value);
        }
        self.write_collectors(&mut page);
        if format == Exposition::OpenMetrics {
            page.text.push_str("# EOF\n");
        }
        page.text
    }

    /// Counted as of the last full second, as the latencies are: a scrape has as many of one as of the other.
    fn write_answers(&self, page: &mut Page) {
        page.family("http_requests_total", Kind::Counter, "Answers by route, method and status.");
        for ((_, route), methods) in ENDPOINTS.iter().zip(&self.second.totals.answers) {
            for (method, statuses) in METHODS.iter().zip(methods) {
                for (status, &count) in STATUSES.iter().zip(statuses) {
                    if count > 0 {
                        let labels = [
                            ("engine", self.engine()),
                            ("method", method),
                            ("route", route),
                            ("status", &status.to_string()),
                        ];
                        page.sample("http_requests_total", &labels, &count.to_string());
                    }
                }
            }
        }
    }

    /// One sample each for every subsystem of the board, as `node_exporter` has them.
    fn write_collectors(&self, page: &mut Page) {
        let name = "fastgo_pi_collector_success";
        page.family(
            name,
            Kind::Gauge,
            "1 when the subsystem was read, 0 when its files made no sense; missing without them.",
        );
        for collector in self.second.collectors.iter().filter(|one| one.outcome != Outcome::Absent) {
            let success = if collector.outcome == Outcome::Read { "1" } else { "0" };
            page.sample(name, &[("engine", self.engine()), ("collector", collector.name)], success);
        }
        let name = "fastgo_pi_collector_duration_seconds";
        page.family(name, Kind::Gauge, "How long the last reading of the subsystem took.");
        for collector in &self.second.collectors {
            let labels = [("engine", self.engine()), ("collector", collector.name)];
            page.sample(name, &labels, &collector.took.as_secs_f64().to_string());
        }
    }

    fn write_latencies(&self, page: &mut Page) {
        let name = "http_request_duration_seconds";
        let buckets = &self.second.buckets;
        page.header(name, "histogram", "Time from a request's last byte to its answer, for the route /.");
        let bounds = BUCKETS_US.iter().map(|&bound| (bound as f64 / 1e6).to_string());
        let counts = bounds.zip(buckets.counts).chain([("+Inf".to_owned(), buckets.count)]);
        for (bound, count) in counts {
            page.sample(&format!("{name}_bucket"), &[("engine", self.engine()), ("le", &bound)], &count.to_string());
        }
        page.sample(&format!("{name}_sum"), &[("engine", self.engine())], &buckets.sum.as_secs_f64().to_string());
        page.sample(&format!("{name}_count"), &[("engine", self.engine())], &buckets.count.to_string());
    }
}

struct Page {
    text: String,
    format: Exposition,
}

impl Page {
    /// `OpenMetrics` names a counter's family without `_total`; the older format names it as its sample.
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        match (kind, self.format) {
            (Kind::Gauge, _) => self.header(name, "gauge", help),
            (Kind::Counter, Exposition::Text) => self.header(name, "counter", help),
            (Kind::Counter, Exposition::OpenMetrics) => {
                self.header(name.strip_suffix("_total").unwrap_or(name), "counter", help);
            }
        }
    }

    fn header(&mut self, name: &str, kind: &str, help: &str) {
        writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}").expect("writing to a String cannot fail");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: &str) {
        self.text.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            // No label value here holds a quote, a backslash or a line end.
            let open = if index == 0 { '{' } else { ',' };
            write!(self.text, "{open}{label}=\"{text}\"").expect("writing to a String cannot fail");
        }
        writeln!(self.text, "}} {value}").expect("writing to a String cannot fail");
    }
}
