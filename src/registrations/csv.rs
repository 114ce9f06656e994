//! CSV files as spreadsheets write them, with the line number of every problem.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use csv::{ReaderBuilder, StringRecord, Trim};

use crate::store::model::is_name;
use crate::store::{CourseRow, LineProblem, StudentRow};

/// The largest file that is read.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The longest title, name or PIN, in bytes.
const MAX_TEXT: usize = 200;

/// The most seats of one course.
const MAX_SEATS: u64 = 1_000_000;

const NAME_RULE: &str = "an id is 1 to 64 letters, digits, spaces and -_.@:/+ and begins with a letter or digit";

/// The bytes of a file.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot_read = || format!("cannot read {}", file.display());
    let mut bytes = Vec::new();
    File::open(file).and_then(|open| open.take(MAX_BYTES + 1).read_to_end(&mut bytes)).with_context(cannot_read)?;
    anyhow::ensure!(bytes.len() as u64 <= MAX_BYTES, "{} is larger than 64 MiB", file.display());
    Ok(bytes)
}

/// Courses from a table with the columns `id`, `title` and `seats`.
pub(super) fn courses(bytes: &[u8]) -> Result<Vec<CourseRow>, Vec<LineProblem>> {
    let mut table = Table::parse(bytes, &["id", "title", "seats"], &[])?;
    let mut courses = Vec::new();
    for Row { line, fields } in std::mem::take(&mut table.rows) {
        let [id, title, seats] = fields.as_slice() else { continue };
        table.check_id(line, id);
        table.check_text(line, "title", title);
        let seats = seats.parse().ok().filter(|seats| *seats <= MAX_SEATS).unwrap_or_else(|| {
            table.problems.push((line, format!("seats is {seats:?}: a number from 0 to 1000000 is needed")));
            0
        });
        courses.push(CourseRow { line, id: id.clone(), title: title.clone(), seats });
    }
    table.finish(courses)
}

/// Students from a table with the columns `id`, `name` and perhaps `pin`.
pub(super) fn students(bytes: &[u8]) -> Result<Vec<StudentRow>, Vec<LineProblem>> {
    let mut table = Table::parse(bytes, &["id", "name"], &["pin"])?;
    let mut students = Vec::new();
    for Row { line, fields } in std::mem::take(&mut table.rows) {
        let [id, name, pin @ ..] = fields.as_slice() else { continue };
        table.check_id(line, id);
        table.check_text(line, "name", name);
        // Without a PIN in a list with PINs, anybody could register this student.
        if let [pin] = pin {
            table.check_text(line, "pin", pin);
        }
        students.push(StudentRow { id: id.clone(), name: name.clone(), pin: pin.first().cloned() });
    }
    table.finish(students)
}

struct Row {
    line: u64,
    /// In the order in which the columns were asked for.
    fields: Vec<String>,
}

struct Table {
    rows: Vec<Row>,
    problems: Vec<LineProblem>,
    /// The line that each id was first seen on.
    ids: HashMap<String, u64>,
}

impl Table {
    /// The columns that are named, in any order in the file; others are ignored.
    fn parse(bytes: &[u8], required: &[&str], optional: &[&str]) -> Result<Self, Vec<LineProblem>> {
        let text = text(bytes)?;
        let mut lines = Lines::new(text);
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(Trim::All)
            .delimiter(delimiter(text))
            .from_reader(text.as_bytes());
        let mut records = reader.records().map(|record| {
            // Cannot fail: the text is UTF-8, rows may differ in length, and it is read from memory.
            let record = record.unwrap_or_default();
            let start = record.position().map_or(0, csv::Position::byte);
            (lines.of(start as usize), record)
        });
        let Some((line, header)) = records.next() else { return Err(vec![(1, "the file is empty".into())]) };
        let (columns, missing) = find_columns(&header, required, optional);
        if !missing.is_empty() {
            let problem = format!("the first line must name the columns; missing: {}", missing.join(", "));
            return Err(vec![(line, problem)]);
        }
        let mut table = Self { rows: Vec::new(), problems: Vec::new(), ids: HashMap::new() };
        for (line, record) in records {
            if record.iter().all(str::is_empty) {
                continue; // Spreadsheets leave rows of separators.
            }
            if record.len() == header.len() {
                let fields = columns.iter().map(|&column| record[column].to_owned()).collect();
                table.rows.push(Row { line, fields });
            } else {
                let problem = format!("{} fields where the first line has {}", record.len(), header.len());
                table.problems.push((line, problem));
            }
        }
        if table.rows.is_empty() && table.problems.is_empty() {
            table.problems.push((line, "nothing follows the first line".into()));
        }
        Ok(table)
    }

    fn check_id(&mut self, line: u64, id: &str) {
        if !is_name(id) {
            self.problems.push((line, format!("id is {id:?}: {NAME_RULE}")));
        } else if let Some(first) = self.ids.insert(id.to_owned(), line) {
            self.problems.push((line, format!("id {id} is on line {first} already")));
            self.ids.insert(id.to_owned(), first);
        }
    }

    fn check_text(&mut self, line: u64, column: &str, text: &str) {
        if text.is_empty() {
            self.problems.push((line, format!("{column} is missing")));
        } else if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
            self.problems
                .push((line, format!("{column} is longer than {MAX_TEXT} bytes or holds a control character")));
        }
    }

    fn finish<T>(mut self, rows: Vec<T>) -> Result<Vec<T>, Vec<LineProblem>> {
        self.problems.sort();
        if self.problems.is_empty() { Ok(rows) } else { Err(self.problems) }
    }
}

/// The positions of the required columns and of those optional ones that there are, and the names of those missing.
fn find_columns<'a>(header: &StringRecord, required: &[&'a str], optional: &[&'a str]) -> (Vec<usize>, Vec<&'a str>) {
    let position = |name: &str| header.iter().position(|column| column.eq_ignore_ascii_case(name));
    let missing = required.iter().copied().filter(|name| position(name).is_none()).collect();
    (required.iter().chain(optional).filter_map(|name| position(name)).collect(), missing)
}

/// The file as text, without the mark that some programs begin it with.
fn text(bytes: &[u8]) -> Result<&str, Vec<LineProblem>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|_| {
        let lines = bytes.split(|&byte| byte == b'\n').zip(1..);
        let bad = lines.filter(|(line, _)| std::str::from_utf8(line).is_err());
        bad.map(|(_, number)| (number, "not UTF-8: save the file as \"CSV UTF-8\"".to_owned())).collect()
    })
}

/// Spreadsheets in some countries separate with semicolons or tabs.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|&at| (header.matches(char::from(at)).count(), at == b','))
        .unwrap_or(b',')
}

/// Turns rising positions in a text into line numbers.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line of the first character at or after `position` that does not belong to a blank line.
    fn of(&mut self, position: usize) -> u64 {
        let rest = &self.text.as_bytes()[position..];
        let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let position = position + blank;
        self.line += self.text[self.at..position].matches('\n').count() as u64;
        self.at = position;
        self.line
    }
}
