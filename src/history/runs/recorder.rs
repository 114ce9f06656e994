//! When a run begins and ends: from the load, or by a request.

use super::super::fields::{FIELDS, Values, index};
use super::series::Series;
use super::tally::{Step, Tally};
use hdrhistogram::Histogram;

/// Requests a second below which there is no load, whatever came before.
const LEAST_RATE: f64 = 5.0;

/// Load is at least this many times the rate outside of runs.
const RISE: f64 = 2.0;

/// Seconds over which the rate outside of runs is averaged.
const IDLE_SECONDS: f64 = 60.0;

/// Seconds with load that make a run.
const LEAST_SECONDS: u32 = 3;

/// Seconds without load that end one that is not yet a run, a run, and one that was asked for.
const PAUSE_BEFORE: u32 = 2;
const PAUSE: u32 = 5;
const PAUSE_ASKED: u32 = 600;

/// Open connections beyond those before the run that are a load by themselves.
const HELD_CONNECTIONS: f64 = 100.0;

/// No run is longer, in seconds.
const LONGEST: u32 = 86_400;

const UPTIME: usize = index("uptime_seconds");

/// What began or ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::history) enum Cause {
    /// The load rose or fell.
    Load,
    /// A request said so.
    Request,
    /// Another run was asked for.
    Next,
    /// Nothing came for ten minutes in one that was asked for.
    Idle,
    /// It lasted a day.
    Limit,
    /// The server stopped.
    Shutdown,
    /// The process ended without recording why.
    Interrupted,
}

impl Cause {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Request => "request",
            Self::Next => "next",
            Self::Idle => "idle",
            Self::Limit => "limit",
            Self::Shutdown => "shutdown",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A run that has ended, or how far one has come.
#[derive(Debug, Clone)]
pub(in crate::history) struct Course {
    pub(in crate::history) id: u32,
    pub(super) name: Option<String>,
    pub(in crate::history) started_by: Cause,
    pub(super) ended_by: Cause,
    /// Unix time before its first second and at the end of its last.
    pub(in crate::history) start: u32,
    pub(in crate::history) end: u32,
    pub(super) tally: Tally,
    pub(super) series: Series,
}

/// A run, or a rise of the load that may become one.
#[derive(Debug)]
struct Current {
    course: Course,
    /// The seconds since the last with load, which belong to the run only if more load follows.
    pause: Tally,
    paused: u32,
    loaded: u32,
    /// End of the newest second.
    newest: u32,
    threshold: f64,
    connections_before: f64,
}

/// What a client asked for, until the next second is recorded.
#[derive(Debug)]
struct Asked {
    id: u32,
    name: Option<String>,
}

/// Watches the seconds go by and makes runs of them.
#[derive(Debug, Default)]
pub(in crate::history) struct Recorder {
    before: Option<(f64, Values)>,
    idle_rate: f64,
    idle_connections: f64,
    current: Option<Current>,
    start: Option<Asked>,
    stop: bool,
}

impl Recorder {
    /// Takes in the second that ended at `time`; gives the runs that have ended with it. `new_id` makes an id of a time.
    pub(in crate::history) fn record(
        &mut self,
        time: f64,
        values: &Values,
        latencies: &Histogram<u64>,
        new_id: impl Fn(u32) -> u32,
    ) -> Vec<Course> {
        let mut ended = Vec::new();
        // The counters of a process begin at zero.
        let (before_time, before) =
            self.before.replace((time, *values)).unwrap_or((time - values[UPTIME], [0.0; FIELDS.len()]));
        let passed = time - before_time;
        let seconds = if passed > 0.1 && passed < 60.0 { passed } else { 1.0 };
        let step = Step::new(time as u32, seconds, &before, values, latencies);

        if let Some(asked) = self.start.take() {
            ended.extend(self.end_at_boundary(Cause::Next));
            self.current = Some(self.begin(asked.id, asked.name, Cause::Request, &step));
        }
        let threshold = LEAST_RATE + RISE * self.idle_rate;
        if self.current.is_none() && step.rate() >= threshold {
            self.current = Some(self.begin(new_id(step.time - 1), None, Cause::Load, &step));
        }
        match &mut self.current {
            Some(current) => current.take(&step),
            None => self.note_idle(&step),
        }
        if std::mem::take(&mut self.stop) {
            ended.extend(self.end_at_boundary(Cause::Request));
        } else if let Some(cause) = self.current.as_ref().and_then(Current::end_cause) {
            ended.extend(self.end_after_load(cause));
        }
        ended
    }

    /// Begins a run with the second that is going on; a run that is going on ends before it.
    pub(in crate::history) fn ask_start(&mut self, id: u32, name: Option<String>) {
        self.start = Some(Asked { id, name });
        self.stop = false;
    }

    /// Ends the run with the second that is going on; gives its id, or `None` when there is no run.
    pub(in crate::history) fn ask_stop(&mut self) -> Option<u32> {
        let asked = self.start.as_ref().map(|asked| asked.id);
        let id = asked.or_else(|| self.current.as_ref().filter(|current| current.is_run()).map(|run| run.course.id))?;
        self.stop = true;
        Some(id)
    }

    /// The run that is going on, as it stands.
    pub(in crate::history) fn active(&self) -> Option<Course> {
        let current = self.current.as_ref().filter(|current| current.is_run())?;
        let mut course = current.course.clone();
        course.tally.append(&current.pause);
        course.end = current.newest;
        Some(course)
    }

    /// A run that is to begin with the next second: its id and name.
    pub(in crate::history) fn starting(&self) -> Option<(u32, Option<&str>)> {
        self.start.as_ref().map(|asked| (asked.id, asked.name.as_deref()))
    }

    /// Ends whatever goes on.
    pub(in crate::history) fn shut_down(&mut self) -> Option<Course> {
        self.end_at_boundary(Cause::Shutdown)
    }

    /// Whether `id` belongs to a run that has not ended.
    pub(in crate::history) fn has(&self, id: u32) -> bool {
        self.start.as_ref().is_some_and(|asked| asked.id == id)
            || self.current.as_ref().is_some_and(|current| current.course.id == id)
    }

    fn begin(&self, id: u32, name: Option<String>, started_by: Cause, step: &Step<'_>) -> Current {
        let start = step.time - 1;
        let (tally, series) = (Tally::default(), Series::default());
        Current {
            course: Course { id, name, started_by, ended_by: Cause::Interrupted, start, end: start, tally, series },
            pause: Tally::default(),
            paused: 0,
            loaded: 0,
            newest: start,
            threshold: LEAST_RATE + RISE * self.idle_rate,
            connections_before: self.idle_connections,
        }
    }

    fn note_idle(&mut self, step: &Step<'_>) {
        self.idle_rate += (step.rate() - self.idle_rate) / IDLE_SECONDS;
        self.idle_connections = step.connections();
    }

    /// Ends the run now, its last pause included.
    fn end_at_boundary(&mut self, cause: Cause) -> Option<Course> {
        let mut course = self.active()?;
        self.current = None;
        course.ended_by = cause;
        (course.started_by == Cause::Request || course.tally.requests() > 0.0).then_some(course)
    }

    /// Ends the run with its last second of load; drops what never became one.
    fn end_after_load(&mut self, cause: Cause) -> Option<Course> {
        let current = self.current.take()?;
        let is_run = current.is_run();
        let mut course = current.course;
        course.ended_by = cause;
        course.series.cut_after(course.end);
        is_run.then_some(course)
    }
}

impl Current {
    /// Whether it is a run already and not only a rise of the load.
    fn is_run(&self) -> bool {
        self.course.started_by == Cause::Request || self.loaded >= LEAST_SECONDS
    }

    fn take(&mut self, step: &Step<'_>) {
        self.newest = step.time;
        self.course.series.push(step);
        let is_loaded = self.is_loaded(step);
        if is_loaded && self.paused > 0 {
            self.course.tally.append(&std::mem::take(&mut self.pause));
        }
        if is_loaded {
            self.course.tally.add(step);
            self.course.end = step.time;
            (self.paused, self.loaded) = (0, self.loaded + 1);
        } else {
            self.pause.add(step);
            self.paused += 1;
        }
    }

    fn is_loaded(&self, step: &Step<'_>) -> bool {
        let peak = self.course.tally.peak_connections().max(step.connections());
        let held = ((peak - self.connections_before) / 2.0).max(HELD_CONNECTIONS);
        step.rate() >= self.threshold
            || step.in_flight() >= LEAST_RATE
            || step.connections() >= self.connections_before + held
    }

    fn end_cause(&self) -> Option<Cause> {
        let (pause, cause) = match self.course.started_by {
            Cause::Request => (PAUSE_ASKED, Cause::Idle),
            _ if self.is_run() => (PAUSE, Cause::Load),
            _ => (PAUSE_BEFORE, Cause::Load),
        };
        if self.paused >= pause {
            Some(cause)
        } else if self.loaded + self.paused >= LONGEST || self.course.end - self.course.start >= LONGEST {
            Some(Cause::Limit)
        } else {
            None
        }
    }
}
