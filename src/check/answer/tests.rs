use super::*;

const QUICK: Duration = Duration::from_millis(12);
const SLOW: Duration = Duration::from_secs(3);

fn step(factor: u32, failed: u64, p99: Duration) -> Step {
    Step {
        factor,
        rate: 80.0 * f64::from(factor),
        achieved: 80.0 * f64::from(factor),
        requests: 2_000,
        failed,
        worst: (failed > 0).then(|| "status_503".to_owned()),
        p50: QUICK,
        p99,
        client_late: false,
        interrupted: false,
        memory: Some(20.0 * MIB),
    }
}

fn answer(steps: Vec<Step>, pi: &Value) -> Answer {
    let server = json!({
        "server_type": "may", "work": "sleep:10ms", "num_cpu": 4, "active_connections": 1, "memory_alloc_mb": 20.0,
        "limits": { "max_connections": 1000 }, "pi": pi,
    });
    let server = serde_json::from_value(server).unwrap();
    Answer::new(Demand::of(1_200, Duration::from_secs(300)), steps, Conditions { server, same_machine: true })
}

fn said(steps: Vec<Step>) -> (bool, String) {
    let answer = answer(steps, &Value::Null);
    (answer.is_yes(), answer.verdict().1)
}

#[test]
fn a_server_that_holds_every_step_gets_yes_and_its_reserve() {
    let (yes, text) = said(vec![step(1, 0, QUICK), step(2, 1, QUICK), step(4, 0, QUICK)]);
    assert!(yes);
    assert_eq!(
        text,
        "Yes. 1,200 students in 5m need 80.0 requests/s at the peak. Tested to 320.0 requests/s: at least 4× reserve."
    );
}

#[test]
fn the_step_that_fails_bounds_the_reserve_and_is_named() {
    let (yes, text) = said(vec![step(1, 0, QUICK), step(2, 0, QUICK), step(4, 900, QUICK)]);
    assert!(
        yes && text.contains("Tested to 160.0 requests/s: 2× reserve. At 4× 900 of 2,000 requests failed"),
        "{text}"
    );
    let (yes, text) = said(vec![step(1, 0, QUICK), step(2, 0, SLOW)]);
    assert!(yes && text.contains("little reserve. At 2× 1 of 100 responses took longer than 3.00 s."), "{text}");
}

#[test]
fn a_server_that_fails_the_demand_gets_no() {
    let (yes, text) = said(vec![step(1, 3, QUICK)]);
    assert!(
        !yes && text.starts_with("No. ") && text.contains("3 of 2,000 requests failed: the server is overloaded"),
        "{text}"
    );
    let slow = Step { achieved: 70.0, ..step(1, 0, QUICK) };
    let (yes, text) = said(vec![slow]);
    assert!(!yes && text.contains("only 70.0 of 80.0 requests/s were answered"), "{text}");
    let (yes, text) = said(Vec::new());
    assert!(!yes && text.contains("1,200 connections are needed at once, and this server holds 1,000"), "{text}");
}

#[test]
fn a_client_at_its_own_limit_cannot_say_no() {
    let (yes, text) = said(vec![Step { client_late: true, ..step(1, 0, SLOW) }]);
    assert!(!yes && text.starts_with("Not clear: ") && text.contains("from another machine"), "{text}");
    let (yes, text) = said(vec![Step { client_late: true, ..step(1, 900, SLOW) }]);
    assert!(!yes && text.starts_with("No. "), "the server's own 503 is no fault of the client: {text}");
    let ports = Step { worst: Some("no_local_port".to_owned()), ..step(1, 900, QUICK) };
    assert!(said(vec![ports]).1.starts_with("Not clear: "));
    let interrupted = Step { interrupted: true, ..step(1, 0, QUICK) };
    assert!(said(vec![interrupted]).1.starts_with("Not clear: "));
}

#[test]
fn a_throttled_board_gets_no() {
    let pi = json!({ "model": "Raspberry Pi 4", "throttled": { "now": ["throttled"] }, "under_voltage": true });
    let answer = answer(vec![step(1, 0, QUICK)], &pi);
    assert!(!answer.is_yes());
    assert!(answer.verdict().1.contains("The board reports throttled, under voltage"), "{:?}", answer.verdict());
}

#[test]
fn the_conditions_are_part_of_the_answer() {
    let text = answer(vec![step(1, 0, QUICK)], &Value::Null).text(Paint::plain());
    for part in ["own machine", "sleep:10ms", "1,200 connections at once", "not a Raspberry Pi", "4 requests for each"]
    {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}
