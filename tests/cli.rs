//! The command line: exit codes, and messages that say what to do.

mod common;

use std::net::TcpListener;
use std::process::{Command, Output};

use common::{ENGINES, Server, every_engine};

/// Every setting: flag and environment variable.
const SETTINGS: [(&str, &str); 15] = [
    ("--port", "PORT"),
    ("--bind", "BIND"),
    ("--workers", "WORKERS"),
    ("--queue-size", "WORKER_QUEUE_SIZE"),
    ("--max-connections", "MAX_CONNECTIONS"),
    ("--read-timeout", "READ_TIMEOUT"),
    ("--write-timeout", "WRITE_TIMEOUT"),
    ("--idle-timeout", "IDLE_TIMEOUT"),
    ("--shutdown-timeout", "SHUTDOWN_TIMEOUT"),
    ("--max-header-bytes", "MAX_HEADER_BYTES"),
    ("--max-body-bytes", "MAX_BODY_BYTES"),
    ("--work", "WORK"),
    ("--log", "LOG"),
    ("--metrics-log-interval", "METRICS_LOG_INTERVAL"),
    ("--pprof", "PPROF"),
];

/// Runs a command that ends by itself.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgo"));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command.output().expect("run")
}

/// Runs it, and gives what it said on stderr when it ended with code 2.
#[track_caller]
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = run(arguments, environment);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{arguments:?} {environment:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn help_tells_every_command_and_setting() {
    let help = run(&["--help"], &[]);
    assert!(help.status.success() && help.stderr.is_empty());
    let text = String::from_utf8(help.stdout).expect("UTF-8");
    for command in ["all", "serve", "flood", "doctor", "completions", "man"] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(command)), "{command} in\n{text}");
    }
    let serve = run(&["serve", "--help"], &[]);
    assert!(serve.status.success());
    let text = String::from_utf8(serve.stdout).expect("UTF-8");
    for (flag, variable) in SETTINGS {
        assert!(text.contains(flag) && text.contains(variable), "{flag} and {variable} in\n{text}");
    }
    for engine in ENGINES.into_iter().chain(["stock-may"]) {
        assert!(text.contains(engine), "{engine} in\n{text}");
    }
    let version = run(&["--version"], &[]);
    assert_eq!(String::from_utf8_lossy(&version.stdout), concat!("fastgo ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn packaging_commands_print_completions_and_a_man_page() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell], &[]);
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("fastgo"), "{shell}");
    }
    let output = run(&["man"], &[]);
    let page = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success() && page.contains(".TH fastgo") && page.contains("MAX_CONNECTIONS"), "{page}");
}

#[test]
fn bad_usage_is_code_2() {
    for arguments in [
        &["bogus"][..],
        &["serve"],
        &["serve", "bogus"],
        &["serve", "hyper", "--bogus"],
        &["serve", "hyper", "extra"],
        &["all", "--only", "bogus"],
        &["all", "--only", ""],
        &["completions", "bogus"],
    ] {
        assert!(!refused(arguments, &[]).is_empty(), "{arguments:?}");
    }
}

#[test]
fn all_bad_settings_are_reported_together_before_anything_is_bound() {
    let bad = [
        ("PORT", "70000"),
        ("BIND", "nowhere"),
        ("WORKERS", "0"),
        ("WORKER_QUEUE_SIZE", "-1"),
        ("MAX_CONNECTIONS", "many"),
        ("READ_TIMEOUT", "15"),
        ("WRITE_TIMEOUT", "-1s"),
        ("IDLE_TIMEOUT", "soon"),
        ("SHUTDOWN_TIMEOUT", "1 fortnight"),
        ("MAX_HEADER_BYTES", "1B"),
        ("MAX_BODY_BYTES", "1XiB"),
        ("WORK", "nap:1s"),
        ("METRICS_LOG_INTERVAL", "x"),
        ("PPROF", "perhaps"),
    ];
    for arguments in [&["serve", "worker-pool"][..], &["serve", "may"], &["serve", "hyper"], &["all"], &[]] {
        let said = refused(arguments, &bad);
        for (variable, value) in bad {
            let (flag, _) = SETTINGS.iter().find(|(_, name)| *name == variable).expect("a setting");
            assert!(said.contains(flag) || said.contains(variable), "{flag} for {arguments:?} in\n{said}");
            assert!(said.contains(value), "{value} for {arguments:?} in\n{said}");
        }
        assert!(!said.contains("listening"), "{said}");
    }
    let flags = refused(&["serve", "hyper", "--workers", "x", "--work", "y", "--log", "[[["], &[]);
    for flag in ["--workers", "--work", "--log"] {
        assert!(flags.contains(flag), "{flag} in\n{flags}");
    }
}

#[test]
fn flags_win_over_the_environment_and_empty_variables_count_as_absent() {
    every_engine(|engine| {
        let settings =
            [("WORK", "sleep:1ms"), ("READ_TIMEOUT", "1s"), ("IDLE_TIMEOUT", ""), ("MAX_CONNECTIONS", "100")];
        let mut command = Server::command(engine, &settings);
        let server = Server::spawn(command.args(["--read-timeout", "2s", "--workers=3"]));
        let metrics = server.metrics();
        let limits = &metrics["limits"];
        assert_eq!(metrics["work"], "sleep:1ms");
        assert_eq!(
            (&limits["read_timeout_ms"], &limits["idle_timeout_ms"]),
            (&2000.into(), &60_000.into()),
            "{limits}"
        );
        assert_eq!((&limits["max_connections"], &limits["workers"]), (&100.into(), &3.into()), "{limits}");
        // One line tells the effective settings.
        assert!(
            server.log().lines().any(|line| line.contains("sleep:1ms") && line.contains("100")),
            "{}",
            server.log()
        );
    });
}

/// Two listeners with `SO_REUSEPORT` would share a port in silence.
#[test]
fn a_port_in_use_is_code_2_and_named() {
    let blocker = TcpListener::bind(("127.0.0.1", 0)).expect("bind");
    let taken = blocker.local_addr().expect("address").port().to_string();
    for engine in ENGINES.into_iter().chain(["stock-may"]) {
        let other = Server::start(engine, &[]);
        for port in [&taken, &other.address.port().to_string()] {
            let said = refused(&["serve", engine, "--bind", "127.0.0.1", "--port", port], &[]);
            assert!(said.contains(port.as_str()) && said.contains("in use"), "{engine}: {said}");
        }
        other.connect().get("/health", "").expect(200);
    }
}

#[test]
fn an_address_that_is_not_ours_is_code_2() {
    every_engine(|engine| {
        let said = refused(&["serve", engine, "--bind", "192.0.2.1", "--port", "0"], &[]);
        assert!(said.contains("192.0.2.1"), "{said}");
    });
}
