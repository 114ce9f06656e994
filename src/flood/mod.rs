//! `fastgo flood`: opens very many connections at once, asks on each, holds them, and says how it went.
//!
//! Top to bottom: [`run`] resolves the [`target`], makes a [`plan`] of shares that fit the limits of one process, and
//! the [`crew`] starts this program once per share. Each such [`child`] drives its [`worker`]'s [`connection`]s at the
//! instants the [`pacer`] keeps, reads every [`reply`], and hands its [`tally`] up; [`report`] shows the sum.
//!
//! Paced requests form an open model: they are due at instants fixed beforehand, go to whichever connection has been
//! idle longest, and their latency counts from the instant they were due, whether or not a connection was free then. A
//! slow server therefore cannot slow the measurement down and hide its own delay (coordinated omission).

mod child;
mod connection;
mod crew;
mod pacer;
mod plan;
mod reply;
mod report;
mod tally;
mod target;
mod worker;

use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use crate::config::BadSettings;
use crate::terminal::Paint;
use plan::Plan;
use report::Progress;
pub use target::Target;

/// Marks a process as one of the crew.
const WORKER_FLAG: &str = "--worker";

/// Open many connections at once, ask on each, hold them, and report
///
/// For your own machines. Against a loopback address it uses several source addresses (127.0.0.2, …), and where one
/// process may not open enough files it uses several processes, so that tens of thousands of connections need no setup.
/// Ctrl-C prints what it has.
#[derive(Debug, clap::Args)]
pub struct FloodArgs {
    /// What to flood; http:// only
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8080/")]
    pub url: Target,

    /// How many connections to open and hold
    #[arg(short, long, value_name = "N", default_value = "10000")]
    pub connections: NonZeroUsize,

    /// Open them evenly over this time; 0s: all at once
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    pub ramp: Duration,

    /// Hold them this long after the last has had its answer
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub hold: Duration,

    /// Send this many requests a second in total while holding; latency counts from when each was due
    #[arg(long, value_name = "PER_SECOND", value_parser = parse_rate)]
    pub rate: Option<f64>,

    /// Give up on a connection attempt or an answer after this time
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_timeout)]
    pub timeout: Duration,

    /// Connect from these local addresses in turn
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub source: Vec<IpAddr>,

    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,

    /// One process of the crew: its share comes on standard input
    #[arg(long, hide = true)]
    worker: bool,
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("a number of requests a second, from 0.001 to 10000000".to_owned()),
    }
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if timeout.is_zero() { Err("it must be more than nothing".to_owned()) } else { Ok(timeout) }
}

/// Runs the flood; the exit code is 0 when nothing failed and 1 when something did.
///
/// Progress goes to standard error, the summary to standard output.
///
/// # Errors
/// [`BadSettings`] when the arguments contradict each other; others when the target's name cannot be resolved, a limit of this machine makes the number of connections impossible, or a
/// client process cannot be started.
pub fn run(args: &FloodArgs) -> anyhow::Result<ExitCode> {
    if args.worker {
        return child::run().map(|()| ExitCode::SUCCESS);
    }
    let address = args.url.resolve()?;
    if let Some(source) = args.source.iter().find(|source| source.is_ipv4() != address.is_ipv4()) {
        let problem = format!("--source {source}: not of the same IP version as {address}");
        return Err(BadSettings::one(problem).into());
    }
    let plan = Plan::new(args, address)?;
    let mut progress = Progress::new();
    progress.announce(&plan);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let count = runtime.block_on(crew::run(&plan, &mut progress))?;
    if args.json {
        println!("{:#}", report::json(&plan, &count));
    } else {
        println!("{}", report::summary(&plan, &count, Paint::for_stream(&io::stdout())));
    }
    let failed = count.total.failed() > 0;
    Ok(ExitCode::from(u8::from(failed)))
}
