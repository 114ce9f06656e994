//! The answer, yes or no, with what was measured and under which conditions.

use std::time::Duration;

use humantime::format_duration;
use serde_json::{Value, json};

use super::demand::{Demand, EARLY_STUDENTS, EARLY_TIME, REQUESTS_PER_STUDENT};
use crate::flood::server::{MIB, Metrics};
use crate::flood::tally::explain;
use crate::terminal::{Paint, short, thousands};

/// A page that takes longer feels broken.
const BEARABLE: Duration = Duration::from_secs(1);

/// Of so many requests, one may fail.
const FAILURE_OF: u64 = 1_000;

/// What was measured at one multiple of the demand.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) factor: u32,
    /// Requests a second that were due, and that were answered.
    pub(super) rate: f64,
    pub(super) achieved: f64,
    pub(super) requests: u64,
    pub(super) failed: u64,
    /// The most frequent failure.
    pub(super) worst: Option<String>,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    /// This client sent requests later than they were due.
    pub(super) client_late: bool,
    pub(super) interrupted: bool,
    /// Resident memory of the server in bytes.
    pub(super) memory: Option<f64>,
}

impl Step {
    pub(super) fn passed(&self) -> bool {
        self.problem().is_none()
    }

    /// Whether this client, and not the server, may be the reason of a problem.
    fn client_at_fault(&self) -> bool {
        let own = ["no_local_port", "no_descriptor", "no_memory", "client_lost"];
        match &self.worst {
            Some(worst) if self.too_many_failed() => own.contains(&worst.as_str()),
            _ => self.client_late,
        }
    }

    fn too_many_failed(&self) -> bool {
        self.failed * FAILURE_OF > self.requests
    }

    fn problem(&self) -> Option<String> {
        if self.too_many_failed() {
            let worst = self.worst.as_deref().map_or("", explain);
            let (failed, requests) = (thousands(self.failed), thousands(self.requests));
            return Some(format!("{failed} of {requests} requests failed: {worst}"));
        }
        if self.p99 > BEARABLE {
            return Some(format!("1 of 100 responses took longer than {}", short(self.p99)));
        }
        let short_of = self.achieved < 0.95 * self.rate;
        short_of.then(|| format!("only {:.1} of {:.1} requests/s were answered", self.achieved, self.rate))
    }
}

/// Where and how it was measured.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    pub(super) server: Metrics,
    /// The load came from the machine that it loaded.
    pub(super) same_machine: bool,
}

impl Conditions {
    /// What the board itself reports as wrong.
    fn trouble(&self) -> Option<String> {
        let pi = &self.server.pi;
        let mut now: Vec<&str> =
            pi["throttled"]["now"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if pi["under_voltage"] == true && !now.contains(&"under_voltage") {
            now.push("under_voltage");
        }
        let words = now.join(", ").replace('_', " ");
        (!now.is_empty()).then(|| format!("The board reports {words}: fix the power supply or the cooling first."))
    }

    fn lines(&self, demand: &Demand) -> Vec<String> {
        let server = &self.server;
        let board = server.pi["model"].as_str().unwrap_or("not a Raspberry Pi");
        let heat = server.pi["temperature_c"].as_f64().map(|heat| format!(", {heat:.0} °C")).unwrap_or_default();
        let from = if self.same_machine {
            "The load came from the server's own machine and used part of its CPU: the server alone can do more."
        } else {
            "The load came over the network from another machine."
        };
        vec![
            format!(
                "{} requests for each student; {:.0} % of the students in the first {:.0} % of the time; {} connections at \
                 once.",
                REQUESTS_PER_STUDENT,
                EARLY_STUDENTS * 100.0,
                EARLY_TIME * 100.0,
                thousands(demand.connections as u64),
            ),
            format!("Engine {}, {board}, {} cores{heat}.", server.server_type, server.num_cpu),
            from.to_owned(),
            format!(
                "Measured with GET / and its simulated work ({}). Storing registrations on disk was not measured.",
                server.work,
            ),
        ]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Yes,
    No,
    /// The measurement does not show it.
    Unclear,
}

/// The answer with its evidence.
#[derive(Debug)]
pub(super) struct Answer {
    demand: Demand,
    steps: Vec<Step>,
    conditions: Conditions,
}

impl Answer {
    pub(super) fn new(demand: Demand, steps: Vec<Step>, conditions: Conditions) -> Self {
        Self { demand, steps, conditions }
    }

    pub(super) fn is_yes(&self) -> bool {
        self.verdict().0 == Verdict::Yes
    }

    fn verdict(&self) -> (Verdict, String) {
        let demand = &self.demand;
        let need = format!(
            "{} students in {} need {:.1} requests/s at the peak",
            thousands(demand.students as u64),
            format_duration(demand.window),
            demand.rate,
        );
        let Some(first) = self.steps.first() else {
            let most = thousands(self.conditions.server.limits.max_connections);
            let needed = thousands(demand.connections as u64);
            return (
                Verdict::No,
                format!("No. {needed} connections are needed at once, and this server holds {most}."),
            );
        };
        if self.steps.iter().any(|step| step.interrupted) {
            return (Verdict::Unclear, "Not clear: the check was interrupted.".to_owned());
        }
        if let Some(problem) = first.problem() {
            if first.client_at_fault() {
                let text = format!(
                    "Not clear: {problem}, and this client may be the reason. Run the check from another machine."
                );
                return (Verdict::Unclear, text);
            }
            return (Verdict::No, format!("No. {need}. At that load {problem}."));
        }
        if let Some(trouble) = self.conditions.trouble() {
            return (Verdict::No, format!("No. {need}, which the server could do now, but not for long. {trouble}"));
        }
        let reserve = self.steps.iter().filter(|step| step.passed()).map(|step| step.factor).max().unwrap_or(1);
        let tested = demand.rate * f64::from(reserve);
        let limit = self.steps.iter().find_map(|step| Some((step.factor, step.problem()?, step.client_at_fault())));
        let beyond = match limit {
            None => format!(" Tested to {tested:.1} requests/s: at least {reserve}× reserve."),
            Some((factor, problem, client)) => {
                let fault = if client { " (this client may be the reason)" } else { "" };
                let reserve = if reserve == 1 { "little reserve".to_owned() } else { format!("{reserve}× reserve") };
                format!(" Tested to {tested:.1} requests/s: {reserve}. At {factor}× {problem}{fault}.")
            }
        };
        (Verdict::Yes, format!("Yes. {need}.{beyond}"))
    }

    pub(super) fn text(&self, paint: Paint) -> String {
        let (verdict, sentence) = self.verdict();
        let sentence = match verdict {
            Verdict::Yes => paint.green(sentence),
            Verdict::No => paint.red(sentence),
            Verdict::Unclear => paint.yellow(sentence),
        };
        let mut lines = vec![sentence, String::new()];
        if !self.steps.is_empty() {
            let head = ["load", "requests/s", "answered/s", "failed", "p50", "p99", "memory"];
            lines.push(paint.dim(columns(&head.map(str::to_owned))));
            lines.extend(self.steps.iter().map(|step| {
                columns(&[
                    format!("{}×", step.factor),
                    format!("{:.1}", step.rate),
                    format!("{:.1}", step.achieved),
                    thousands(step.failed),
                    short(step.p50),
                    short(step.p99),
                    step.memory.map_or_else(|| "-".to_owned(), |bytes| format!("{:.1} MiB", bytes / MIB)),
                ])
            }));
            lines.push(String::new());
        }
        lines.extend(self.conditions.lines(&self.demand));
        lines.join("\n")
    }

    pub(super) fn json(&self) -> Value {
        let (verdict, sentence) = self.verdict();
        let ms = |time: Duration| time.as_micros() as f64 / 1e3;
        let step = |step: &Step| {
            json!({
                "factor": step.factor,
                "passed": step.passed(),
                "requests_per_sec": step.rate,
                "answered_per_sec": step.achieved,
                "requests": step.requests,
                "failed": step.failed,
                "p50_ms": ms(step.p50),
                "p99_ms": ms(step.p99),
                "client_late": step.client_late,
                "server_resident_bytes": step.memory.map(f64::round),
            })
        };
        json!({
            "verdict": match verdict { Verdict::Yes => "yes", Verdict::No => "no", Verdict::Unclear => "unclear" },
            "answer": sentence,
            "students": self.demand.students,
            "seconds": self.demand.window.as_secs_f64(),
            "needed_requests_per_sec": self.demand.rate,
            "needed_connections": self.demand.connections,
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "same_machine": self.conditions.same_machine,
            "conditions": self.conditions.lines(&self.demand),
        })
    }
}

fn columns(cells: &[String]) -> String {
    let cells = cells.iter().enumerate().map(|(place, cell)| match place {
        0 => format!("{cell:<6}"),
        _ => format!("{cell:>12}"),
    });
    cells.collect()
}

#[cfg(test)]
mod tests;
