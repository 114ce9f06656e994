//! The file: made, migrated, refused when it is not ours or damaged, and copied.

use super::*;

/// Opening fails with a message that holds `expected`, and leaves every byte as it was.
#[track_caller]
fn refused(path: &Path, expected: &str) {
    let before = fs::read(path).unwrap();
    for error in [Database::open(path).unwrap_err(), Database::open_or_create(path).unwrap_err()] {
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(fs::read(path).unwrap() == before, "the file was changed");
}

/// A database with some hundred registrations, closed, with everything in the main file.
fn filled() -> (TempDir, PathBuf) {
    let mut fixture = Fixture::new();
    for student in 0..500 {
        fixture.registered(&format!("student {student}"), "art");
    }
    fixture.database.checkpoint().unwrap();
    let Fixture { directory, database } = fixture;
    drop(database);
    let path = directory.path().join("r.db");
    fs::remove_file(beside(&path, "-wal")).unwrap();
    fs::remove_file(beside(&path, "-shm")).unwrap();
    (directory, path)
}

#[test]
fn damage_is_refused_and_never_overwritten() {
    let (_directory, path) = filled();
    let good = fs::read(&path).unwrap();
    let length = good.len();
    for cut in [0, 1, 15, 100, 512, 1024, 1500, length / 2, length - 1024, length - 1] {
        fs::write(&path, &good[..cut]).unwrap();
        refused(&path, "damaged");
    }
    for (at, count) in [(0, 16), (0, length), (2048, 1024), (length / 2, 4096), (length - 1024, 1024)] {
        let mut bad = good.clone();
        bad[at..][..count].fill(0xA5);
        fs::write(&path, &bad).unwrap();
        refused(&path, "damaged");
    }
    fs::write(&path, &good).unwrap();
    Database::open(&path).unwrap();
}

#[test]
fn a_log_without_its_database_is_not_thrown_away() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("r.db");
    fs::write(beside(&path, "-wal"), "what was registered").unwrap();
    let error = Database::open_or_create(&path).unwrap_err().to_string();
    assert!(error.contains("without its database"), "{error}");
    assert_eq!(fs::read(beside(&path, "-wal")).unwrap(), b"what was registered");
}

#[test]
fn databases_of_others_and_of_newer_versions_are_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE cats (name TEXT)").unwrap();
    refused(&path, "another program");

    let path = directory.path().join("newer.db");
    drop(Database::open_or_create(&path).unwrap());
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", MIGRATIONS.len() + 1).unwrap();
    drop(connection);
    refused(&path, "install the newer fastgo");
    assert!(ReadOnly::open(&path).is_err());
}

#[test]
fn migrations_bring_an_older_database_up_to_date_or_change_nothing() {
    let mut fixture = Fixture::new();
    let receipt = fixture.registered("a", "art");
    let connection = &mut fixture.database.connection;
    let newer = ["", "ALTER TABLE courses ADD COLUMN room TEXT", "UPDATE courses SET room = 'R1'"];
    let failing = ["", newer[1], newer[2], "no SQL"];
    assert!(migrate(connection, &failing).is_err());
    assert_eq!(pragma::<i64>(connection, "user_version").unwrap(), 1);
    assert!(connection.prepare("SELECT room FROM courses").is_err(), "all steps or none");

    migrate(connection, &newer).unwrap();
    migrate(connection, &newer).unwrap();
    assert_eq!(pragma::<i64>(connection, "user_version").unwrap(), 3);
    let rooms: i64 =
        connection.query_row("SELECT count(*) FROM courses WHERE room = 'R1'", [], |row| row.get(0)).unwrap();
    assert_eq!(rooms, 2);
    let token: [u8; 16] = connection.query_row("SELECT token FROM registrations", [], |row| row.get(0)).unwrap();
    assert_eq!(token, receipt.id.token, "registrations are kept");
}

#[test]
fn a_new_database_appears_whole_or_not_at_all() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("deep/down/r.db");
    assert!(matches!(Database::open(&path), Err(OpenError::Missing)));
    assert!(!path.parent().unwrap().exists(), "looking for it makes nothing");
    // What a process that was killed while making one has left.
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(beside(&path, "-new"), "half").unwrap();
    let databases: Vec<Database> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| Database::open_or_create(&path).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(databases.iter().all(Database::is_current), "all have the same one");
    assert!(!beside(&path, "-new").exists());
    assert_eq!(pragma::<String>(&databases[0].connection, "journal_mode").unwrap(), "wal");
    assert_eq!(pragma::<i64>(&databases[0].connection, "synchronous").unwrap(), 2, "FULL");
    assert_eq!(pragma::<u32>(&databases[0].connection, "page_size").unwrap(), PAGE_SIZE);
}

#[test]
fn a_backup_is_a_whole_database_and_overwrites_nothing() {
    let mut fixture = Fixture::new();
    fixture.registered("a", "art");
    let copy = fixture.directory.path().join("copy.db");
    fixture.database.backup(&copy).unwrap();
    fixture.registered("b", "art");
    assert!(fixture.database.backup(&copy).unwrap_err().to_string().contains("exists"));
    Database::open(&copy).unwrap();
    assert_eq!(ReadOnly::open(&copy).unwrap().courses().unwrap().enrolled(), 1);
    assert!(fixture.database.backup(&fixture.directory.path().join("no/such/copy.db")).is_err());
}
