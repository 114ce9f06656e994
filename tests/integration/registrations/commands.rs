//! `fastgo registrations` as an operator uses it.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{register, start};

struct Board {
    directory: TempDir,
}

impl Board {
    fn new() -> Self {
        Self { directory: TempDir::new().expect("directory") }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.file(name), content).expect("write");
    }

    /// Runs a command in the board's directory: its exit code, and all that it printed.
    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_fastgo"))
            .arg("registrations")
            .args(arguments)
            .current_dir(self.directory.path())
            .env_clear()
            .env("STATE_DIRECTORY", self.directory.path())
            .output()
            .expect("run");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().expect("a code"), String::from_utf8(text).expect("UTF-8"))
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str]) -> String {
        let (code, text) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {text}");
        text
    }

    #[track_caller]
    fn fails(&self, expected: i32, arguments: &[&str]) -> String {
        let (code, text) = self.run(arguments);
        assert_eq!(code, expected, "{arguments:?}: {text}");
        assert!(!text.contains("panicked"), "{text}");
        text
    }
}

#[test]
fn a_registration_day_from_import_to_export() {
    let board = Board::new();
    board.write("courses.csv", "id,title,seats\nart,Art,1\nchess,Chess,2\n");
    board.write("students.csv", "id,name\nann,Ann\nben,Ben\n");
    let imported = board.succeeds(&["import", "--courses", "courses.csv", "--students", "students.csv"]);
    assert!(imported.contains("2 courses with 3 seats, 2 students"), "{imported}");
    assert!(board.succeeds(&["status"]).contains("closed"));
    let opens = board.succeeds(&["open", "--at", "2999-09-01 08:00"]);
    assert!(opens.contains("opens at 2999-09-01 08:00:00"), "{opens}");
    assert!(board.succeeds(&["status"]).contains("opens at 2999-09-01 08:00:00"));
    board.succeeds(&["open"]);

    let store = start(&board.file("registrations.db"));
    register(&store, "ann", "art");
    let second = register(&store, "ben", "art");
    assert_eq!(second.position, Some(1));
    let status = board.succeeds(&["status"]);
    for expected in ["open since", "2 on the list", "2: 1 of 3 seats taken, 1 waiting", "Chess"] {
        assert!(status.contains(expected), "{expected} in\n{status}");
    }
    let export = board.succeeds(&["export"]);
    let lines: Vec<&str> = export.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[2].starts_with(&format!("2,{},ben,art,waiting,1,", second.id)), "{export}");
    let json: serde_json::Value = serde_json::from_str(&board.succeeds(&["export", "--format", "json"])).expect("JSON");
    assert_eq!((&json[0]["status"], &json[0]["position"]), (&"enrolled".into(), &serde_json::Value::Null));
    assert_eq!((&json[1]["registration_id"], &json[1]["position"]), (&second.id.to_string().into(), &1.into()));

    assert!(board.succeeds(&["backup", "copy.db"]).contains("copy.db"));
    let copied = board.succeeds(&["export", "--database", "sqlite:copy.db"]);
    assert_eq!(copied, export);
    assert!(board.fails(1, &["backup", "copy.db"]).contains("copy.db"), "never overwrites");
    board.succeeds(&["close"]);
    assert!(board.succeeds(&["status"]).contains("closed"));
    assert!(board.fails(1, &["demo"]).contains("real courses"));
}

#[test]
fn an_import_with_problems_changes_nothing_and_names_every_line() {
    let board = Board::new();
    board.succeeds(&["demo", "--courses", "3", "--seats", "7"]);
    assert!(board.succeeds(&["status"]).contains("3: 0 of 21 seats taken"));
    board.write("courses.csv", "id,title,seats\nart,Art,x\nart,Art,1\n");
    board.write("students.csv", "id,name\n,Nobody\nben,\n");
    let said = board.fails(1, &["import", "--courses", "courses.csv", "--students", "students.csv"]);
    for expected in [
        "courses.csv:2: seats is \"x\"",
        "courses.csv:3: id art is on line 2 already",
        "students.csv:2: id is \"\"",
        "students.csv:3: name is missing",
        "nothing was imported",
    ] {
        assert!(said.contains(expected), "{expected} in\n{said}");
    }
    assert!(board.succeeds(&["status"]).contains("3: 0 of 21 seats taken"), "the made-up courses are still there");

    let store = start(&board.file("registrations.db"));
    board.write("courses.csv", "id,title,seats\nart,Art,2\n");
    board.succeeds(&["import", "--courses", "courses.csv"]);
    board.succeeds(&["open"]);
    register(&store, "ann", "art");
    register(&store, "ben", "art");
    board.write("courses.csv", "id,title,seats\nchess,Chess,2\nart,Art,1\n");
    let said = board.fails(1, &["import", "--courses", "courses.csv"]);
    assert!(said.contains("courses.csv:3: course art: 2 seats are taken already"), "{said}");
    assert!(!board.succeeds(&["status"]).contains("chess"));
}

#[test]
fn mistakes_are_explained() {
    let board = Board::new();
    for action in [&["open"][..], &["close"], &["status"], &["export"], &["backup", "copy.db"]] {
        let said = board.fails(1, action);
        assert!(said.contains("registrations.db") && said.contains("import courses first"), "{action:?}: {said}");
    }
    assert!(!board.file("registrations.db").exists(), "only an import makes one");
    assert!(board.fails(1, &["import", "--courses", "none.csv"]).contains("none.csv"));
    for usage in [
        &["import"][..],
        &["bogus"],
        &["status", "--database", "none"],
        &["status", "--database", "mysql://db"],
        &["export", "--format", "xml"],
    ] {
        board.fails(2, usage);
    }
    board.succeeds(&["demo"]);
    assert!(board.fails(2, &["open", "--at", "soon"]).contains("--at"));
    assert!(board.fails(2, &["open", "--at", "2020-01-01 08:00"]).contains("passed"));
    let other = Command::new(env!("CARGO_BIN_EXE_fastgo")).args(["registrations", "status"]).env_clear().output();
    let other = other.expect("run");
    // Root finds the packaged state directory where there is one.
    assert!([1, 2].contains(&other.status.code().unwrap_or(0)), "without any directory to look in");
}
