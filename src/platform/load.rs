//! Load averages.

use procfs::{FromRead as _, LoadAverage};
use serde::Serialize;

/// Tasks that run or wait for a core or a disk, averaged.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Load {
    /// Over one minute.
    pub one: f32,
    /// Over five minutes.
    pub five: f32,
    /// Over fifteen minutes.
    pub fifteen: f32,
}

/// Reads `/proc/loadavg`.
pub(super) fn parse(text: &str) -> Option<Load> {
    let load = LoadAverage::from_read(text.as_bytes()).ok()?;
    let values = [load.one, load.five, load.fifteen];
    values.iter().all(|value| value.is_finite()).then_some(Load {
        one: load.one,
        five: load.five,
        fifteen: load.fifteen,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_averages() {
        let load = Load { one: 3.52, five: 2.1, fifteen: 0.95 };
        assert_eq!(parse("3.52 2.10 0.95 5/243 18230\n"), Some(load));
        for bad in ["", "3.52", "3.52 2.10 0.95", "a b c 1/2 3", "nan 1 1 1/2 3", "1 2 3 4 5"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
