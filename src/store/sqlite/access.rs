//! A SQLite file as the store and the operator use it.

use std::path::{Path, PathBuf};

use super::{Database, ReadOnly, reason};
use crate::store::backend::{Administration, Applied, Inspection, OpenError, ReadAccess, Source, WriteAccess};
use crate::store::clock;
use crate::store::courses::{CourseList, CourseRow, Import, LineProblem};
use crate::store::model::{Answer, Command, Reason, Receipt, RegistrationId};

/// The file at this path, which may come into being later and be replaced by another at any time.
pub(in crate::store) struct SqliteFile(pub(in crate::store) PathBuf);

impl Source for SqliteFile {
    fn writer(&self) -> Result<Box<dyn WriteAccess>, OpenError> {
        Ok(Box::new(Database::open(&self.0)?))
    }

    fn reader(&self) -> Result<Box<dyn ReadAccess>, OpenError> {
        Ok(Box::new(ReadOnly::open(&self.0)?))
    }
}

impl WriteAccess for Database {
    fn is_current(&self) -> bool {
        self.is_current()
    }

    fn carry_out(&mut self, take: &mut dyn FnMut() -> Vec<Command>) -> Result<Applied, Reason> {
        // Commands that arrive while this waits are still part of the batch.
        let applied = self.wait_for_turn().and_then(|opportunity| opportunity.apply(&take(), clock::now()));
        applied.map_err(|error| reason(&error))
    }

    fn probe(&mut self) -> Result<(), Reason> {
        // On a full disk this is what makes room: the log is used again from its beginning. If it fails, so will the probe.
        let _ = self.checkpoint();
        self.probe().map_err(|error| reason(&error))
    }

    fn checkpoint(&mut self) -> Result<(), Reason> {
        Self::checkpoint(self).map_err(|error| reason(&error))
    }
}

impl ReadAccess for ReadOnly {
    fn is_current(&self) -> bool {
        self.is_current()
    }

    fn find(&mut self, ids: &[RegistrationId]) -> Result<Vec<Answer>, Reason> {
        ids.iter().map(|id| Self::find(self, *id).map_err(|error| reason(&error))).collect()
    }

    fn version(&mut self) -> Result<i64, Reason> {
        Self::version(self).map_err(|error| reason(&error))
    }

    fn courses(&mut self) -> Result<CourseList, Reason> {
        Self::courses(self).map_err(|error| reason(&error))
    }
}

impl Administration for Database {
    fn import(&mut self, import: &Import) -> anyhow::Result<Result<(), Vec<LineProblem>>> {
        Ok(self.import(import)?)
    }

    fn make_demo(&mut self, courses: &[CourseRow], now: i64) -> anyhow::Result<bool> {
        Ok(self.make_demo(courses, now)?)
    }

    fn set_opening(&mut self, opens_at: Option<i64>) -> anyhow::Result<()> {
        Ok(self.set_opening(opens_at)?)
    }

    fn backup(&mut self, to: &Path) -> anyhow::Result<()> {
        Ok(Self::backup(self, to)?)
    }
}

impl Inspection for ReadOnly {
    fn courses(&mut self) -> anyhow::Result<CourseList> {
        Ok(Self::courses(self)?)
    }

    fn students(&mut self) -> anyhow::Result<u64> {
        Ok(Self::students(self)?)
    }

    fn export(&mut self, each: &mut dyn FnMut(Receipt) -> anyhow::Result<()>) -> anyhow::Result<()> {
        Self::export(self, each)
    }
}
