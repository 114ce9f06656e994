//! `fastgo serve ENGINE`: starts a server from its settings, and stops it.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::Context as _;

use super::reload::Reload;
use super::summary;
use crate::app::App;
use crate::config::{Config, Settings};
use crate::daemon::notify::Notifier;
use crate::daemon::signals::{Signal, Signals};
use crate::daemon::watchdog::{self, Vitals};
use crate::daemon::{addresses, listeners, logging, supervised};
use crate::engine::{ENGINES, stock_may};
use crate::platform::siblings;
use crate::pprof;
use crate::server::{Server, capacity};

/// Gives the name of a thread that shows no life for longer than a time.
type Heartbeats = Box<dyn Fn(Duration) -> Result<(), String> + Send>;

pub(super) fn run(mut config: Config, given: Settings) -> anyhow::Result<ExitCode> {
    logging::init(config.log.clone(), config.engine.name())?;
    // From here on a signal to stop waits until there is something to stop.
    let signals = Signals::listen()?;
    supervised::end_with_supervisor()?;
    let notifier = Notifier::from_env();
    let clamps = capacity::clamp(&config);
    let reload = Reload::new(given, config.engine);
    let Some(engine) = ENGINES.iter().find(|engine| engine.kind == config.engine) else {
        let address = listeners::free_address(config.address)?;
        config.address = address;
        let app = App::new(config)?;
        stock_may::start(&app)?;
        report_ready(&app, address, &[], Box::new(|_| Ok(())), notifier)?;
        wait_for_end(signals, notifier, &app, reload)?;
        return Ok(end_stock(&app, notifier));
    };
    // Before any thread is started: this reads and clears what systemd passed on.
    let count = config.threads;
    let listening = listeners::obtain(config.address, count, notifier)?;
    let address = listening.first().context("there is no listening socket")?.local_addr()?;
    config.set_own_port(address.port());
    let app = App::new(config)?;
    let server = engine.start(Arc::clone(&app), listening)?;
    if let Err(error) = siblings::publish(address) {
        tracing::warn!(event = "peers", %error, "the other engines' pages will not find this one's port");
    }
    report_ready(&app, address, &clamps, Box::new(|max_age| server.check_heartbeats(max_age)), notifier)?;
    wait_for_end(signals, notifier, &app, reload)?;
    Ok(finish(server, notifier))
}

/// Reports to the log, the service manager and the supervisor that the server answers, and keeps reporting its state.
fn report_ready(
    app: &Arc<App>,
    address: SocketAddr,
    clamps: &[String],
    heartbeats: Heartbeats,
    notifier: Notifier,
) -> anyhow::Result<()> {
    serve_profiles(app)?;
    log_start(&app.config, address, clamps);
    notifier.ready(&app.metrics.read().status_line());
    let (status, mut watch) = (Arc::clone(app), addresses::Watch::new(address));
    notifier.spawn_status(move || {
        watch.look();
        let reached = watch.best().map(|url| format!(", at {url}")).unwrap_or_default();
        Some(status.metrics.read().status_line() + &reached)
    })?;
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

/// The settings in force, why some are not what was asked for, and the URLs. A supervisor logs what is the same for all
/// its engines, the machine's other names among it.
fn log_start(config: &Config, address: SocketAddr, clamps: &[String]) {
    let engine = summary::of_engine(config);
    let urls = addresses::urls(address);
    if supervised::is_supervised() {
        tracing::info!(event = "start", "{engine}");
        tracing::info!(event = "listening", "listening on {}", urls[0]);
        return;
    }
    for clamp in clamps {
        tracing::warn!(event = "clamp", "{clamp}");
    }
    let (version, name) = (env!("CARGO_PKG_VERSION"), config.engine.name());
    tracing::info!(event = "start", "fastgo {version} {name}: {engine}, {}", summary::of_limits(config));
    tracing::info!(event = "listening", "listening on {}", urls.join(" "));
}

/// Returns at the first signal to stop; the next one ends the process at once.
fn wait_for_end(mut signals: Signals, notifier: Notifier, app: &App, mut reload: Reload) -> anyhow::Result<()> {
    for signal in &mut signals {
        // Without a service manager to send it, SIGHUP says that the terminal is gone.
        if signal != Signal::Hangup || !notifier.is_connected() {
            break;
        }
        notifier.reloading();
        let outcome = match reload.take(&app.config) {
            Ok(outcome) => {
                tracing::info!(event = "reload", "{outcome}");
                outcome
            }
            Err(error) => {
                let reason = format!("settings unchanged: {error:#}");
                tracing::warn!(event = "reload", "{reason}");
                reason
            }
        };
        notifier.ready(&outcome);
    }
    Ok(signals.end_process_on_next()?)
}

fn finish(server: &Server, notifier: Notifier) -> ExitCode {
    let shutdown_timeout = server.app.config.live.shutdown_timeout();
    tracing::info!(event = "drain", "draining: requests in flight have {shutdown_timeout:?}");
    notifier.stopping("draining");
    notifier.extend_timeout(shutdown_timeout + Duration::from_secs(5));
    let drained = server.drain();
    server.app.close();
    let millis = drained.took.as_millis();
    if drained.is_clean() {
        tracing::info!(event = "stopped", "stopped in {millis} ms: all requests were completed");
        ExitCode::SUCCESS
    } else {
        tracing::warn!(
            event = "stopped",
            "stopped in {millis} ms: {} requests and {} connections were cut off",
            drained.cut_requests,
            drained.cut_connections
        );
        ExitCode::FAILURE
    }
}

/// The published crate has no drain, which is no failure of this run.
fn end_stock(app: &App, notifier: Notifier) -> ExitCode {
    notifier.stopping("ending without a drain");
    app.close();
    let (requests, connections) = (app.metrics.in_flight(), app.metrics.counters.active.load(Relaxed));
    tracing::warn!(
        event = "stopped",
        "stopped at once, for may_minihttp cannot drain: cut off {requests} requests and {connections} connections"
    );
    ExitCode::SUCCESS
}
