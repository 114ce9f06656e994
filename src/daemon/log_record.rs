//! One log record as text: its message, its `event` name and its other fields as `key=value`.

use std::fmt::{self, Write as _};

use tracing::Event;
use tracing::field::{Field, Visit};

/// What a `tracing` event says, with control characters escaped so that no value can forge a line or a colour.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The human sentence.
    pub(super) message: String,
    /// The name of what happened, for machines: the field `event`.
    pub(super) event: Option<String>,
    /// The other fields, each with a space before it.
    pub(super) fields: String,
}

impl Record {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut record = Self::default();
        event.record(&mut record);
        record
    }

    fn add(&mut self, field: &Field, value: impl fmt::Display) {
        match field.name() {
            "message" => push_escaped(&mut self.message, &value.to_string()),
            "event" => self.event = Some(value.to_string()),
            name => {
                let value = value.to_string();
                let _ = write!(self.fields, " {name}=");
                let quoted = value.starts_with('"');
                if !quoted && (value.is_empty() || value.contains([' ', '=', '"'])) {
                    let _ = write!(self.fields, "{value:?}");
                } else {
                    push_escaped(&mut self.fields, &value);
                }
            }
        }
    }
}

impl Visit for Record {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }
}

fn push_escaped(text: &mut String, value: &str) {
    for character in value.chars() {
        if character.is_control() {
            text.extend(character.escape_default());
        } else {
            text.push(character);
        }
    }
}
