//! The registration day at a glance.

use std::io::Write;

use crate::store::{Inspection, clock, local_time};
use crate::terminal::thousands;

/// Writes whether registration is open, and how full each course is.
pub(super) fn print(out: &mut impl Write, database: &str, reader: &mut dyn Inspection) -> anyhow::Result<()> {
    let (list, students, now) = (reader.courses()?, reader.students()?, clock::now());
    let state = match list.opens_at {
        None => "closed".to_owned(),
        Some(time) if time <= now => format!("open since {}", local_time(time)?),
        Some(time) => format!("opens at {}", local_time(time)?),
    };
    let allowed = if students == 0 {
        "everybody may register".to_owned()
    } else {
        format!("{} on the list", thousands(students))
    };
    let seats = list.courses.iter().map(|course| course.seats).sum();
    let (taken, waiting) = (list.enrolled(), list.waiting());
    writeln!(out, "Database      {database}")?;
    writeln!(out, "Registration  {state}")?;
    writeln!(out, "Students      {allowed}")?;
    writeln!(
        out,
        "Courses       {}: {} of {} seats taken, {} waiting",
        thousands(list.courses.len() as u64),
        thousands(taken),
        thousands(seats),
        thousands(waiting)
    )?;
    if list.courses.is_empty() {
        return Ok(());
    }
    let width = list.courses.iter().map(|course| course.id.chars().count()).max().unwrap_or(0).max(6);
    writeln!(out, "\n{:width$}  {:>7}  {:>7}  {:>7}  TITLE", "COURSE", "SEATS", "TAKEN", "WAITING")?;
    for course in &list.courses {
        let (seats, taken, waiting) = (thousands(course.seats), thousands(course.taken), thousands(course.waiting));
        writeln!(out, "{:width$}  {seats:>7}  {taken:>7}  {waiting:>7}  {}", course.id, course.title)?;
    }
    Ok(())
}
