//! `fastgo serve ENGINE`: from settings to a running server, and back.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use fastgo::app::App;
use fastgo::config::{Config, EngineKind};
use fastgo::daemon::notify::Notifier;
use fastgo::daemon::signals::{Signal, Signals};
use fastgo::daemon::watchdog::{self, Vitals};
use fastgo::daemon::{addresses, listeners, logging, supervised};
use fastgo::engine::{ENGINES, ServerHandle, capacity};

pub(crate) fn run(mut config: Config) -> anyhow::Result<ExitCode> {
    let notifier = Notifier::from_env();
    let engine =
        ENGINES.iter().find(|engine| engine.kind == config.engine).context("this engine cannot serve alone")?;
    // Before any thread is started: this reads and clears what systemd passed on.
    let count = if engine.listener_per_worker { config.workers } else { 1 };
    let listening = listeners::obtain(config.address, count, &notifier);
    logging::init(&config.log, Some(config.engine.name()))?;
    supervised::end_with_supervisor()?;
    let listening = listening.with_context(|| format!("cannot listen on {}", config.address))?;
    let clamps = capacity::clamp(&mut config);
    let signals = Signals::listen()?;

    let app = App::new(config);
    let server = Arc::new(engine.start(Arc::clone(&app), listening)?);
    tell_start(&server, &clamps);
    notifier.ready(&app.metrics.read().status_line());
    if let Some(address) = app.config.pprof {
        let tasks = Arc::clone(&app);
        let address =
            fastgo::pprof::spawn(address, Arc::new(move || format!("{}\n", tasks.metrics.read().status_line())))?;
        tracing::info!(event = "pprof", "profiles at http://{address}/debug/pprof/");
    }
    watch(&server, &notifier)?;
    supervised::report_listening(server.local_addr());
    wait_for_end(signals, &notifier)?;
    Ok(finish(&server, &notifier))
}

/// One line with the settings in force, one for each that is not what was asked for, one with the addresses.
fn tell_start(server: &ServerHandle, clamps: &[String]) {
    let config = &server.app().config;
    for clamp in clamps {
        tracing::warn!(event = "clamp", "{clamp}");
    }
    let queue =
        if config.engine == EngineKind::WorkerPool { format!(", queue {}", config.queue_size) } else { String::new() };
    tracing::info!(
        event = "start",
        "fastgo {} {}: {} workers{queue}, work {}, up to {} connections, timeouts read {:?} write {:?} idle {:?} shutdown {:?}, \
         limits head {} B body {} B",
        env!("CARGO_PKG_VERSION"),
        config.engine.name(),
        config.workers,
        config.work,
        config.max_connections,
        config.read_timeout,
        config.write_timeout,
        config.idle_timeout,
        config.shutdown_timeout,
        config.limits.max_head_bytes,
        config.limits.max_body_bytes,
    );
    let urls = addresses::urls(server.local_addr());
    let listening = format!("http://{}", server.local_addr());
    tracing::info!(event = "listening", urls = urls.join(" "), "listening on {listening}");
}

/// Keeps systemd informed, where there is one.
fn watch(server: &Arc<ServerHandle>, notifier: &Notifier) -> anyhow::Result<()> {
    let app = Arc::clone(server.app());
    notifier.spawn_status(move || Some(app.metrics.read().status_line()))?;
    let (beating, answering, draining) = (Arc::clone(server), Arc::clone(server.app()), Arc::clone(server.app()));
    let vitals = Vitals {
        heartbeats: Box::new(move |age| beating.check_heartbeats(age)),
        responses: Box::new(move || answering.metrics.answers()),
        draining: Box::new(move || draining.is_draining()),
    };
    Ok(watchdog::spawn(notifier.clone(), server.local_addr(), vitals)?)
}

/// Returns at the first signal to stop; the next one ends the process at once.
fn wait_for_end(mut signals: Signals, notifier: &Notifier) -> anyhow::Result<()> {
    for signal in &mut signals {
        if signal != Signal::Hangup {
            break;
        }
        notifier.reloading();
        tracing::info!(
            event = "reload",
            "no setting can be changed while connections are served: restart to change them"
        );
        notifier.ready("reloaded");
    }
    Ok(signals.end_process_on_next()?)
}

fn finish(server: &ServerHandle, notifier: &Notifier) -> ExitCode {
    let shutdown_timeout = server.app().config.shutdown_timeout;
    tracing::info!(event = "drain", "draining: requests in flight have {shutdown_timeout:?}");
    notifier.stopping("draining");
    notifier.extend_timeout(shutdown_timeout + Duration::from_secs(5));
    let drained = server.drain();
    if drained.is_clean() {
        tracing::info!(event = "stopped", "stopped after {:?}: nothing was cut off", drained.took);
        ExitCode::SUCCESS
    } else {
        tracing::warn!(
            event = "stopped",
            "stopped after {:?}: cut off {} requests and {} connections",
            drained.took,
            drained.cut_requests,
            drained.cut_connections
        );
        ExitCode::FAILURE
    }
}
