//! What the person sees: a progress line while it runs, a summary (or JSON) at the end.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::crew::{Count, Phase};
use super::plan::Plan;
use super::tally::{Latency, explain};
use crate::terminal::{Paint, short, thousands};

/// The live line on standard error: rewritten in place on a terminal, else a new line each second.
pub(super) struct Progress {
    paint: Paint,
    terminal: bool,
}

impl Progress {
    pub(super) fn new() -> Self {
        let stderr = io::stderr();
        Self { paint: Paint::for_stream(&stderr), terminal: stderr.is_terminal() }
    }

    pub(super) fn every(&self) -> Duration {
        Duration::from_millis(if self.terminal { 200 } else { 1_000 })
    }

    pub(super) fn announce(&self, plan: &Plan) {
        eprintln!("{}", plan.headline());
        for warning in &plan.warnings {
            eprintln!("{} {warning}", self.paint.yellow("note:"));
        }
    }

    pub(super) fn show(&self, count: &Count) {
        let line = self.line(count);
        let mut stderr = io::stderr().lock();
        // Progress is a courtesy: a closed standard error is no reason to stop.
        let _ = if self.terminal {
            write!(stderr, "\r\x1b[K{line}").and_then(|()| stderr.flush())
        } else {
            writeln!(stderr, "{line}")
        };
    }

    pub(super) fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }

    fn line(&self, count: &Count) -> String {
        let (label, took) = match count.phase {
            Phase::Ramp => ("ramp", count.ramp_took()),
            Phase::Hold => ("hold", count.hold_took()),
            Phase::Finish => ("finish", count.took()),
        };
        let failed = count.total.failed();
        let mut failures = format!("failed {}", thousands(failed));
        if failed > 0 {
            failures = self.paint.red(failures);
        }
        let latency = current(count);
        let latency = match latency.count() {
            0 => String::new(),
            _ => format!("  p50 {}  p99 {}", short(latency.at(0.5)), short(latency.at(0.99))),
        };
        format!(
            "{} {:>4}s  open {}  answered {}  {failures}{latency}",
            self.paint.dim(format!("{label:<6}")),
            took.as_secs(),
            thousands(count.open as u64),
            thousands(count.total.answered),
        )
    }
}

/// The latency that matters now: of the paced requests, once there are any.
fn current(count: &Count) -> &Latency {
    if count.total.paced.count() > 0 { &count.total.paced } else { &count.total.first }
}

/// The summary for people.
pub(super) fn summary(plan: &Plan, count: &Count, paint: Paint) -> String {
    let total = &count.total;
    let mut lines = vec![String::new()];
    if count.interrupted {
        lines.push(paint.yellow(format!(
            "interrupted after {}, {} requests unfinished",
            short(count.took()),
            thousands(count.unfinished as u64),
        )));
        lines.push(String::new());
    }
    lines.push(format!(
        "{} {} of {}, at most {} at once",
        paint.dim("connected"),
        paint.bold(thousands(total.connected)),
        thousands(plan.connections as u64),
        thousands(count.peak_open as u64),
    ));
    lines.push(format!(
        "{} {} in {}, {}/s while opening",
        paint.dim("answered "),
        paint.bold(thousands(total.answered)),
        short(count.took()),
        thousands(per_second(total.first.count(), count.ramp_took()) as u64),
    ));
    if let Some(rate) = plan.rate {
        lines.push(format!(
            "{} {} at {:.1}/s of {rate}/s asked, over {}; {} connections replaced",
            paint.dim("paced    "),
            paint.bold(thousands(total.paced.count())),
            per_second(total.paced.count(), count.paced_took()),
            short(count.paced_took()),
            thousands(total.replaced),
        ));
        // Fewer cannot move the quantiles of the table.
        if total.late * 1_000 > total.paced.count() {
            lines.push(format!(
                "{} {} requests left this client more than 10 ms late: it was short of CPU, and its own delay is in the figures",
                paint.yellow("late     "),
                thousands(total.late),
            ));
        }
    }
    lines.push(String::new());
    lines.extend(table(plan, count, paint));
    lines.push(String::new());
    if total.failures.is_empty() {
        lines.push(paint.green("no failures"));
    } else {
        lines.push(paint.red(format!("{} failures", thousands(total.failed()))));
        for (name, failures) in &total.failures {
            lines.push(format!("  {name:<16} {:>10}  {}", thousands(*failures), paint.dim(explain(name))));
        }
    }
    lines.join("\n")
}

fn rows<'a>(plan: &Plan, count: &'a Count) -> Vec<(&'static str, &'a Latency)> {
    let total = &count.total;
    let mut rows = vec![("connect", &total.connect), ("first", &total.first)];
    if plan.rate.is_some() {
        rows.push(("paced", &total.paced));
    }
    rows
}

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

fn table(plan: &Plan, count: &Count, paint: Paint) -> Vec<String> {
    let names = QUANTILES.iter().map(|(name, _)| (*name).to_owned());
    let head = columns(names.chain(["max".to_owned()]));
    let mut lines = vec![paint.dim(format!("{:<9}{:>11}{head}", "latency", "count"))];
    for (name, latency) in rows(plan, count).into_iter().filter(|(_, latency)| latency.count() > 0) {
        let values = QUANTILES.iter().map(|(_, quantile)| latency.at(*quantile));
        let values = columns(values.chain([latency.max()]).map(short));
        lines.push(format!("{name:<9}{:>11}{values}", thousands(latency.count())));
    }
    lines
}

fn columns(cells: impl Iterator<Item = String>) -> String {
    cells.map(|cell| format!("{cell:>10}")).collect::<Vec<_>>().concat()
}

fn per_second(number: u64, duration: Duration) -> f64 {
    if duration.is_zero() { 0.0 } else { number as f64 / duration.as_secs_f64() }
}

/// The summary for programs.
pub(super) fn json(plan: &Plan, count: &Count) -> Value {
    let total = &count.total;
    let latency: Map<String, Value> =
        rows(plan, count).into_iter().map(|(name, latency)| (name.to_owned(), latency_json(latency))).collect();
    json!({
        "url": plan.url,
        "address": plan.address,
        "connections": plan.connections,
        "processes": plan.shares.len(),
        "sources": plan.sources,
        "rate": plan.rate,
        "interrupted": count.interrupted,
        "ramp_seconds": count.ramp_took().as_secs_f64(),
        "hold_seconds": count.hold_took().as_secs_f64(),
        "elapsed_seconds": count.took().as_secs_f64(),
        "connected": total.connected,
        "peak_open": count.peak_open,
        "answered": total.answered,
        "unfinished": count.unfinished,
        "failed": total.failed(),
        "failures": total.failures,
        "replaced_connections": total.replaced,
        "late_requests": total.late,
        "bytes_read": total.bytes,
        "answered_per_sec": per_second(total.answered, count.took()),
        "ramp_answered_per_sec": per_second(total.first.count(), count.ramp_took()),
        "paced_answered_per_sec": per_second(total.paced.count(), count.paced_took()),
        "latency_ms": latency,
    })
}

fn latency_json(latency: &Latency) -> Value {
    let ms = |duration: Duration| duration.as_micros() as f64 / 1e3;
    json!({
        "count": latency.count(),
        "min": ms(latency.min()),
        "mean": ms(latency.mean()),
        "p50": ms(latency.at(0.5)),
        "p90": ms(latency.at(0.9)),
        "p95": ms(latency.at(0.95)),
        "p99": ms(latency.at(0.99)),
        "p999": ms(latency.at(0.999)),
        "max": ms(latency.max()),
    })
}
