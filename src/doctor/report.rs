//! The verdicts, for people and for programs.

use serde_json::{Value, json};

use super::Facts;
use super::finding::{Check, Verdict};
use crate::terminal::{Paint, thousands};

/// Longest line of an explanation, in characters.
const WIDTH: usize = 96;

pub(super) fn text(facts: &Facts, connections: u64, checks: &[Check], paint: Paint) -> String {
    let model = facts.board.model.as_deref().unwrap_or("This machine");
    let mut lines = vec![format!("{model}, for {} connections", paint.bold(thousands(connections))), String::new()];
    for check in checks {
        let mark = match check.verdict {
            Verdict::Fine => paint.green("ok   "),
            Verdict::Advice => paint.yellow("note "),
            Verdict::Short => paint.red("LOW  "),
            Verdict::Unknown => paint.dim("-    "),
        };
        lines.push(format!("{mark}  {:<20} {}", check.name, check.found));
        lines.extend(wrap(&check.why).into_iter().map(|line| format!("       {}", paint.dim(line))));
        lines.extend(check.fix.iter().map(|command| format!("         {command}")));
    }
    let short = checks.iter().filter(|check| check.verdict == Verdict::Short).count();
    lines.push(String::new());
    lines.push(if short == 0 {
        paint.green("No limit is too low.")
    } else {
        paint.red(format!("{short} of {} checks failed. To fix limits: sudo fastgo doctor --fix", checks.len()))
    });
    lines.join("\n")
}

pub(super) fn json(facts: &Facts, connections: u64, checks: &[Check]) -> Value {
    json!({
        "connections": connections,
        "ok": checks.iter().all(|check| check.verdict != Verdict::Short),
        "model": facts.board.model,
        "checks": checks,
    })
}

fn wrap(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + word.len() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
