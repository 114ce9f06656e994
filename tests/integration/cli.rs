//! The command line: exit codes, and messages that say what to do.

use std::net::TcpListener;
use std::process::{Command, Output};

use fastgo::config::SETTINGS;

use crate::common::{ENGINES, Server, every_engine};

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
fn help_shows_every_command_and_setting() {
    let help = run(&["--help"], &[]);
    assert!(help.status.success() && help.stderr.is_empty());
    let text = String::from_utf8(help.stdout).expect("UTF-8");
    for command in ["all", "serve", "flood", "doctor", "completions", "man"] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(command)), "{command} in\n{text}");
    }
    let serve = run(&["serve", "--help"], &[]);
    assert!(serve.status.success());
    let text = String::from_utf8(serve.stdout).expect("UTF-8");
    for row in SETTINGS {
        let Some(flag) = row.flag else { continue };
        let (flag, variable) = (format!("--{flag}"), format!("[env: {}]", row.env));
        assert!(text.contains(&flag) && text.contains(&variable), "{flag} and {variable} in\n{text}");
    }
    for engine in ENGINES.iter().copied().chain(["stock-may"]) {
        assert!(text.contains(engine), "{engine} in\n{text}");
    }
    let version = run(&["--version"], &[]);
    assert_eq!(String::from_utf8_lossy(&version.stdout), concat!("fastgo ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn server_settings_are_refused_where_they_have_no_effect() {
    for command in ["flood", "doctor", "man"] {
        let help = run(&[command, "--help"], &[("PORT", "9000")]);
        let text = String::from_utf8(help.stdout).expect("UTF-8");
        assert!(help.status.success() && !text.contains("--read-timeout"), "{command}:\n{text}");
        assert!(refused(&[command, "--port", "9000"], &[]).contains("--port"), "{command}");
        assert!(refused(&["--port", "9000", command], &[]).contains(command), "{command}");
    }
    // Their variables are there for other commands and do not matter here, not even bad ones.
    assert!(run(&["completions", "bash"], &[("PORT", "x"), ("FASTGO_PEERS", "x")]).status.success());
}

#[test]
fn completions_offer_what_the_help_shows() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell], &[]);
        let script = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(output.status.success() && script.contains("max-connections"), "{shell}");
        assert!(!script.contains("l worker ") && !script.contains("--worker "), "{shell}: an internal flag");
    }
}

#[test]
fn the_manual_page_has_every_command_and_setting() {
    let output = run(&["man"], &[]);
    let page = String::from_utf8(output.stdout).expect("UTF-8").replace('\\', "");
    assert!(output.status.success() && page.contains(".TH fastgo"), "{page}");
    for row in SETTINGS {
        assert!(page.contains(row.env), "{} in\n{page}", row.env);
    }
    let flood = ["connections", "ramp", "hold", "rate", "timeout", "source", "json"].map(|name| format!("--{name}"));
    let sections = ["ENVIRONMENT", "FILES", "SIGNALS", "EXAMPLES"].map(|name| format!(".SH {name}"));
    for text in flood.iter().chain(&sections).map(String::as_str).chain([".SH \"EXIT STATUS\""]) {
        assert!(page.contains(text), "{text} in\n{page}");
    }
}

#[test]
fn every_command_has_a_manual_page_that_names_files_and_exit_codes() {
    let all = String::from_utf8(run(&["man"], &[]).stdout).expect("UTF-8").replace('\\', "");
    let named: Vec<_> = all.split("(1)").filter_map(|before| before.rsplit("fastgo-").next()).collect();
    let (_, named) = named.split_last().expect("pages");
    assert!(named.len() >= 9, "{named:?}");
    // packaging/build-deb makes them.
    let built = include_str!("../../packaging/build-deb");
    let built = built.lines().find_map(|line| line.strip_prefix("for command in ")).expect("a list of pages");
    let built: Vec<_> = built.trim_end_matches("; do").split(' ').collect();
    for command in named {
        let page = String::from_utf8(run(&["man", command], &[]).stdout).expect("UTF-8").replace('\\', "");
        for text in [&format!(".TH fastgo-{command} 1"), ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH \"EXIT STATUS\""] {
            assert!(page.contains(text), "{text} in\n{page}");
        }
        let serves = ["all", "serve"].contains(command);
        assert_eq!((page.contains(".SH SIGNALS"), page.contains("READ_TIMEOUT")), (serves, serves), "{page}");
        assert_eq!(page.contains(".SH FILES"), !["completions", "man"].contains(command), "{page}");
        assert!(built.contains(command), "packaging/build-deb makes no page of {command}");
    }
    assert!(!run(&["man", "nonsense"], &[]).status.success());
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
    let bad: Vec<_> = SETTINGS.iter().map(|row| (row.env, row.bad[0])).collect();
    for arguments in [&["serve", "worker-pool"][..], &["serve", "may"], &["serve", "hyper"], &["all"], &[]] {
        let said = refused(arguments, &bad);
        for (variable, value) in &bad {
            // A wrong token may be a password of something else.
            let shown = if *variable == "ACCESS_TOKEN" { "(not shown)".to_owned() } else { format!("{value:?}") };
            let problem = format!("{variable}={shown}: ");
            assert!(said.contains(&problem), "{problem} for {arguments:?} in\n{said}");
        }
        assert!(!said.contains("listening"), "{said}");
    }
}

#[test]
fn a_bad_value_is_named_by_the_flag_or_the_variable_it_came_from() {
    let said =
        refused(&["serve", "hyper", "--workers", "x", "--work=y", "--log", "[[["], &[("WORK", "z"), ("PORT", "abc")]);
    for problem in
        ["--workers \"x\": must be", "--work \"y\": must be", "--log \"[[[\": must be", "PORT=\"abc\": must be"]
    {
        assert!(said.contains(problem), "{problem} in\n{said}");
    }
    assert!(!said.contains("WORK="), "a variable that a flag overrides:\n{said}");
}

/// `--pprof perhaps` would otherwise take the next word for its value.
#[test]
fn pprof_takes_a_value_only_after_an_equals_sign() {
    assert!(refused(&["serve", "--pprof", "off"], &[]).contains("off"));
    assert!(refused(&["serve", "hyper", "--pprof=perhaps"], &[]).contains("--pprof \"perhaps\""));
    // The engine after the bare flag is an engine.
    assert!(refused(&["serve", "--pprof", "hyper", "--port", "x"], &[]).contains("--port \"x\""));
}

#[test]
fn flags_win_over_the_environment_and_empty_variables_count_as_absent() {
    every_engine(|engine| {
        let settings =
            [("WORK", "sleep:1ms"), ("READ_TIMEOUT", "1s"), ("IDLE_TIMEOUT", ""), ("MAX_CONNECTIONS", "100")];
        let mut command = Server::command(engine, &settings);
        let server = Server::spawn(command.args(["--read-timeout", "2s", "--threads=3", "--workers=5"]));
        let metrics = server.metrics();
        let limits = &metrics["limits"];
        assert_eq!(metrics["work"], "sleep:1ms");
        assert_eq!(
            (&limits["read_timeout_ms"], &limits["idle_timeout_ms"]),
            (&2000.into(), &60_000.into()),
            "{limits}"
        );
        let workers = if engine == "worker-pool" { 5 } else { 0 };
        assert_eq!((&limits["max_connections"], &limits["threads"]), (&100.into(), &3.into()), "{limits}");
        assert_eq!(limits["workers"], workers, "{limits}");
        // One line shows the effective settings.
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
    for engine in ENGINES.iter().copied().chain(["stock-may"]) {
        let other = Server::start(engine, &[]);
        for port in [&taken, &other.address.port().to_string()] {
            let said = refused(&["serve", engine, "--bind", "127.0.0.1", "--port", port], &[]);
            assert!(said.contains(port.as_str()) && said.contains("in use"), "{engine}: {said}");
        }
        other.connect().get("/health", "").expect(200);
    }
}

/// Not code 2: its network may be up at the next attempt of the service manager.
#[test]
fn an_address_that_is_not_ours_is_code_1() {
    every_engine(|engine| {
        let output = run(&["serve", engine, "--bind", "192.0.2.1", "--port", "0"], &[]);
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("192.0.2.1") && said.contains("--bind"), "{said}");
    });
}
