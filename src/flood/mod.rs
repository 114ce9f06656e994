//! `fastgo flood`: opens very many connections at once, sends a request on each, holds them, and reports.
//!
//! [`run`] resolves the [`target`] and makes a [`plan`] of assignments that fit the limits of one process; the
//! [`coordinator`] starts this program once for each of them. Such a [`client`] process drives the [`connection`]s of its
//! [`worker`] at the instants that the [`pacer`] keeps, reads every [`response`], and reports its [`tally`]. Meanwhile
//! [`server`] asks the server for its own figures. [`progress`] shows the sum while it runs; [`verdict`] and [`report`]
//! at the end.
//!
//! Paced requests form an open model: they are due at instants fixed beforehand, go to whichever connection has been
//! idle longest, and their latency counts from the instant they were due, whether or not a connection was free then. A
//! slow server therefore cannot slow the measurement down and hide its own delay (coordinated omission).

mod client;
mod connection;
mod coordinator;
mod pacer;
mod plan;
mod progress;
mod report;
mod response;
pub(crate) mod server;
pub(crate) mod tally;
mod target;
mod verdict;
mod worker;

use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use crate::config::BadSettings;
use crate::terminal::Paint;
use anyhow::Context as _;
use coordinator::Status;
use plan::Plan;
use progress::Progress;
use server::{Memory, NamedRun, Sample, Watch};
pub use target::Target;

/// Set in a client process, where the command line has no flag for it.
const WORKER_VARIABLE: &str = "FASTGO_FLOOD_WORKER";

/// Open many connections, send one request on each, keep them open, report
///
/// For your own machines. Against a loopback address it uses several source addresses (127.0.0.2, …), and where one
/// process may not open enough files it uses several processes, so that tens of thousands of connections need no setup.
/// Ctrl-C ends it early and reports what there is. Exits with 1 when something failed.
#[derive(Debug, clap::Args)]
pub struct FloodArgs {
    /// The server; http:// only
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:8080/")]
    pub url: Target,

    /// Connections to open and hold
    #[arg(short, long, value_name = "N", default_value = "10000", value_parser = parse_connections)]
    pub connections: NonZeroUsize,

    /// Open them evenly over this time; 0s: all at once
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    pub ramp: Duration,

    /// Hold them for this long after the last one has its response
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub hold: Duration,

    /// Send this many requests a second in total while holding; latency counts from the instant each was due
    #[arg(long, value_name = "PER_SECOND", value_parser = parse_rate)]
    pub rate: Option<f64>,

    /// Give up on a connection attempt or a response after this time
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_timeout)]
    pub timeout: Duration,

    /// Connect from these local addresses in turn
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub source: Vec<IpAddr>,

    /// Record the load on the server as a run of this name, for its page /runs
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,

    /// Print the summary as JSON
    #[arg(long)]
    pub json: bool,
}

/// More connections than any machine has descriptors for.
const MAX_CONNECTIONS: usize = 10_000_000;

/// Longer than any flood; instants this far ahead are still representable.
const MAX_DURATION: Duration = Duration::from_secs(30 * 86_400);

/// A number of connections, for a command line.
pub(crate) fn parse_connections(text: &str) -> Result<NonZeroUsize, String> {
    let number = text.parse().ok().filter(|number: &NonZeroUsize| number.get() <= MAX_CONNECTIONS);
    number.ok_or_else(|| format!("must be a whole number from 1 to {MAX_CONNECTIONS}"))
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.001..=10_000_000.0).contains(rate));
    rate.ok_or_else(|| "must be a number of requests a second, from 0.001 to 10000000".to_owned())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).ok().filter(|duration| *duration <= MAX_DURATION);
    duration.ok_or_else(|| "must be a duration such as 250ms, 15s or 1m, at most 30 days".to_owned())
}

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout = parse_duration(text)?;
    if timeout.is_zero() { Err("must be more than 0s".to_owned()) } else { Ok(timeout) }
}

/// Runs the flood; the exit code is 0 when nothing failed and 1 when something did.
///
/// Progress goes to standard error, the summary to standard output.
///
/// # Errors
/// [`BadSettings`] when the arguments contradict each other; others when the target's name cannot be resolved, a limit
/// of this machine makes the number of connections impossible, or a client process cannot be started.
pub fn run(args: &FloodArgs) -> anyhow::Result<ExitCode> {
    if std::env::var_os(WORKER_VARIABLE).is_some() {
        return client::run().map(|()| ExitCode::SUCCESS);
    }
    let mut progress = Progress::new();
    let every = progress.every();
    let (plan, status, baseline) = measure(args, every, |plan, status| match status {
        None => progress.announce(plan),
        Some(status) => progress.show(plan, status),
    })?;
    progress.clear();
    let memory = status.server.as_ref().map(|held| Memory::between(baseline.as_ref(), held));
    if args.json {
        println!("{:#}", report::json(&plan, &status, memory));
    } else {
        println!("{}", report::summary(&plan, &status, memory, Paint::for_stream(&io::stdout())));
    }
    Ok(ExitCode::from(u8::from(status.total.failed() > 0)))
}

/// Plans the load and carries it out: the plan, the outcome, and what the server reported before it. `show` gets the
/// plan once before the load begins, and the status this often.
///
/// # Errors
/// See [`run`].
pub(crate) fn measure(
    args: &FloodArgs,
    every: Duration,
    mut show: impl FnMut(&Plan, Option<&Status>),
) -> anyhow::Result<(Plan, Status, Option<Sample>)> {
    let address = args.url.resolve()?;
    if let Some(source) = args.source.iter().find(|source| source.is_ipv4() != address.is_ipv4()) {
        let problem = format!("--source {source}: not of the same IP version as {address}");
        return Err(BadSettings::one(problem).into());
    }
    let plan = Plan::new(args, address)?;
    let name = args.run.as_deref();
    let run = name.map(|name| NamedRun::start(address, args.url.authority(), name)).transpose();
    let _run = run.context("the server records no run")?;
    let watch = Watch::start(address, args.url.authority())?;
    show(&plan, None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(coordinator::run(&plan, &watch, every, |status| show(&plan, Some(status))))?;
    Ok((plan, status, watch.baseline.clone()))
}
