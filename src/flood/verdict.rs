//! The outcome of a flood in one sentence or three: how many connections were held, what they cost, what failed.

use std::time::Duration;

use super::coordinator::Status;
use super::plan::Plan;
use super::server::Memory;
use super::tally::explain;
use crate::terminal::{short, thousands};

/// `Held 10,000 connections for 10 s. Server: 24.1 MiB, +0.5 KiB for each connection. No failures.`
pub(super) fn verdict(plan: &Plan, status: &Status, memory: Option<Memory>) -> String {
    let mut sentences = vec![held(plan, status)];
    if let Some(rate) = plan.rate {
        let paced = &status.total.paced;
        let achieved = per_second(paced.count(), status.paced_took());
        sentences.push(format!(
            "Answered {achieved:.1} of {rate} requests/s{}.",
            if paced.count() > 0 { format!(", p99 {}", short(paced.at(0.99))) } else { String::new() },
        ));
    }
    sentences.extend(memory.map(|memory| format!("Server: {}.", memory.text())));
    sentences.push(failures(status));
    sentences.join(" ")
}

fn held(plan: &Plan, status: &Status) -> String {
    let wanted = thousands(plan.connections as u64);
    let held = if status.held_open == plan.connections {
        wanted
    } else {
        format!("{} of {wanted}", thousands(status.held_open as u64))
    };
    let time = match status.hold_took() {
        Duration::ZERO => String::new(),
        time => format!(" for {}", short(time)),
    };
    let start =
        if status.interrupted { format!("Interrupted after {}. ", short(status.took())) } else { String::new() };
    format!("{start}Held {held} connections{time}.")
}

fn failures(status: &Status) -> String {
    let most = status.total.failures.iter().max_by_key(|(_, count)| **count);
    let Some((name, count)) = most else { return "No failures.".to_owned() };
    let failed = status.total.failed();
    let failures = if failed == 1 { "failure" } else { "failures" };
    let mostly = if *count == failed { "" } else { ", mostly" };
    format!("{} {failures}{mostly}: {}.", thousands(failed), explain(name))
}

/// `number` in each second of `time`.
pub(super) fn per_second(number: u64, time: Duration) -> f64 {
    if time.is_zero() { 0.0 } else { number as f64 / time.as_secs_f64() }
}
