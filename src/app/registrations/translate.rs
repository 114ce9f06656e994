//! From a body to a registration, and from an outcome to a response.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{JSON, Response};
use crate::store::admission::retry_after_seconds;
use crate::store::model::{Answer, IdempotencyKey, Receipt, Registration, Unavailable, is_name};
use crate::store::{CourseList, clock};

/// The longest `Idempotency-Key`.
const MAX_KEY: usize = 255;

/// The longest PIN, in bytes.
const MAX_PIN: usize = 200;

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    student_id: Cow<'a, str>,
    #[serde(borrow)]
    course_id: Cow<'a, str>,
    #[serde(borrow)]
    pin: Option<Cow<'a, str>>,
}

/// The registration that a POST asks for.
///
/// # Errors
/// A response with status 400.
pub(super) fn parse(body: &[u8], key: Option<&[u8]>) -> Result<Registration, Response> {
    let bad = |message| Err(Response::error(400, message));
    let Ok(body) = serde_json::from_slice::<Body<'_>>(body) else {
        return bad("the body must be JSON with the strings student_id, course_id and, if needed, pin");
    };
    let [student, course] = [body.student_id.trim(), body.course_id.trim()];
    if ![student, course].into_iter().all(is_name) {
        return bad(
            "student_id and course_id are 1 to 64 letters, digits, spaces and -_.@:/+, first a letter or digit",
        );
    }
    let pin = body.pin.as_deref().map(str::trim).filter(|pin| !pin.is_empty());
    if pin.is_some_and(|pin| pin.len() > MAX_PIN) {
        return bad("the pin is too long");
    }
    if key.is_some_and(|key| key.is_empty() || key.len() > MAX_KEY) {
        return bad("the Idempotency-Key must have 1 to 255 characters");
    }
    Ok(Registration {
        student: student.into(),
        course: course.into(),
        pin: pin.map(Into::into),
        key: key.map(IdempotencyKey::of),
        arrived_at: clock::now(),
    })
}

/// What a command or look-up came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// POST: a new seat.
    Register,
    /// GET: the receipt.
    Show,
    /// DELETE: give it back.
    Cancel,
}

/// The response to the outcome of a command or look-up.
pub(super) fn respond(asked: Asked, outcome: Result<Answer, Unavailable>) -> Response {
    let error = Response::error;
    let response = match outcome {
        Ok(Answer::Registered(receipt)) => {
            let location = format!("/registrations/{}", receipt.id);
            Response { status: 201, ..receipt_page(&receipt) }.with("location", location)
        }
        Ok(Answer::Known(receipt)) => receipt_page(&receipt),
        Ok(Answer::Cancelled(receipt)) if asked == Asked::Cancel => receipt_page(&receipt),
        Ok(Answer::Cancelled(_)) => error(410, "this registration was given back"),
        Ok(Answer::UnknownCourse) => error(404, "no such course"),
        Ok(Answer::UnknownRegistration) => error(404, "no such registration"),
        Ok(Answer::NotAllowed) => error(403, "unknown student or wrong PIN"),
        Ok(Answer::Closed { opens_at }) => {
            let message = if opens_at.is_some() { "registration is not open yet" } else { "registration is closed" };
            let body = json!({ "error": message, "opens_at": opens_at.map(clock::rfc3339) });
            Response { status: 403, ..Response::ok(JSON, body.to_string()) }
        }
        Ok(Answer::KeyReused) => error(422, "this Idempotency-Key was used for another registration"),
        Err(Unavailable { reason, retry_after }) => {
            error(503, &reason.to_string()).with("retry-after", retry_after_seconds(retry_after).to_string())
        }
    };
    response.with("cache-control", "no-store")
}

fn receipt_page(receipt: &Receipt) -> Response {
    let body = json!({
        "registration_id": receipt.id.to_string(),
        "student_id": receipt.student,
        "course_id": receipt.course,
        "status": receipt.status.name(),
        "position": receipt.position,
        "registered_at": clock::rfc3339(receipt.registered_at),
    });
    Response::ok(JSON, body.to_string())
}

/// The body of `/courses` and of each event of `/sse/courses`, one line.
pub(super) fn courses(list: &CourseList, now: i64) -> String {
    let course = |course: &crate::store::Course| -> Value {
        json!({
            "id": course.id,
            "title": course.title,
            "seats": course.seats,
            "taken": course.taken,
            "waiting": course.waiting,
        })
    };
    let courses: Vec<Value> = list.courses.iter().map(course).collect();
    json!({
        "registration": {
            "open": list.is_open(now),
            "opens_at": list.opens_at.map(clock::rfc3339),
            "needs_pin": list.needs_pin,
        },
        "courses": courses,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::model::{Reason, RegistrationId, Status};

    fn receipt() -> Receipt {
        Receipt {
            id: RegistrationId { sequence: 7, token: [0xA1; 16] },
            student: "ann".into(),
            course: "art".into(),
            status: Status::Waiting,
            position: Some(3),
            registered_at: 1_788_242_400_250,
        }
    }

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| &**value)
    }

    #[test]
    fn bodies() {
        let parsed = parse(br#"{"student_id":" ann ","course_id":"art","pin":"1234","more":[1]}"#, Some(b"k")).unwrap();
        assert_eq!((&*parsed.student, &*parsed.course, parsed.pin.as_deref()), ("ann", "art", Some("1234")));
        assert_eq!(parsed.key, Some(IdempotencyKey::of(b"k")));
        let parsed = parse(br#"{"student_id":"M\u00fcller","course_id":"art","pin":null}"#, None).unwrap();
        assert_eq!((&*parsed.student, parsed.pin, parsed.key), ("Müller", None, None));
        for bad in [
            &b""[..],
            b"{}",
            b"[]",
            b"{\"student_id\":\"ann\"}",
            b"{\"student_id\":1,\"course_id\":\"art\"}",
            b"{\"student_id\":\"\",\"course_id\":\"art\"}",
            b"{\"student_id\":\"=1+1\",\"course_id\":\"art\"}",
            b"{\"student_id\":\"ann\",\"course_id\":\"art\",\"pin\":5}",
            b"{\"student_id\":\"ann\",\"student_id\":\"ben\",\"course_id\":\"art\"}",
            b"{\"student_id\":\"ann\",\"course_id\":\"art\"}x",
            b"{\"student_id\":\"\xFF\",\"course_id\":\"art\"}",
        ] {
            assert_eq!(parse(bad, None).unwrap_err().status, 400, "{}", String::from_utf8_lossy(bad));
        }
        let good = br#"{"student_id":"ann","course_id":"art"}"#;
        for key in [&b""[..], &[b'k'; 256]] {
            assert_eq!(parse(good, Some(key)).unwrap_err().status, 400);
        }
    }

    #[test]
    fn outcomes_are_those_of_the_contract() {
        let id = "7-a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
        let created = respond(Asked::Register, Ok(Answer::Registered(receipt())));
        assert_eq!((created.status, header(&created, "location")), (201, Some(&*format!("/registrations/{id}"))));
        let body: Value = serde_json::from_slice(&created.body).unwrap();
        let expected = json!({
            "registration_id": id, "student_id": "ann", "course_id": "art", "status": "waiting", "position": 3,
            "registered_at": "2026-09-01T06:00:00.250Z",
        });
        assert_eq!(body, expected);
        let status = |asked, answer| respond(asked, Ok(answer)).status;
        assert_eq!(status(Asked::Register, Answer::Known(receipt())), 200);
        assert_eq!(status(Asked::Cancel, Answer::Cancelled(receipt())), 200);
        assert_eq!(status(Asked::Show, Answer::Cancelled(receipt())), 410);
        assert_eq!(status(Asked::Register, Answer::Cancelled(receipt())), 410);
        assert_eq!(status(Asked::Register, Answer::UnknownCourse), 404);
        assert_eq!(status(Asked::Show, Answer::UnknownRegistration), 404);
        assert_eq!(status(Asked::Register, Answer::NotAllowed), 403);
        assert_eq!(status(Asked::Register, Answer::KeyReused), 422);
        let closed = respond(Asked::Register, Ok(Answer::Closed { opens_at: Some(1_788_242_400_000) }));
        let body: Value = serde_json::from_slice(&closed.body).unwrap();
        assert_eq!((closed.status, &body["opens_at"]), (403, &"2026-09-01T06:00:00.000Z".into()));
        let down = Unavailable { reason: Reason::DiskFull, retry_after: Duration::from_millis(1100) };
        let down = respond(Asked::Register, Err(down));
        assert_eq!((down.status, header(&down, "retry-after")), (503, Some("2")));
        assert!(String::from_utf8_lossy(&down.body).contains("full"));
    }
}
