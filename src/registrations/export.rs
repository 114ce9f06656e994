//! Every registration as CSV or JSON.

use std::io::Write;

use clap::ValueEnum;
use csv::WriterBuilder;
use serde_json::{Value, json};

use crate::store::model::Receipt;
use crate::store::{Inspection, clock};

/// How an export is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For spreadsheets, with the names of the columns in the first line
    #[default]
    Csv,
    /// An array with an object on each line
    Json,
}

const COLUMNS: [&str; 7] =
    ["sequence", "registration_id", "student_id", "course_id", "status", "position", "registered_at"];

/// Writes all that is registered to `out`.
pub(super) fn print(out: &mut impl Write, database: &mut dyn Inspection, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Csv => {
            let mut writer = WriterBuilder::new().from_writer(out);
            writer.write_record(COLUMNS)?;
            database.export(&mut |receipt| Ok(writer.write_record(fields(&receipt))?))?;
            writer.flush()?;
        }
        Format::Json => {
            let mut separator = "[\n";
            database.export(&mut |receipt| {
                write!(out, "{separator}{}", object(&receipt))?;
                separator = ",\n";
                Ok(())
            })?;
            writeln!(out, "{}", if separator == "[\n" { "[]" } else { "\n]" })?;
        }
    }
    Ok(())
}

fn fields(receipt: &Receipt) -> [String; 7] {
    [
        receipt.id.sequence.to_string(),
        receipt.id.to_string(),
        receipt.student.to_string(),
        receipt.course.to_string(),
        receipt.status.name().to_owned(),
        receipt.position.map(|position| position.to_string()).unwrap_or_default(),
        clock::rfc3339(receipt.registered_at),
    ]
}

fn object(receipt: &Receipt) -> Value {
    json!({
        "sequence": receipt.id.sequence,
        "registration_id": receipt.id.to_string(),
        "student_id": receipt.student,
        "course_id": receipt.course,
        "status": receipt.status.name(),
        "position": receipt.position,
        "registered_at": clock::rfc3339(receipt.registered_at),
    })
}
