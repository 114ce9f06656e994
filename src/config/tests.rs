use std::num::NonZero;

use super::*;

fn resolved(settings: &Settings, engine: EngineKind) -> Config {
    settings.resolve(engine, 0).unwrap()
}

#[test]
fn each_setting_accepts_and_refuses_its_examples() {
    for row in SETTINGS {
        for text in row.good {
            let outcome = Settings::default().with(row.env, text).resolve(EngineKind::WORKER_POOL, 0);
            assert!(outcome.is_ok(), "{} {text:?}: {outcome:?}", row.env);
        }
        assert!(!row.bad.is_empty(), "{} has no example of a bad value", row.env);
        for text in row.bad {
            let outcome = Settings::default().with(row.env, text).resolve(EngineKind::WORKER_POOL, 0);
            let report = outcome.expect_err(row.env).to_string();
            assert_eq!(report.contains(&format!("{text:?}")), !row.is_secret(text), "{text:?} in {report}");
            assert!(!report.contains('\n'), "one line in {report}");
        }
    }
}

#[test]
fn a_setting_has_one_row() {
    let flags: Vec<_> = SETTINGS.iter().filter_map(|row| row.flag).collect();
    let variables: Vec<_> = SETTINGS.iter().map(|row| row.env).collect();
    for (place, name) in flags.iter().enumerate() {
        assert!(!flags[..place].contains(name), "--{name}");
    }
    for (place, name) in variables.iter().enumerate() {
        assert!(!variables[..place].contains(name), "{name}");
    }
}

#[test]
fn the_readme_has_this_table() {
    let row = |row: &Setting| {
        let flag = row.flag.map_or_else(String::new, |flag| format!("`--{flag}`"));
        format!("| {flag} | `{}` | {} | {} |\n", row.env, row.default.description(), row.doc)
    };
    let table: String = SETTINGS.iter().map(row).collect();
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&table), "README.md must contain\n{table}");
}

#[test]
fn defaults_are_the_contract() {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    for engine in EngineKind::ALL {
        let config = resolved(&Settings::default(), engine);
        assert_eq!(config.address.port(), engine.default_port());
        assert_eq!((config.live.max_connections(), config.threads), (100_000, cores));
        assert_eq!(config.live.work(), Work::Sleep(Duration::from_millis(10)), "the same on every engine");
        let (timeouts, limits) = (config.live.timeouts(), config.live.limits());
        assert_eq!((timeouts.read, timeouts.write), (Duration::from_secs(15), Duration::from_secs(15)));
        assert_eq!((timeouts.idle, config.live.shutdown_timeout()), (Duration::from_secs(60), Duration::from_secs(30)));
        assert_eq!((limits.max_head_bytes, limits.max_body_bytes), (16 * 1024, 1024 * 1024));
        let pool = if engine == EngineKind::WORKER_POOL { (true, 10_000) } else { (false, 0) };
        assert_eq!((config.adaptive_workers, config.queue_size), pool);
    }
    assert!(resolved(&Settings::default(), EngineKind::STOCK_MAY).address.ip().is_loopback());
}

#[test]
fn the_original_preset_gives_way_to_what_was_given() {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let with = |settings: &Settings, engine| resolved(&Preset::Original.apply(settings, engine), engine);
    let pool = with(&Settings::default(), EngineKind::WORKER_POOL);
    assert_eq!((pool.live.work(), pool.workers), (Work::Sleep(Duration::from_millis(100)), 2 * cores));
    assert!(!pool.adaptive_workers);
    assert_eq!(with(&Settings::default(), EngineKind::MAY).live.work(), Work::Sleep(Duration::from_millis(10)));
    let own = Settings::default().with("WORK", "none");
    assert_eq!(with(&own, EngineKind::WORKER_POOL).live.work(), Work::None);
    let args = Preset::Original.apply(&own, EngineKind::WORKER_POOL).to_args();
    let args: Vec<_> = args.iter().map(|arg| arg.to_str().unwrap()).collect();
    assert_eq!(args, [format!("--workers={}", 2 * cores).as_str(), "--work=none"]);
}

#[test]
fn all_bad_values_are_reported_together() {
    let all = |settings: Settings, row: &Setting| settings.with(row.env, row.bad[0]);
    let report = SETTINGS.iter().fold(Settings::default(), all).resolve(EngineKind::MAY, 0).unwrap_err().to_string();
    assert_eq!(report.lines().count(), SETTINGS.len(), "{report}");
}

#[test]
fn the_published_crate_stays_on_loopback() {
    let on = |bind| Settings::default().with("BIND", bind).resolve(EngineKind::STOCK_MAY, 0);
    assert!(on("::1").is_ok());
    assert!(on("0.0.0.0").unwrap_err().to_string().contains("loopback"));
}

#[test]
fn empty_values_count_as_absent() {
    let settings = Settings::default().with("MAX_CONNECTIONS", " ").with("WORK", "");
    assert_eq!(resolved(&settings, EngineKind::HYPER).live.max_connections(), 100_000);
    assert!(settings.to_args().is_empty());
}

#[test]
fn a_given_port_is_the_first_of_three() {
    let port = |first: &str, position| Settings::default().with("PORT", first).resolve(EngineKind::HYPER, position);
    assert_eq!(port("3000", 2).unwrap().address.port(), 3002);
    assert_eq!(port("0", 2).unwrap().address.port(), 0);
    assert_eq!(Settings::default().resolve(EngineKind::HYPER, 2).unwrap().address.port(), 8082);
    assert!(port("65535", 2).unwrap_err().to_string().starts_with("--port \"65535\": leaves no room"));
}

#[test]
fn an_engine_lists_itself_with_the_port_it_got() {
    let mut config = resolved(&Settings::default(), EngineKind::MAY);
    config.set_own_port(9000);
    assert_eq!(config.peers.iter().map(|peer| peer.port).collect::<Vec<_>>(), [8080, 9000, 8082]);
}
