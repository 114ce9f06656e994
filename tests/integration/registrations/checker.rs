//! Compares an export with the responses that clients received. Knows nothing of the store but the format of the export.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Command;

/// What one client sent or received, at a time of the clock that all processes share.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// A request for a seat is about to be sent.
    Asked { at: u64, student: String, course: String },
    /// It was answered.
    Registered { at: u64, student: String, course: String, id: String, enrolled: bool },
    /// A cancellation is about to be sent.
    GivingBack { id: String },
    /// It was answered.
    GivenBack { id: String },
}

/// One line of an export.
#[derive(Debug)]
struct Line {
    sequence: u64,
    id: String,
    student: String,
    course: String,
    enrolled: bool,
    position: Option<u64>,
}

/// The export of the database at `path`, as the command prints it.
pub(super) fn export(path: &Path) -> String {
    export_from(&super::sqlite(path))
}

/// The same of any database.
pub(super) fn export_from(database: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_fastgo"))
        .args(["registrations", "export", "--database", database])
        .output()
        .expect("run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Fails unless the export agrees with every event, with `seats` seats in each course: nothing acknowledged is lost,
/// doubled or oversold, and seats and places went in order of arrival. Returns the number of registrations.
pub(super) fn check(export: &str, events: &[Event], seats: usize) -> usize {
    let lines = parse(export);
    let by_wish: HashMap<(&str, &str), &Line> =
        lines.iter().map(|line| ((&*line.student, &*line.course), line)).collect();
    assert_eq!(by_wish.len(), lines.len(), "a student has one course twice");
    let ids: HashSet<&str> = lines.iter().map(|line| &*line.id).collect();
    assert_eq!(ids.len(), lines.len(), "two registrations have one id");
    assert!(lines.is_sorted_by(|a, b| a.sequence < b.sequence), "the export is out of order");

    let giving_back = |id: &str| events.iter().any(|event| matches!(event, Event::GivingBack { id: it } if it == id));
    let given_back: HashSet<&str> = events
        .iter()
        .filter_map(|event| if let Event::GivenBack { id } = event { Some(&**id) } else { None })
        .collect();
    for event in events {
        let Event::Registered { student, course, id, enrolled, .. } = event else { continue };
        match by_wish.get(&(&**student, &**course)) {
            None => assert!(giving_back(id), "lost: {event:?}"),
            Some(line) => {
                assert!(line.id == *id, "another receipt than {event:?}: {line:?}");
                assert!(line.enrolled || !enrolled, "lost the seat: {event:?}, {line:?}");
                assert!(!given_back.contains(&**id), "was given back: {event:?}, {line:?}");
            }
        }
    }
    check_courses(&lines, seats);
    if !events.is_empty() {
        check_order(&lines, events);
    }
    lines.len()
}

fn parse(export: &str) -> Vec<Line> {
    let mut lines = export.lines();
    assert_eq!(lines.next(), Some("sequence,registration_id,student_id,course_id,status,position,registered_at"));
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [sequence, id, student, course, status, position, registered_at] = *fields else { panic!("{line}") };
        assert!(registered_at.ends_with('Z') && registered_at.len() == 24, "{line}");
        assert!(["enrolled", "waiting"].contains(&status), "{line}");
        Line {
            sequence: sequence.parse().expect("sequence"),
            id: id.into(),
            student: student.into(),
            course: course.into(),
            enrolled: status == "enrolled",
            position: (!position.is_empty()).then(|| position.parse().expect("position")),
        }
    };
    lines.map(line).collect()
}

/// No student has two seats, none waits while a seat is free, and those who wait came after those who are enrolled.
fn check_courses(lines: &[Line], seats: usize) {
    let mut courses: HashMap<&str, Vec<&Line>> = HashMap::new();
    for line in lines {
        courses.entry(&line.course).or_default().push(line);
    }
    for (course, lines) in courses {
        let enrolled = lines.iter().take_while(|line| line.enrolled).count();
        assert!(enrolled <= seats, "{course} is oversold: {enrolled} of {seats}");
        let waiting = &lines[enrolled..];
        assert!(waiting.is_empty() || enrolled == seats, "{course}: some wait beside {} free seats", seats - enrolled);
        for (line, place) in waiting.iter().zip(1..) {
            assert_eq!((line.enrolled, line.position), (false, Some(place)), "{course}: {line:?}");
        }
    }
}

/// Who was answered before another asked comes before the other.
fn check_order(lines: &[Line], events: &[Event]) {
    let (mut asked, mut answered) = (HashMap::new(), HashMap::new());
    for event in events {
        let (times, at, student, course) = match event {
            Event::Asked { at, student, course } => (&mut asked, *at, student, course),
            Event::Registered { at, student, course, .. } => (&mut answered, *at, student, course),
            _ => continue,
        };
        let first = times.entry((&**student, &**course)).or_insert(at);
        *first = at.min(*first);
    }
    // Of all that come after a line, the one that was answered first.
    let mut earliest_after = u64::MAX;
    for line in lines.iter().rev() {
        let wish = (&*line.student, &*line.course);
        let asked = asked.get(&wish).unwrap_or_else(|| panic!("not asked for: {line:?}"));
        assert!(*asked <= earliest_after, "out of order: {line:?} asked at {asked}, a later one was answered before");
        earliest_after = earliest_after.min(answered.get(&wish).copied().unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "sequence,registration_id,student_id,course_id,status,position,registered_at\n";

    fn asked(at: u64, student: &str) -> Event {
        Event::Asked { at, student: student.into(), course: "c".into() }
    }

    fn answered(at: u64, student: &str, id: &str, enrolled: bool) -> Event {
        Event::Registered { at, student: student.into(), course: "c".into(), id: id.into(), enrolled }
    }

    fn outcome(lines: &[&str], events: &[Event]) -> Result<usize, String> {
        let export = lines.iter().fold(HEADER.to_owned(), |all, line| all + line + ",2026-09-01T06:00:00.000Z\n");
        std::panic::catch_unwind(|| check(&export, events, 1))
            .map_err(|panic| panic.downcast::<String>().map_or_else(|_| "a fixed message".into(), |text| *text))
    }

    /// A check that cannot fail proves nothing.
    #[test]
    fn the_checker_finds_each_kind_of_mistake() {
        let events = [asked(1, "a"), answered(2, "a", "1-x", true), asked(3, "b"), answered(4, "b", "2-y", false)];
        assert_eq!(outcome(&["1,1-x,a,c,enrolled,", "2,2-y,b,c,waiting,1"], &events), Ok(2));
        let found = |lines: &[&str], expected: &str| {
            let error = outcome(lines, &events).unwrap_err();
            assert!(error.contains(expected), "{error} instead of {expected}");
        };
        found(&["1,1-x,a,c,enrolled,"], "lost");
        found(&["1,1-z,a,c,enrolled,", "2,2-y,b,c,waiting,1"], "another receipt");
        found(&["1,1-x,a,c,enrolled,", "2,2-y,b,c,enrolled,"], "oversold");
        found(&["1,2-y,b,c,enrolled,", "2,1-x,a,c,waiting,1"], "lost the seat");
        found(&["1,1-x,a,c,enrolled,", "2,2-y,b,c,waiting,2"], "c: ");
        found(&["1,1-x,a,c,enrolled,", "2,2-y,b,c,waiting,1", "3,3-z,b,c,waiting,2"], "twice");
        let swapped = [asked(1, "a"), answered(2, "a", "2-x", true), asked(3, "b"), answered(4, "b", "1-y", true)];
        let error = outcome(&["1,1-y,b,c,enrolled,", "2,2-x,a,d,enrolled,"], &swapped).unwrap_err();
        assert!(error.contains("lost"), "{error}");
        let moved: Vec<Event> = swapped
            .into_iter()
            .map(|event| match event {
                Event::Asked { at, student, .. } => Event::Asked { at, course: student.clone(), student },
                Event::Registered { at, student, id, enrolled, .. } => {
                    Event::Registered { at, course: student.clone(), student, id, enrolled }
                }
                other => other,
            })
            .collect();
        let error = outcome(&["1,1-y,b,b,enrolled,", "2,2-x,a,a,enrolled,"], &moved).unwrap_err();
        assert!(error.contains("out of order"), "{error}");
        let back = [asked(1, "a"), answered(2, "a", "1-x", true), Event::GivingBack { id: "1-x".into() }];
        assert_eq!(outcome(&[], &back), Ok(0));
        assert_eq!(outcome(&["1,1-x,a,c,enrolled,"], &back), Ok(1), "not answered: either is right");
        let back = [&back[..], &[Event::GivenBack { id: "1-x".into() }]].concat();
        assert!(outcome(&["1,1-x,a,c,enrolled,"], &back).unwrap_err().contains("given back"));
    }
}
