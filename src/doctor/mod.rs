//! `fastgo doctor`: which of this machine's limits are too low for a number of connections, and the commands that fix
//! them. It changes nothing without `--fix`.
//!
//! [`run`] reads the [`Facts`], [`checks`], [`board`] and [`medium`] judge them one by one, [`report`] shows the verdicts, [`fix`] runs commands.

mod board;
mod checks;
mod finding;
mod fix;
mod medium;
mod report;

use std::io;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use crate::config::EngineKind;
use crate::flood::parse_connections;
use crate::platform::limits::MachineLimits;
use crate::platform::siblings::Siblings;
use crate::platform::{Board, BoardSample, Roots};
use crate::state_directory;
use crate::status;
use crate::terminal::Paint;
use finding::Check;
use medium::Medium;

/// Check this machine's limits for a number of connections, and print how to fix those that are too low
///
/// Changes nothing without --fix. Exits with 1 when a limit that matters is too low.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// The number of connections to be held at once
    #[arg(short, long, value_name = "N", default_value = "60000", value_parser = parse_connections)]
    pub connections: NonZeroUsize,

    /// What this machine does: hold the server, make the load, or both
    ///
    /// [default: server where fastgo runs as a service, else both]
    #[arg(long, value_name = "ROLE")]
    pub role: Option<Role>,

    /// Run the commands for the limits that are too low, as root, then check again
    #[arg(long)]
    pub fix: bool,

    /// Print the verdicts as JSON
    #[arg(long, conflicts_with = "fix")]
    pub json: bool,
}

/// What a machine does in a load test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Holds the server.
    Server,
    /// Makes the load.
    Client,
    /// Both.
    Both,
}

/// What the checks judge.
#[derive(Debug, Default)]
struct Facts {
    limits: MachineLimits,
    board: BoardSample,
    /// Connections that the firewall can track, `net.netfilter.nf_conntrack_max`; `None` when it tracks none.
    conntrack_max: Option<u64>,
    /// The least open files that a service of fastgo may have here; `None` when none runs.
    service_files: Option<u64>,
    /// The medium that registrations are kept on, on a machine that serves.
    medium: Option<Medium>,
}

impl Facts {
    fn read(roots: &Roots) -> Self {
        let conntrack = std::fs::read_to_string(roots.proc.join("sys/net/netfilter/nf_conntrack_max"));
        let mut board = Board::new(roots.clone());
        // Rates, and with them the interface, need a second reading a moment later.
        std::thread::sleep(Duration::from_millis(20));
        let siblings = Siblings::of_machine(roots);
        let services =
            EngineKind::ALL.into_iter().filter_map(|kind| Some((kind, siblings.address(kind.name()).ok()??)));
        let files = services.filter_map(|(kind, address)| status::metrics(kind, address).ok()?["max_fds"].as_u64());
        Self {
            limits: MachineLimits::read(roots),
            board: board.collect(),
            conntrack_max: conntrack.ok().and_then(|text| text.trim().parse().ok()),
            service_files: files.min(),
            medium: None,
        }
    }

    fn role(&self) -> Role {
        if self.service_files.is_some() { Role::Server } else { Role::Both }
    }
}

/// Prints the verdicts to standard output; the exit code is 0 when nothing that matters is too low, else 1.
///
/// # Errors
/// `--fix` without the right to, or a command failed.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let mut checks = check(args);
    if args.fix && checks.iter().any(Check::is_short) {
        fix::run(&checks)?;
        checks = check(args);
    }
    Ok(ExitCode::from(u8::from(checks.iter().any(Check::is_short))))
}

/// Checks once and prints the verdicts.
fn check(args: &DoctorArgs) -> Vec<Check> {
    let roots = Roots::system();
    let mut facts = Facts::read(&roots);
    let role = args.role.unwrap_or_else(|| facts.role());
    if role != Role::Client {
        let directory = state_directory::of_services();
        facts.medium = directory.and_then(|directory| Medium::measure(&roots, &directory));
    }
    let connections = args.connections.get() as u64;
    let checks = checks::all(&facts, role, connections);
    if args.json {
        println!("{:#}", report::json(&facts, connections, &checks));
    } else {
        println!("{}", report::text(&facts, connections, &checks, Paint::for_stream(&io::stdout())));
    }
    checks
}
