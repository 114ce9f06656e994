//! Import files with everything that can be wrong with them, and opening times.

use super::*;
use crate::store::{CourseRow, StudentRow};

fn problems(result: Result<Vec<impl std::fmt::Debug>, Vec<(u64, String)>>) -> String {
    let lines = result.unwrap_err().into_iter().map(|(line, problem)| format!("{line}: {problem}\n"));
    lines.collect()
}

fn course(line: u64, id: &str, title: &str, seats: u64) -> CourseRow {
    CourseRow { line, id: id.into(), title: title.into(), seats }
}

#[test]
fn files_of_any_spreadsheet_are_read() {
    let expected = vec![course(2, "art", "Art, \"modern\"", 25), course(3, "chess", "Chess", 0)];
    let quoted = "id,title,seats\nart,\"Art, \"\"modern\"\"\",25\nchess,Chess,0\n";
    assert_eq!(csv::courses(quoted.as_bytes()).unwrap(), expected);
    let windows = format!("\u{FEFF}{}", quoted.replace('\n', "\r\n"));
    assert_eq!(csv::courses(windows.as_bytes()).unwrap(), expected);
    let semicolons = "Seats;ID;Room;Title\n25;art;R1;\"Art, \"\"modern\"\"\"\n0; chess ;R2;Chess";
    assert_eq!(csv::courses(semicolons.as_bytes()).unwrap(), expected);
    let tabs = quoted.replace(",25", "\t25").replace("id,title,seats", "id\ttitle\tseats");
    let tabs = tabs.replace("art,", "art\t").replace("chess,Chess,0", "chess\tChess\t0");
    assert_eq!(csv::courses(tabs.as_bytes()).unwrap(), expected);
    let student = |pin: Option<&str>| StudentRow { id: "s1".into(), name: "Zoë".into(), pin: pin.map(Into::into) };
    assert_eq!(csv::students("id,name\ns1,Zoë\n".as_bytes()).unwrap(), [student(None)]);
    assert_eq!(csv::students("id,name,PIN\ns1,Zoë,0042\n".as_bytes()).unwrap(), [student(Some("0042"))]);
}

#[test]
fn every_problem_is_reported_with_its_line() {
    let file = "id,title,seats\n\
                art,Art,25\n\
                \n\
                ,No id,1\n\
                =1+1,Formula,1\n\
                music,,1\n\
                art,Again,1\n\
                pe,\"Two\nlines\",1\n\
                ict,ICT,many\n\
                bio,Biology,-1\n\
                chem,Chemistry\n\
                ,,\n\
                art,Third,9999999\n";
    let found = problems(csv::courses(file.as_bytes()));
    let expected = [
        "4: id is \"\"",
        "5: id is \"=1+1\"",
        "6: title is missing",
        "7: id art is on line 2 already",
        "8: title is longer than 200 bytes or holds a control character",
        "10: seats is \"many\"",
        "11: seats is \"-1\"",
        "12: 2 fields where the first line has 3",
        "14: id art is on line 2 already",
        "14: seats is \"9999999\"",
    ];
    assert_eq!(found.lines().count(), expected.len(), "{found}");
    for (line, start) in found.lines().zip(expected) {
        assert!(line.starts_with(start), "{line:?} instead of {start:?}");
    }
    assert!(problems(csv::students(b"id,name,pin\ns1,Ann,\n")).starts_with("2: pin is missing"));
}

#[test]
fn files_that_are_no_tables_are_refused() {
    for (file, expected) in [
        (&b""[..], "1: the file is empty"),
        (b"\n\n", "1: the file is empty"),
        (b"id,title,seats\n", "1: nothing follows the first line"),
        (b"\nid,name\nx,y\n", "2: the first line must name the columns; missing: title, seats"),
        (b"id,title,seats\na,\xFF,1\nb,b,1\nc,\xFE,1\n", "2: not UTF-8: save the file as \"CSV UTF-8\"\n4: not UTF-8"),
        (b"\x7FELF\x02\x01", "1: the first line"),
    ] {
        let found = problems(csv::courses(file));
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn made_up_courses_differ() {
    let courses = demo::courses(45, 25);
    let titles: std::collections::HashSet<_> = courses.iter().map(|course| &course.title).collect();
    let ids: std::collections::HashSet<_> = courses.iter().map(|course| &course.id).collect();
    assert_eq!((courses.len(), titles.len(), ids.len()), (45, 45, 45));
    assert!(courses.iter().all(|course| crate::store::model::is_name(&course.id)));
}

#[test]
fn opening_times() {
    let noon = crate::store::parse_local_time("2026-09-01 12:00").unwrap().unwrap();
    let parse = |text| opening::parse(text, noon);
    assert_eq!(parse("12:30").unwrap(), noon + 1_800_000);
    assert_eq!(local_time(parse("08:00").unwrap()).unwrap(), "2026-09-02 08:00:00");
    assert_eq!(local_time(parse("2026-09-03 08:15").unwrap()).unwrap(), "2026-09-03 08:15:00");
    assert_eq!(parse("2026-12-01T08:00:00+01:00").unwrap(), 1_796_108_400_000);
    for bad in ["", "soon", "8", "25:00", "2026-09-01 11:59", "2026-13-01 08:00", "12", "2460000", "now"] {
        let error = parse(bad).unwrap_err();
        assert!(error.is::<BadSettings>(), "{bad}: {error}");
    }
}
