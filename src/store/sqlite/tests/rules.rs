//! Who gets a seat, and what the tables refuse to every writer.

use super::*;
use crate::store::model::{RegistrationId, Status};

#[test]
fn seats_go_in_order_of_arrival_and_then_places_on_the_waiting_list() {
    let mut fixture = Fixture::new();
    let commands: Vec<_> = ["a", "b", "c", "d"].iter().map(|student| wish(student, "art")).collect();
    let answers = fixture.apply_all(&commands);
    let outcome = |answer: &Answer| match answer {
        Answer::Registered(receipt) => (receipt.id.sequence, receipt.status, receipt.position),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        answers.iter().map(outcome).collect::<Vec<_>>(),
        [
            (1, Status::Enrolled, None),
            (2, Status::Enrolled, None),
            (3, Status::Waiting, Some(1)),
            (4, Status::Waiting, Some(2))
        ]
    );
    let list = ReadOnly::open(&fixture.path()).unwrap().courses().unwrap();
    assert_eq!((list.enrolled(), list.waiting(), list.courses.len()), (2, 2, 2));
    assert_eq!((&*list.courses[0].id, list.courses[0].taken, list.courses[0].waiting), ("art", 2, 2));
    assert!(list.is_open(NOW) && !list.is_open(NOW - 1));
}

#[test]
fn the_same_request_again_gets_the_same_receipt() {
    let mut fixture = Fixture::new();
    let first = fixture.registered("a", "chess");
    assert_eq!(fixture.apply(wish("a", "chess")), Answer::Known(first.clone()));
    let twice = [wish("b", "chess"), wish("b", "chess")];
    let answers = fixture.apply_all(&twice);
    let [Answer::Registered(one), Answer::Known(two)] = &*answers else { panic!("{answers:?}") };
    assert_eq!(one, two, "also within one batch, with the place on the waiting list");
    assert_eq!(fixture.export().len(), 2);
}

#[test]
fn an_idempotency_key_belongs_to_one_student_and_course() {
    let mut fixture = Fixture::new();
    let Answer::Registered(first) = fixture.apply(wish_with_key("a", "art", "k1")) else { panic!() };
    assert_eq!(fixture.apply(wish_with_key("a", "art", "k1")), Answer::Known(first.clone()));
    for other in [wish_with_key("a", "chess", "k1"), wish_with_key("b", "art", "k1"), wish_with_key("b", "no", "k1")] {
        assert_eq!(fixture.apply(other), Answer::KeyReused);
    }
    assert_eq!(fixture.apply(wish_with_key("a", "art", "k2")), Answer::Known(first.clone()));
    assert_eq!(fixture.apply(wish_with_key("a", "chess", "k2")), Answer::KeyReused, "the second key is remembered too");
    assert_eq!(fixture.export().len(), 1);

    // A delayed repetition must not take the seat again that was given back meanwhile.
    fixture.apply(Command::Cancel(first.id));
    assert!(matches!(fixture.apply(wish_with_key("a", "art", "k1")), Answer::Cancelled(_)));
    assert_eq!(fixture.export(), []);
}

#[test]
fn a_seat_given_back_goes_to_the_first_who_waits() {
    let mut fixture = Fixture::new();
    let receipts: Vec<_> = ["a", "b", "c", "d", "e"].map(|student| fixture.registered(student, "art")).into();
    assert!(matches!(fixture.apply(Command::Cancel(receipts[1].id)), Answer::Cancelled(_)));
    assert!(matches!(fixture.apply(Command::Cancel(receipts[3].id)), Answer::Cancelled(_)), "from the waiting list");
    let left: Vec<_> = fixture.export().into_iter().map(|r| (String::from(r.student), r.status, r.position)).collect();
    assert_eq!(
        left,
        [
            ("a".into(), Status::Enrolled, None),
            ("c".into(), Status::Enrolled, None),
            ("e".into(), Status::Waiting, Some(1))
        ]
    );
    assert!(matches!(fixture.apply(Command::Cancel(receipts[1].id)), Answer::Cancelled(_)), "again: no more than once");
    assert_eq!(fixture.export().len(), 3);
    let again = fixture.registered("b", "art");
    assert_eq!((again.status, again.position), (Status::Waiting, Some(2)), "who comes back comes last");

    let reader = ReadOnly::open(&fixture.path()).unwrap();
    let Answer::Known(promoted) = reader.find(receipts[2].id).unwrap() else { panic!() };
    assert_eq!(promoted.status, Status::Enrolled);
    let Answer::Known(waiting) = reader.find(receipts[4].id).unwrap() else { panic!() };
    assert_eq!(waiting.position, Some(1));
    assert!(matches!(reader.find(receipts[1].id).unwrap(), Answer::Cancelled(_)));
}

#[test]
fn ids_cannot_be_guessed() {
    let mut fixture = Fixture::new();
    let receipt = fixture.registered("a", "art");
    let guess = RegistrationId { token: [7; 16], ..receipt.id };
    assert_eq!(fixture.apply(Command::Cancel(guess)), Answer::UnknownRegistration);
    let reader = ReadOnly::open(&fixture.path()).unwrap();
    assert_eq!(reader.find(guess).unwrap(), Answer::UnknownRegistration);
    let tokens: std::collections::HashSet<_> =
        (0..100).map(|student| fixture.registered(&student.to_string(), "art").id.token).collect();
    assert_eq!(tokens.len(), 100);
}

#[test]
fn refusals_come_before_anything_is_written() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.apply(wish("a", "no")), Answer::UnknownCourse);
    fixture.database.set_opening(Some(NOW + 1000)).unwrap();
    assert_eq!(fixture.apply(wish("a", "art")), Answer::Closed { opens_at: Some(NOW + 1000) });
    assert!(matches!(fixture.apply(wish_at("a", "art", NOW + 1000)), Answer::Registered(_)));
    fixture.database.set_opening(None).unwrap();
    assert_eq!(fixture.apply(wish("b", "art")), Answer::Closed { opens_at: None });
    assert!(matches!(fixture.apply(wish("a", "art")), Answer::Known(_)), "a receipt is given at any time");
    assert_eq!(fixture.export().len(), 1);
}

#[test]
fn a_student_list_closes_registration_to_all_others() {
    let mut fixture = Fixture::new();
    assert!(!ReadOnly::open(&fixture.path()).unwrap().courses().unwrap().needs_pin);
    let students = vec![student("a", Some("1234")), student("b", None)];
    fixture.database.import(&Import { courses: Vec::new(), students }).unwrap().unwrap();
    fixture.database.set_opening(Some(NOW)).unwrap();
    for refused in
        [wish("c", "art"), wish("a", "art"), wish_with_pin("a", "art", "1235"), wish_with_pin("c", "no", "1")]
    {
        assert_eq!(fixture.apply(refused), Answer::NotAllowed);
    }
    assert!(matches!(fixture.apply(wish_with_pin("a", "art", "1234")), Answer::Registered(_)));
    assert!(matches!(fixture.apply(wish("b", "art")), Answer::Registered(_)), "no PIN on the list");
    assert_eq!(fixture.apply(wish("a", "art")), Answer::NotAllowed, "a receipt is not shown to others");
    assert!(ReadOnly::open(&fixture.path()).unwrap().courses().unwrap().needs_pin);
    let stored = std::fs::read(beside(&fixture.path(), "-wal")).unwrap();
    assert!(!stored.windows(4).any(|window| window == b"1234"), "PINs are stored as hashes");
}

#[test]
fn an_import_is_all_or_nothing() {
    let mut fixture = Fixture::new();
    let receipts: Vec<_> = ["a", "b", "c"].map(|student| fixture.registered(student, "art")).into();
    let before = ReadOnly::open(&fixture.path()).unwrap().courses().unwrap();
    let bad = vec![course("new", 5), course("art", 1)];
    let problems = fixture.database.import(&Import { courses: bad, students: Vec::new() }).unwrap().unwrap_err();
    assert_eq!(problems, [(2, "course art: 2 seats are taken already, so there cannot be 1".to_owned())]);
    assert_eq!(ReadOnly::open(&fixture.path()).unwrap().courses().unwrap(), before);

    let good = vec![course("new", 5), course("art", 3)];
    fixture.database.import(&Import { courses: good, students: Vec::new() }).unwrap().unwrap();
    let after = ReadOnly::open(&fixture.path()).unwrap().courses().unwrap();
    assert_eq!(after.opens_at, None, "imported courses are closed");
    assert_eq!(after.courses.iter().map(|course| course.seats).collect::<Vec<_>>(), [3, 1, 5]);
    let Answer::Known(promoted) = ReadOnly::open(&fixture.path()).unwrap().find(receipts[2].id).unwrap() else {
        panic!()
    };
    assert_eq!(promoted.status, Status::Enrolled, "a seat more goes to the first who waits");
}

#[test]
fn made_up_courses_make_way_for_real_ones() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("r.db");
    let mut database = Database::open_or_create(&path).unwrap();
    assert!(database.make_demo(&[course("x", 1), course("y", 1)], NOW).unwrap());
    let mut fixture = Fixture { directory, database };
    fixture.registered("a", "x");
    fixture.apply(wish_with_key("b", "x", "k"));
    assert!(fixture.database.make_demo(&[course("x", 1)], NOW).unwrap(), "again: from the beginning");
    assert_eq!(fixture.export(), []);
    fixture.apply(wish_with_key("b", "x", "k"));
    fixture.database.import(&Import { courses: vec![course("art", 1)], students: Vec::new() }).unwrap().unwrap();
    let list = ReadOnly::open(&path).unwrap().courses().unwrap();
    assert_eq!((list.courses.len(), &*list.courses[0].id, list.opens_at), (1, "art", None));
    assert!(!fixture.database.make_demo(&[course("x", 1)], NOW).unwrap(), "never among real courses");
}

/// The guarantees hold against any program that writes to the file.
#[test]
fn the_tables_themselves_refuse_what_must_not_be() {
    let mut fixture = Fixture::new();
    for student in ["a", "b", "c", "d"] {
        fixture.registered(student, "art");
    }
    let connection = Connection::open(fixture.path()).unwrap();
    let insert = |student: &str, status: i64| {
        connection.execute(
            "INSERT INTO registrations (token, student, course, status, registered_at) \
             SELECT x'00', ?, course, ?, 0 FROM courses WHERE id = 'art'",
            rusqlite::params![student, status],
        )
    };
    assert!(insert("e", 0).is_err(), "a seat too many, or before those who wait");
    assert!(insert("a", 1).is_err(), "twice");
    assert!(insert("e", 3).is_err(), "no such status");
    for change in [
        "UPDATE registrations SET status = 0 WHERE student = 'c'",
        "UPDATE registrations SET status = 1 WHERE student = 'a'",
        "UPDATE courses SET taken = 3 WHERE id = 'art'",
        "UPDATE courses SET seats = 1 WHERE id = 'art'",
        "DELETE FROM courses WHERE id = 'art'",
    ] {
        assert!(connection.execute(change, []).is_err(), "{change}");
    }
    connection.execute("UPDATE registrations SET status = 2 WHERE student = 'a'", []).unwrap();
    for change in [
        "UPDATE registrations SET status = 0 WHERE student = 'd'",
        "UPDATE registrations SET status = 0 WHERE student = 'a'",
    ] {
        assert!(connection.execute(change, []).is_err(), "{change}");
    }
    connection.execute("UPDATE registrations SET status = 0 WHERE student = 'c'", []).unwrap();
    let list = ReadOnly::open(&fixture.path()).unwrap().courses().unwrap();
    assert_eq!((list.courses[0].taken, list.courses[0].waiting), (2, 1), "counters follow");
}
