//! `fastgo registrations`: what the school's operator does, on the same file as the running servers.

mod csv;
mod demo;
mod export;
mod opening;
mod status;
#[cfg(test)]
mod tests;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use crate::config::BadSettings;
use crate::store::settings::Location;
use crate::store::{Administration, Import, Inspection, OpenError, clock, local_time};
use crate::terminal::thousands;

/// Prepare and follow a registration day
#[derive(Debug, Args)]
pub struct RegistrationsArgs {
    /// Where registrations are kept, `sqlite:FILE` or `postgres://USER@HOST/DATABASE` [default: registrations.db in the state
    /// directory]
    #[arg(long, env = "DATABASE_URL", global = true, value_name = "DATABASE")]
    database: Option<String>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Import courses and students, all or nothing; registration is closed afterwards
    #[command(group = clap::ArgGroup::new("file").required(true).multiple(true))]
    Import {
        /// CSV file with the columns id, title and seats
        #[arg(long, value_name = "FILE", group = "file")]
        courses: Option<PathBuf>,
        /// CSV file with the columns id, name and optionally pin; then no other student can register
        #[arg(long, value_name = "FILE", group = "file")]
        students: Option<PathBuf>,
    },
    /// Make up courses that are open at once; an import removes them
    Demo {
        /// How many
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1000))]
        courses: u64,
        /// Seats of each
        #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u64).range(0..=100_000))]
        seats: u64,
    },
    /// Open registration, now or at a time
    Open {
        /// When: 08:00 (the next), "2026-09-01 08:00" (this board's time zone) or 2026-09-01T08:00:00+02:00
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
    },
    /// Close registration; seats can still be given back
    Close,
    /// Show the courses and whether registration is open
    Status,
    /// Print every registration in the order of arrival
    Export {
        /// How
        #[arg(long, value_enum, default_value_t)]
        format: export::Format,
    },
    /// Write a copy of the database to a new file; servers may go on meanwhile
    Backup {
        /// The new file
        file: PathBuf,
    },
}

/// Runs the command.
pub fn run(args: &RegistrationsArgs) -> anyhow::Result<ExitCode> {
    let location = &location(args.database.as_deref())?;
    let mut out = io::stdout().lock();
    match &args.action {
        Action::Import { courses, students } => {
            let import = read_import(courses.as_deref(), students.as_deref())?;
            import_all(location, &import, courses.as_deref())?;
            let seats = import.courses.iter().map(|course| course.seats).sum();
            writeln!(
                out,
                "Imported {} courses with {} seats, {} students into {}.\n\
                 Registration is closed: fastgo registrations open [--at TIME] opens it.",
                thousands(import.courses.len() as u64),
                thousands(seats),
                thousands(import.students.len() as u64),
                named(location)
            )?;
        }
        Action::Demo { courses, seats } => {
            let made = create(location)?.make_demo(&demo::courses(*courses, *seats), clock::now())?;
            anyhow::ensure!(made, "{} holds real courses or students: nothing was changed", named(location));
            writeln!(out, "Made {courses} courses with {seats} seats each, open now, in {}.", named(location))?;
        }
        Action::Open { at } => {
            let mut database = open(location)?;
            let now = clock::now();
            let opens_at = match at {
                None => now,
                Some(text) => opening::parse(text, now)?,
            };
            database.set_opening(Some(opens_at))?;
            match at {
                None => writeln!(out, "Registration is open.")?,
                Some(_) => writeln!(out, "Registration opens at {}.", local_time(opens_at)?)?,
            }
            if read(location)?.courses()?.courses.is_empty() {
                writeln!(out, "There are no courses yet: fastgo registrations import --courses FILE.csv")?;
            }
        }
        Action::Close => {
            open(location)?.set_opening(None)?;
            writeln!(out, "Registration is closed.")?;
        }
        Action::Status => status::print(&mut out, &named(location), &mut *read(location)?)?,
        Action::Export { format } => export::print(&mut out, &mut *read(location)?, *format)?,
        Action::Backup { file } => {
            open(location)?.backup(file).with_context(|| format!("cannot back up to {}", file.display()))?;
            writeln!(out, "Backed up to {}.", file.display())?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn location(given: Option<&str>) -> Result<Location, BadSettings> {
    let location = match given.map(str::trim).filter(|text| !text.is_empty()) {
        None => Location::default_of_environment(),
        Some(text) => Location::parse(text)
            .ok_or_else(|| BadSettings::one(format!("--database {text:?}: {} is needed", Location::EXPECTED)))?,
    };
    if matches!(location, Location::None) {
        return Err(BadSettings::one("--database: registrations need one: sqlite:FILE"));
    }
    Ok(location)
}

/// The file, or the server and its database.
fn named(location: &Location) -> String {
    let text = location.to_string();
    text.strip_prefix("sqlite:").map_or_else(|| text.clone(), str::to_owned)
}

fn open(location: &Location) -> anyhow::Result<Box<dyn Administration>> {
    location.administration(false).map_err(|error| explained(location, error))
}

fn create(location: &Location) -> anyhow::Result<Box<dyn Administration>> {
    location.administration(true).map_err(|error| explained(location, error))
}

fn read(location: &Location) -> anyhow::Result<Box<dyn Inspection>> {
    location.inspection().map_err(|error| explained(location, error))
}

fn explained(location: &Location, error: OpenError) -> anyhow::Error {
    let shown = named(location);
    match error {
        OpenError::Missing => {
            anyhow::anyhow!("there are no registrations in {shown}: import courses first, or see --database")
        }
        error => anyhow::anyhow!("cannot use {shown}: {error}"),
    }
}

/// Both files, or everything that is wrong with either.
fn read_import(courses: Option<&Path>, students: Option<&Path>) -> anyhow::Result<Import> {
    let mut problems = Vec::new();
    let mut import = Import::default();
    if let Some(file) = courses {
        match csv::courses(&csv::read(file)?) {
            Ok(rows) => import.courses = rows,
            Err(found) => problems.extend(located(file, found)),
        }
    }
    if let Some(file) = students {
        match csv::students(&csv::read(file)?) {
            Ok(rows) => import.students = rows,
            Err(found) => problems.extend(located(file, found)),
        }
    }
    if problems.is_empty() { Ok(import) } else { Err(nothing_imported(&problems)) }
}

fn import_all(location: &Location, import: &Import, courses: Option<&Path>) -> anyhow::Result<()> {
    // Only courses can contradict what is there already.
    create(location)?
        .import(import)?
        .map_err(|found| nothing_imported(&located(courses.unwrap_or(Path::new("courses")), found)))
}

fn located(file: &Path, problems: Vec<(u64, String)>) -> Vec<String> {
    problems.into_iter().map(|(line, problem)| format!("{}:{line}: {problem}", file.display())).collect()
}

fn nothing_imported(problems: &[String]) -> anyhow::Error {
    anyhow::anyhow!("{}\nnothing was imported", problems.join("\n"))
}
