//! `fastgo serve ENGINE`: from settings to a running server, and back.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context as _;
use fastgo::app::App;
use fastgo::config::Config;
use fastgo::daemon::notify::Notifier;
use fastgo::daemon::signals::{Signal, Signals};
use fastgo::daemon::watchdog::{self, Vitals};
use fastgo::daemon::{addresses, listeners, logging, supervised};
use fastgo::engine::{ENGINES, ServerHandle, capacity, stock_may};
use fastgo::pprof;

use super::summary;

/// Gives the name of a thread that shows no life for longer than a time.
type Heartbeats = Box<dyn Fn(Duration) -> Result<(), String> + Send>;

pub(crate) fn run(mut config: Config) -> anyhow::Result<ExitCode> {
    logging::init(config.log.clone(), config.engine.name())?;
    // From here on a signal to stop waits until there is something to stop.
    let signals = Signals::listen()?;
    supervised::end_with_supervisor()?;
    let notifier = Notifier::from_env();
    let clamps = capacity::clamp(&mut config);
    let address = config.address;
    let taken = || format!("cannot listen on {address} (--port and --bind choose another)");
    let Some(engine) = ENGINES.iter().find(|engine| engine.kind == config.engine) else {
        let app = App::new(config);
        let address = stock_may::start(&app).with_context(taken)?;
        tell_ready(&app, address, &[], Box::new(|_| Ok(())), notifier)?;
        wait_for_end(signals, notifier)?;
        return Ok(end_stock(&app, notifier));
    };
    // Before any thread is started: this reads and clears what systemd passed on.
    let count = if engine.listener_per_worker { config.workers } else { 1 };
    let listening = listeners::obtain(address, count, notifier).with_context(taken)?;

    let app = App::new(config);
    let server = Arc::new(engine.start(Arc::clone(&app), listening)?);
    let beating = Arc::clone(&server);
    let heartbeats = Box::new(move |max_age| beating.check_heartbeats(max_age));
    tell_ready(&app, server.local_addr(), &clamps, heartbeats, notifier)?;
    wait_for_end(signals, notifier)?;
    Ok(finish(&server, notifier))
}

/// Tells the log, the service manager and the supervisor that the server answers, and goes on telling those who ask.
fn tell_ready(
    app: &Arc<App>,
    address: SocketAddr,
    clamps: &[String],
    heartbeats: Heartbeats,
    notifier: Notifier,
) -> anyhow::Result<()> {
    serve_profiles(app)?;
    tell_start(&app.config, address, clamps);
    notifier.ready(&app.metrics.read().status_line());
    let status = Arc::clone(app);
    notifier.spawn_status(move || Some(status.metrics.read().status_line()))?;
    let (answering, draining) = (Arc::clone(app), Arc::clone(app));
    let vitals = Vitals {
        heartbeats,
        responses: Box::new(move || answering.metrics.answers()),
        draining: Box::new(move || draining.is_draining()),
    };
    watchdog::spawn(notifier, address, vitals)?;
    supervised::report_listening(address);
    Ok(())
}

fn serve_profiles(app: &Arc<App>) -> anyhow::Result<()> {
    let Some(address) = app.config.pprof else { return Ok(()) };
    let tasks = Arc::clone(app);
    let tasks = Arc::new(move || format!("{}\n", tasks.metrics.read().status_line()));
    let address = pprof::spawn(address, tasks).with_context(|| format!("cannot serve profiles on {address}"))?;
    tracing::info!(event = "pprof", "profiles at http://{address}/debug/pprof/");
    Ok(())
}

/// The settings in force, why some are not what was asked for, and the addresses. A supervisor tells what is the same
/// for all its engines.
fn tell_start(config: &Config, address: SocketAddr, clamps: &[String]) {
    let engine = summary::of_engine(config);
    if supervised::is_supervised() {
        tracing::info!(event = "start", "{engine}");
        tracing::info!(event = "listening", "listening on http://{address}");
        return;
    }
    for clamp in clamps {
        tracing::warn!(event = "clamp", "{clamp}");
    }
    let (version, name) = (env!("CARGO_PKG_VERSION"), config.engine.name());
    tracing::info!(event = "start", "fastgo {version} {name}: {engine}, {}", summary::of_limits(config));
    let urls = addresses::urls(address).join(" ");
    let reached = if address.ip().is_unspecified() { format!(", reached as {urls}") } else { String::new() };
    tracing::info!(event = "listening", "listening on http://{address}{reached}");
}

/// Returns at the first signal to stop; the next one ends the process at once.
fn wait_for_end(mut signals: Signals, notifier: Notifier) -> anyhow::Result<()> {
    for signal in &mut signals {
        // Without a service manager to send it, SIGHUP says that the terminal is gone.
        if signal != Signal::Hangup || !notifier.is_connected() {
            break;
        }
        notifier.reloading();
        tracing::warn!(
            event = "reload",
            "reload changes nothing: settings come with the start of a process; a restart applies new ones and refuses no \
             connection"
        );
        notifier.ready("settings unchanged: restart to apply new ones");
    }
    Ok(signals.end_process_on_next()?)
}

fn finish(server: &ServerHandle, notifier: Notifier) -> ExitCode {
    let shutdown_timeout = server.app().config.shutdown_timeout;
    tracing::info!(event = "drain", "draining: requests in flight have {shutdown_timeout:?}");
    notifier.stopping("draining");
    notifier.extend_timeout(shutdown_timeout + Duration::from_secs(5));
    let drained = server.drain();
    let millis = drained.took.as_millis();
    if drained.is_clean() {
        tracing::info!(event = "stopped", "stopped after {millis} ms: nothing was cut off");
        ExitCode::SUCCESS
    } else {
        tracing::warn!(
            event = "stopped",
            "stopped after {millis} ms: cut off {} requests and {} connections",
            drained.cut_requests,
            drained.cut_connections
        );
        ExitCode::FAILURE
    }
}

/// The published crate has no drain, which is no failure of this run.
fn end_stock(app: &App, notifier: Notifier) -> ExitCode {
    notifier.stopping("ending without a drain");
    let (requests, connections) = (app.metrics.in_flight(), app.metrics.counters.active.load(Relaxed));
    tracing::warn!(
        event = "stopped",
        "stopped at once, for may_minihttp cannot drain: cut off {requests} requests and {connections} connections"
    );
    ExitCode::SUCCESS
}
