//! `fastgo check`: will this server do for so many students in so much time? A short, bounded load answers it.
//!
//! [`demand`] says what the students need, [`run`] puts that load on the server, then multiples of it, with the client
//! of [`crate::flood`], and [`answer`] judges the measurements.

mod answer;
mod demand;

use std::io::{self, IsTerminal as _};
use std::net::{IpAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use crate::flood::server::Sample;
use crate::flood::{self, FloodArgs, Target};
use crate::terminal::{Paint, thousands};
use answer::{Answer, Conditions, Step};
use demand::Demand;

/// The multiples of the demand that are tested, until one fails.
const FACTORS: [u32; 3] = [1, 2, 4];

/// Each multiple lasts this long after its connections are open.
const HOLD: Duration = Duration::from_secs(5);

/// This client is short of CPU when one of so many requests left late.
const LATE_SHARE: u64 = 20;

/// A request without a response after this time has failed.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Check with a short load whether a server will do for so many students in so much time
///
/// The server must be running; the load takes up to a minute and sends GET / only, so it registers no student. Run it from
/// another machine: on the server itself it uses part of the CPU that it measures. Exits with 1 unless the answer is yes.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// The server; http:// only
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8080/")]
    url: Target,

    /// Students who register
    #[arg(long, value_name = "N", value_parser = parse_students)]
    students: NonZeroUsize,

    /// The time in which they come; half of them in its first tenth
    #[arg(long = "in", value_name = "DURATION", default_value = "5m", value_parser = parse_window)]
    window: Duration,

    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

fn parse_students(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= 100_000);
    number.ok_or_else(|| "must be a whole number from 1 to 100000".to_owned())
}

fn parse_window(text: &str) -> Result<Duration, String> {
    let range = Duration::from_secs(10)..=Duration::from_secs(86_400);
    let window = humantime::parse_duration(text).ok().filter(|window| range.contains(window));
    window.ok_or_else(|| "must be a duration from 10s to 1day, such as 5m".to_owned())
}

/// Runs the check; the exit code is 0 when the answer is yes, else 1.
///
/// # Errors
/// When the server is not a fastgo that answers, or the load cannot be made.
pub fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let address = args.url.resolve()?;
    let Some(server) = flood::server::sample(address, args.url.authority()) else {
        anyhow::bail!(
            "no fastgo answers at {} (GET /metrics failed): start it, name another URL, or set ACCESS_TOKEN where it has one",
            args.url
        );
    };
    let demand = Demand::of(args.students.get(), args.window);
    let conditions = Conditions { server: server.metrics.clone(), same_machine: is_own(address.ip()) };
    let mut steps = Vec::new();
    if demand.connections as u64 <= server.metrics.limits.max_connections {
        for factor in FACTORS {
            let step = measure(&args.url, &demand, factor)?;
            let go_on = step.passed() && !step.interrupted;
            steps.push(step);
            if !go_on {
                break;
            }
        }
    }
    let answer = Answer::new(demand, steps, conditions);
    if args.json {
        println!("{:#}", answer.json());
    } else {
        println!("{}", answer.text(Paint::for_stream(&io::stdout())));
    }
    Ok(ExitCode::from(u8::from(!answer.is_yes())))
}

/// Opens the connections and sends `factor` times the requests of the demand.
fn measure(url: &Target, demand: &Demand, factor: u32) -> anyhow::Result<Step> {
    let rate = demand.rate * f64::from(factor);
    let load = FloodArgs {
        url: url.clone(),
        connections: NonZeroUsize::new(demand.connections).unwrap_or(NonZeroUsize::MIN),
        ramp: demand.ramp(factor),
        hold: HOLD,
        rate: Some(rate),
        timeout: TIMEOUT,
        source: Vec::new(),
        run: None,
        json: false,
    };
    if io::stderr().is_terminal() {
        let connections = thousands(demand.connections as u64);
        eprintln!(
            "{factor}×: {rate:.1} requests/s over {connections} connections for {} s …",
            (load.ramp + load.hold).as_secs()
        );
    }
    let (_, status, _) = flood::measure(&load, Duration::from_secs(1), |_, _| ())?;
    let total = &status.total;
    Ok(Step {
        factor,
        rate,
        achieved: total.paced.count() as f64 / status.paced_took().as_secs_f64().max(0.001),
        requests: total.answered + total.failed(),
        failed: total.failed(),
        worst: total.failures.iter().max_by_key(|(_, count)| **count).map(|(name, _)| name.clone()),
        p50: total.paced.at(0.5),
        p99: total.paced.at(0.99),
        client_late: total.late * LATE_SHARE > total.answered,
        interrupted: status.interrupted,
        memory: status.server.as_ref().map(Sample::resident),
    })
}

/// Whether packets to this address stay on this machine: the kernel then sends them from the same address.
fn is_own(ip: IpAddr) -> bool {
    let any: IpAddr = if ip.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        // Connecting a datagram socket sends nothing.
        socket.connect((ip, 9))?;
        socket.local_addr()
    });
    ip.is_loopback() || source.is_ok_and(|source| source.ip() == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_known_and_others_are_not() {
        assert!(is_own([127, 0, 0, 1].into()) && is_own([127, 1, 2, 3].into()));
        assert!(!is_own([192, 0, 2, 1].into()));
    }
}
