//! The state of the engines, for people and for programs.

use serde_json::{Value, json};

use super::Engine;
use crate::terminal::Paint;

pub(super) fn text(engines: &[Engine], paint: Paint) -> String {
    let board = engines.iter().find_map(|engine| engine.metrics.as_ref()).map(|metrics| &metrics["pi"]);
    let model = board.and_then(|board| board["model"].as_str()).unwrap_or("this machine");
    let mut lines = vec![format!("fastgo {} on {model}", env!("CARGO_PKG_VERSION")), String::new()];
    for engine in engines {
        let (state, details) = describe(engine, paint);
        // Padded before it is coloured.
        lines.push(format!("{:<12} {state} {}", engine.name, details.first().map(String::as_str).unwrap_or_default()));
        lines.extend(details.iter().skip(1).map(|detail| format!("{:<12} {:<11} {detail}", "", "")));
    }
    lines.push(String::new());
    if let Some(board) = board.and_then(board_line) {
        lines.push(board);
    }
    let urls = engines.iter().find(|engine| engine.answers()).map(Engine::urls).unwrap_or_default();
    match urls.as_slice() {
        [] => lines.push("No engine answers.".to_owned()),
        urls => lines.extend(urls.iter().map(|url| format!("Dashboard    {}", paint.bold(format!("{url}/compare3"))))),
    }
    lines.join("\n")
}

/// One word for its state, and the details.
fn describe(engine: &Engine, paint: Paint) -> (String, Vec<String>) {
    let unit = engine.unit.as_ref();
    let restarts = unit.map_or(0, |unit| unit.restarts);
    let mut details = Vec::new();
    let state = match &engine.metrics {
        Some(metrics) => {
            let port = engine.address.map(|address| address.port()).unwrap_or_default();
            let uptime = metrics["uptime_seconds"].as_f64().unwrap_or_default() as u64;
            let connections = metrics["active_connections"].as_u64().unwrap_or_default();
            details.push(format!("port {port}, up {}, {connections} connections", duration(uptime)));
            paint.green(format!("{:<11}", if metrics["draining"] == true { "stopping" } else { "running" }))
        }
        None if engine.is_locked => {
            let port = engine.address.map(|address| address.port()).unwrap_or_default();
            details.push(format!("port {port}; sudo fastgo status shows more, as there is an access token"));
            paint.green(format!("{:<11}", "running"))
        }
        None if engine.is_wanted() => {
            details.push(unit.map(|unit| unit.status.as_str()).filter(|status| !status.is_empty()).map_or_else(
                || format!("no answer: {}", engine.silence.as_deref().unwrap_or("unknown reason")),
                str::to_owned,
            ));
            details.extend(engine.error.clone());
            paint.red(format!("{:<11}", "NOT RUNNING"))
        }
        None => {
            details.push(match unit {
                Some(unit) if unit.enabled == "masked" => "masked".to_owned(),
                Some(_) => "disabled".to_owned(),
                None => "no such service".to_owned(),
            });
            paint.dim(format!("{:<11}", "off"))
        }
    };
    let crashes = engine.metrics.as_ref().map(|metrics| &metrics["crashes"]);
    if restarts > 0 {
        details.push(format!("restarted {restarts} times since it was started"));
    }
    if let Some(last) = crashes.map(|crashes| &crashes["last"]).filter(|last| last.is_object()) {
        let text = |name: &str| last[name].as_str().unwrap_or_default().to_owned();
        let count = |name: &str| crashes.and_then(|crashes| crashes[name].as_u64()).unwrap_or_default();
        let (total, watchdog) = (count("total"), count("watchdog"));
        details.push(format!("failures so far: {total}, {watchdog} of them by the watchdog"));
        details.push(format!("last failure {}: {}", text("time"), text("reason")));
    }
    (state, details)
}

/// Temperature and what slows the board down; `None` where neither is known.
fn board_line(board: &Value) -> Option<String> {
    let mut parts = Vec::new();
    parts.extend(board["temperature_c"].as_f64().map(|celsius| format!("{celsius:.0} °C")));
    if let Some(now) = board["throttled"]["now"].as_array() {
        let names: Vec<_> = now.iter().filter_map(Value::as_str).map(|name| name.replace('_', " ")).collect();
        parts.push(if names.is_empty() { "not throttled".to_owned() } else { names.join(", ") });
    }
    parts.extend(board["firmware"]["supply_volts"].as_f64().map(|volts| format!("supply {volts:.2} V")));
    parts.extend(board["under_voltage"].as_bool().filter(|low| *low).map(|_| "supply voltage too low".to_owned()));
    (!parts.is_empty()).then(|| format!("Board        {}", parts.join(", ")))
}

/// `3 d 4 h`, `4 h 5 min`, `5 min`, `20 s`.
fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

pub(super) fn json(engines: &[Engine]) -> Value {
    let engine = |engine: &Engine| {
        let unit = engine.unit.as_ref();
        json!({
            "engine": engine.name,
            "answers": engine.answers(),
            "wanted": engine.is_wanted(),
            "state": unit.map(|unit| &unit.active),
            "enabled": unit.map(|unit| &unit.enabled),
            "status": unit.map(|unit| &unit.status),
            "restarts": unit.map(|unit| unit.restarts),
            "urls": engine.urls(),
            "error": engine.error.as_ref().or(engine.silence.as_ref()),
            "crashes": engine.metrics.as_ref().map(|metrics| &metrics["crashes"]),
        })
    };
    json!({ "version": env!("CARGO_PKG_VERSION"), "engines": engines.iter().map(engine).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::super::unit::Unit;
    use super::*;

    fn unit(active: &str, status: &str) -> Unit {
        Unit { active: active.into(), enabled: "enabled".into(), status: status.into(), restarts: 0 }
    }

    #[test]
    fn says_what_runs_what_does_not_and_where_to_look() {
        let board = json!({
            "model": "Raspberry Pi 5", "temperature_c": 61.4, "throttled": { "now": ["frequency_capped"] },
            "firmware": { "supply_volts": 5.046 }, "under_voltage": false
        });
        let crashes = json!({ "total": 1, "watchdog": 1, "last": { "time": "2026-01-01T00:00:00Z", "reason": "watchdog (ABRT)" } });
        let metrics = json!({
            "server_type": "may", "uptime_seconds": 93_784.2, "active_connections": 12, "draining": false, "pi": board,
            "crashes": crashes
        });
        let may = Engine {
            name: "may",
            unit: Some(unit("active", "")),
            address: Some("192.0.2.7:9081".parse().unwrap()),
            metrics: Some(metrics),
            ..Engine::default()
        };
        let hyper = Engine {
            name: "hyper",
            unit: Some(unit("activating", "failed 3 times in a row, exit-code (2): starting again in 4s")),
            error: Some("hyper: cannot listen on [::]:8082".into()),
            ..Engine::default()
        };
        let idle = Engine { name: "worker-pool", unit: Some(Unit::default()), ..Engine::default() };
        let expected = format!(
            "fastgo {} on Raspberry Pi 5\n
worker-pool  off         disabled
may          running     port 9081, up 1 d 2 h, 12 connections
                         failures so far: 1, 1 of them by the watchdog
                         last failure 2026-01-01T00:00:00Z: watchdog (ABRT)
hyper        NOT RUNNING failed 3 times in a row, exit-code (2): starting again in 4s
                         hyper: cannot listen on [::]:8082

Board        61 °C, frequency capped, supply 5.05 V
Dashboard    http://192.0.2.7:9081/compare3",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(text(&[idle, may, hyper], Paint::plain()), expected);
    }

    #[test]
    fn an_engine_that_asks_for_its_token_runs() {
        let address = Some("127.0.0.1:8081".parse().unwrap());
        let may = Engine { name: "may", address, is_locked: true, ..Engine::default() };
        let text = text(&[may], Paint::plain());
        assert!(text.contains("may          running     port 8081; sudo fastgo status"), "{text}");
        assert!(text.ends_with("http://127.0.0.1:8081/compare3"), "{text}");
    }

    #[test]
    fn nothing_at_all_is_said_too() {
        let none = Engine { name: "may", ..Engine::default() };
        assert!(
            text(&[none], Paint::plain()).ends_with("may          off         no such service\n\nNo engine answers.")
        );
    }

    #[test]
    fn durations_have_two_units() {
        assert_eq!([duration(20), duration(300), duration(14_700)], ["20 s", "5 min", "4 h 5 min"]);
    }
}
