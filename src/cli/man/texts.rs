//! What the manual pages say beside the command line's own descriptions.

pub(super) type Entries = &'static [(&'static str, &'static str)];

pub(super) const ENVIRONMENT: Entries = &[
    ("Each setting", "See SETTINGS. An empty variable counts as absent."),
    ("ACCESS_TOKEN", "Shown by check, flood, doctor and status to a server that asks for it."),
    ("NO_COLOR", "When it is set and not empty, no command uses colour."),
];

/// The commands that a file is for, the file, and what it is.
pub(super) const FILES: &[(&[&str], &str, &str)] = &[
    (
        &["serve", "status", "doctor"],
        "/etc/fastgo/worker-pool.env, may.env, hyper.env",
        "Your settings of the packaged services, as variables; they win over those of /usr/lib/fastgo.",
    ),
    (
        &["serve"],
        "/usr/lib/fastgo/worker-pool.env, may.env, hyper.env",
        "The package's settings, with all defaults. Upgrades replace them.",
    ),
    (
        &["serve", "status", "doctor"],
        "/run/fastgo/ENGINE/address",
        "Where a service listens, for the other engines' pages and for status.",
    ),
    (
        &["all", "serve", "registrations"],
        "/var/lib/fastgo/registrations.db",
        "Registrations of the services; elsewhere $XDG_STATE_HOME/fastgo or ~/.local/state/fastgo.",
    ),
    (
        &["all", "serve"],
        "/var/lib/fastgo/ENGINE/",
        "History and runs of a service; elsewhere under the same directory as the registrations.",
    ),
    (&["serve", "status"], "/var/lib/fastgo/ENGINE.runs.json", "How the runs of a service ended."),
    (&["doctor"], "/etc/sysctl.d/90-fastgo-*.conf", "Made by doctor --fix, one for each kernel setting."),
    (
        &["flood", "check"],
        "/usr/share/doc/fastgo/examples/90-fastgo-load.conf",
        "Kernel settings of a machine that makes the load.",
    ),
    (&[], "/usr/share/fastgo/k6/", "Load scripts for k6."),
    (&[], "/usr/share/doc/fastgo/examples/prometheus.yml", "A Prometheus configuration."),
];

pub(super) const EXIT_STATUS: Entries = &[
    ("0", "Success; a server drained cleanly."),
    ("1", "Failed while running; flood saw failures; check did not answer yes; doctor found a limit that is too low."),
    ("2", "Bad usage, bad settings, or a port that is already in use. Nothing was started."),
];

const USAGE: (&str, &str) = ("2", "Bad usage.");

const SERVES: Entries = &[
    ("0", "Drained: every request in flight was answered."),
    ("1", "Failed while running, or requests were cut off when SHUTDOWN_TIMEOUT was over."),
    ("2", "Bad usage, bad settings, or a port that is already in use. Nothing was started."),
];

/// The codes of commands that have meanings of their own.
pub(super) const EXIT_STATUS_OF: &[(&str, Entries)] = &[
    ("all", SERVES),
    ("serve", SERVES),
    ("flood", &[("0", "No failures."), ("1", "A connection or a request failed."), USAGE]),
    ("check", &[("0", "Yes, it will do."), ("1", "No, or not clear."), USAGE]),
    ("doctor", &[("0", "No limit that matters is too low."), ("1", "One is, or a command of --fix failed."), USAGE]),
    ("status", &[("0", "Every engine that is enabled answers, and at least one does."), ("1", "One does not."), USAGE]),
    ("registrations", &[("0", "Done."), ("1", "Failed; nothing has changed."), USAGE]),
];

pub(super) const SIGNALS: Entries = &[
    (
        "SIGTERM, SIGINT",
        "Drain: finish what has arrived, for at most SHUTDOWN_TIMEOUT, then end. A second one ends the process at once.",
    ),
    (
        "SIGHUP",
        "A service takes the settings that systemctl reload passed: limits, timeouts, WORK, LOG and METRICS_LOG_INTERVAL change at \
         once, and the journal names what takes a restart. Without a service manager the same as SIGTERM, unless it was ignored \
         at the start (nohup).",
    ),
];

pub(super) const EXAMPLES: Entries = &[
    ("fastgo", "Start all engines on ports 8080, 8081 and 8082, and print the address of the dashboard."),
    ("fastgo serve hyper --port 9000 --work none", "Start one engine."),
    (
        "fastgo flood http://raspberrypi.local:8080/ -c 10000",
        "Open 10,000 connections from this machine and hold them.",
    ),
    ("fastgo check --students 1200 --in 5m", "Find out whether this board will do for a registration day."),
    ("fastgo doctor -c 60000", "Check the limits of this machine."),
];
