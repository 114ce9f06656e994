//! What the store measures of itself.

use std::time::Duration;

use super::breaker::State;
use super::model::Reason;

/// Commits that the percentiles are over.
const RECENT: usize = 256;

/// Counters since the start, and the state now.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Commands that wait or are being carried out.
    pub pending: usize,
    /// Transactions committed.
    pub commits: u64,
    /// Commands in them.
    pub commands: u64,
    /// The largest batch.
    pub batch_max: usize,
    /// Transactions and probes that failed.
    pub failures: u64,
    /// Commands that were admitted.
    pub admitted: u64,
    /// Commands that were refused because of a long wait, an open breaker or the end of the server.
    pub refused: u64,
    /// How long a newcomer would wait.
    pub predicted_wait: Duration,
    /// The circuit breaker.
    pub breaker: State,
    /// Why it is not closed.
    pub broken: Option<Reason>,
    /// Size of, and time for the commit of, each of the last batches, a ring.
    recent: Vec<(usize, Duration)>,
    commit_max: Duration,
}

impl Figures {
    pub(super) fn committed(&mut self, commands: usize, commit: Duration) {
        if commands == 0 {
            return;
        }
        let next = self.commits as usize % RECENT;
        if self.recent.len() < RECENT {
            self.recent.push((commands, commit));
        } else {
            self.recent[next] = (commands, commit);
        }
        self.commits += 1;
        self.commands += commands as u64;
        self.batch_max = self.batch_max.max(commands);
        self.commit_max = self.commit_max.max(commit);
    }

    /// The median size of the last 256 batches; 0 before the first.
    pub fn batch_p50(&self) -> usize {
        quantile(self.recent.iter().map(|(commands, _)| *commands), 0.5).unwrap_or(0)
    }

    /// A quantile (0 to 1) of the time that the last 256 commits took, each with its sync.
    pub fn commit_time(&self, quantile_of: f64) -> Duration {
        quantile(self.recent.iter().map(|(_, commit)| *commit), quantile_of).unwrap_or_default()
    }

    /// The longest that a commit has taken.
    pub fn commit_max(&self) -> Duration {
        self.commit_max
    }
}

fn quantile<T: Ord>(values: impl Iterator<Item = T>, quantile: f64) -> Option<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    let index = (values.len().saturating_sub(1) as f64 * quantile).round() as usize;
    values.into_iter().nth(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_over_the_last_commits() {
        let mut figures = Figures::default();
        assert_eq!((figures.batch_p50(), figures.commit_time(0.99)), (0, Duration::ZERO));
        figures.committed(9, Duration::from_secs(9));
        for batch in 1..=RECENT {
            figures.committed(batch, Duration::from_millis(batch as u64));
        }
        assert_eq!((figures.commits, figures.batch_max), (257, 256));
        assert_eq!(figures.batch_p50(), 129);
        assert_eq!(figures.commit_time(0.99), Duration::from_millis(253));
        assert_eq!(figures.commit_max(), Duration::from_secs(9));
    }
}
