//! `fastgo doctor`: says which of this machine's limits fall short of a number of connections, and the commands that
//! mend them. It changes nothing itself.
//!
//! [`run`] reads the [`Facts`], [`checks`] judge them one by one, [`report`] shows the verdicts.

mod checks;
mod report;

use std::io;
use std::num::NonZeroU64;
use std::process::ExitCode;

use crate::platform::limits::Limits;
use crate::platform::{Board, BoardSample, Roots};
use crate::terminal::Paint;
use checks::Verdict;

/// Check this machine's limits for a number of connections, and print what mends those that fall short
///
/// Changes nothing. Exits with 1 when something falls short.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// The number of connections to be held at once
    #[arg(short, long, value_name = "N", default_value = "60000")]
    pub connections: NonZeroU64,

    /// Print the verdicts as JSON
    #[arg(long)]
    pub json: bool,
}

/// What the checks judge.
#[derive(Debug, Default)]
struct Facts {
    limits: Limits,
    board: BoardSample,
    /// Connections that the firewall can track, `net.netfilter.nf_conntrack_max`; `None` when it tracks none.
    conntrack_max: Option<u64>,
}

impl Facts {
    fn read(roots: &Roots) -> Self {
        let conntrack = std::fs::read_to_string(roots.proc.join("sys/net/netfilter/nf_conntrack_max"));
        Self {
            limits: Limits::read(roots),
            board: Board::new(roots.clone()).collect(),
            conntrack_max: conntrack.ok().and_then(|text| text.trim().parse().ok()),
        }
    }
}

/// Prints the verdicts to standard output; the exit code is 0 when nothing falls short, else 1.
///
/// # Errors
/// None today; the signature is that of every command.
pub fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let facts = Facts::read(&Roots::system());
    let connections = args.connections.get();
    let checks = checks::all(&facts, connections);
    if args.json {
        println!("{:#}", report::json(&facts, connections, &checks));
    } else {
        println!("{}", report::text(&facts, connections, &checks, Paint::for_stream(&io::stdout())));
    }
    let short = checks.iter().any(|check| check.verdict == Verdict::Short);
    Ok(ExitCode::from(u8::from(short)))
}
