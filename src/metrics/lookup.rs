//! Single numbers by the name that they have in the JSON of `/metrics`.

use std::time::Duration;

use super::reading::Reading;
use super::table::{ROWS, Value};

impl Reading<'_> {
    /// When it was taken, since the Unix epoch.
    pub fn unix_time(&self) -> Duration {
        self.unix_time
    }

    /// The number at `name`, dots between levels; a flag as 0 or 1, `pi.cores_percent` as the sum over the cores. `None`
    /// for what this engine or board does not have.
    pub fn number(&self, name: &str) -> Option<f64> {
        let Some(board) = name.strip_prefix("pi.") else {
            return match (ROWS.iter().find(|row| row.json == name)?.read)(self) {
                Value::Int(count) => Some(count as f64),
                Value::Float(measure) => Some(measure),
                Value::Missing => None,
            };
        };
        let sample = &self.second.board;
        match board {
            "temperature_c" => sample.temperature_c,
            "cpu_freq_mhz" => sample.cpu_freq_mhz,
            "under_voltage" => sample.under_voltage.map(|low| f64::from(u8::from(low))),
            "throttled.bits" => sample.throttled.as_ref().map(|throttled| f64::from(throttled.bits)),
            "cores_percent" => sample.cores_percent.as_ref().map(|cores| cores.iter().sum()),
            "memory.used_percent" => sample.memory.as_ref().map(|memory| memory.used_percent),
            "listen_overflows" => sample.listen_overflows.map(|count| count as f64),
            _ => None,
        }
    }
}
