//! What is printed at the end: the verdict and a table for people, or JSON for programs.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::coordinator::Status;
use super::plan::Plan;
use super::server::Memory;
use super::tally::{Latency, explain};
use super::verdict::{per_second, verdict};
use crate::terminal::{Paint, short, thousands};

/// The summary for people.
pub(super) fn summary(plan: &Plan, status: &Status, memory: Option<Memory>, paint: Paint) -> String {
    let total = &status.total;
    let verdict = verdict(plan, status, memory);
    let verdict = if total.failed() > 0 { paint.red(verdict) } else { paint.green(verdict) };
    let mut lines = vec![verdict, String::new()];
    let mut line = |label: &str, text: String| lines.push(format!("{} {text}", paint.dim(format!("{label:<8}"))));
    line(
        "opened",
        format!(
            "{} connection attempts, {} connected, peak {} open",
            thousands(plan.connections as u64),
            thousands(total.connected),
            thousands(status.peak_open as u64),
        ),
    );
    line(
        "answered",
        format!(
            "{} requests in {}, {}/s while opening{}",
            thousands(total.answered),
            short(status.took()),
            thousands(per_second(total.first.count(), status.ramp_took()) as u64),
            if status.unfinished > 0 {
                format!(", {} unfinished", thousands(status.unfinished as u64))
            } else {
                String::new()
            },
        ),
    );
    if let Some(rate) = plan.rate {
        line(
            "paced",
            format!(
                "{} requests, {:.1}/s of {rate}/s requested, over {}; {} connections replaced",
                thousands(total.paced.count()),
                per_second(total.paced.count(), status.paced_took()),
                short(status.paced_took()),
                thousands(total.replaced),
            ),
        );
        if total.is_late() {
            let late = thousands(total.late);
            lines.push(format!(
                "{} {late} requests left this client more than 10 ms late: it was short of CPU, and the figures include its delay",
                paint.yellow("late    "),
            ));
        }
    }
    lines.push(String::new());
    lines.extend(table(plan, status, paint));
    if !total.failures.is_empty() {
        lines.push(String::new());
        for (name, failures) in &total.failures {
            lines.push(format!("{name:<16} {:>10}  {}", thousands(*failures), paint.dim(explain(name))));
        }
    }
    lines.join("\n")
}

fn rows<'a>(plan: &Plan, status: &'a Status) -> Vec<(&'static str, &'a Latency)> {
    let total = &status.total;
    let mut rows = vec![("connect", &total.connect), ("first", &total.first)];
    if plan.rate.is_some() {
        rows.push(("paced", &total.paced));
    }
    rows
}

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

fn table(plan: &Plan, status: &Status, paint: Paint) -> Vec<String> {
    let names = QUANTILES.iter().map(|(name, _)| (*name).to_owned());
    let head = columns(names.chain(["max".to_owned()]));
    let mut lines = vec![paint.dim(format!("{:<9}{:>11}{head}", "latency", "count"))];
    for (name, latency) in rows(plan, status).into_iter().filter(|(_, latency)| latency.count() > 0) {
        let values = QUANTILES.iter().map(|(_, quantile)| latency.at(*quantile));
        let values = columns(values.chain([latency.max()]).map(short));
        lines.push(format!("{name:<9}{:>11}{values}", thousands(latency.count())));
    }
    lines
}

fn columns(cells: impl Iterator<Item = String>) -> String {
    cells.map(|cell| format!("{cell:>10}")).collect::<Vec<_>>().concat()
}

/// The summary for programs.
pub(super) fn json(plan: &Plan, status: &Status, memory: Option<Memory>) -> Value {
    let total = &status.total;
    let latency: Map<String, Value> =
        rows(plan, status).into_iter().map(|(name, latency)| (name.to_owned(), latency_json(latency))).collect();
    json!({
        "verdict": verdict(plan, status, memory),
        "url": plan.url,
        "address": plan.address,
        "connections": plan.connections,
        "processes": plan.assignments.len(),
        "sources": plan.sources,
        "rate": plan.rate,
        "interrupted": status.interrupted,
        "ramp_seconds": status.ramp_took().as_secs_f64(),
        "hold_seconds": status.hold_took().as_secs_f64(),
        "elapsed_seconds": status.took().as_secs_f64(),
        "connected": total.connected,
        "peak_open": status.peak_open,
        "held_open": status.held_open,
        "answered": total.answered,
        "unfinished": status.unfinished,
        "failed": total.failed(),
        "failures": total.failures,
        "replaced_connections": total.replaced,
        "late_requests": total.late,
        "bytes_read": total.bytes,
        "answered_per_sec": per_second(total.answered, status.took()),
        "ramp_answered_per_sec": per_second(total.first.count(), status.ramp_took()),
        "paced_answered_per_sec": per_second(total.paced.count(), status.paced_took()),
        "latency_ms": latency,
        "server": memory.map(|memory| json!({
            "resident_bytes": memory.resident.round(),
            "bytes_per_connection": memory.each.map(f64::round),
        })),
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
