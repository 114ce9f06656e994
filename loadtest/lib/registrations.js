// The registration routes as a student's browser uses them: one key for each registration, and a pause when the server asks
// for one.

import exec from 'k6/execution';
import { sleep } from 'k6';
import http from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';

// How long a student goes on trying.
const PATIENCE_SECONDS = 60;
const TIMEOUT = '30s';
const LOST_PAUSE_SECONDS = 1;

const firstTry = new Trend('first_answer', true);
const postponed = new Counter('postponed');
const lost = new Counter('no_answer');
const success = new Rate('registration_success');
const enrolled = new Counter('enrolled');
const waiting = new Counter('waiting');

/** The course list of a server: `{ registration, courses }`; null where it has no registrations. */
export function readCourses(url) {
    const response = http.get(`${url}/courses`, { timeout: TIMEOUT, responseType: 'text', tags: { name: 'courses' } });
    return response.status === 200 ? response.json() : null;
}

/** The ids of the courses, for a test that is to write registrations; ends the test where that cannot work. */
export function openCourses(url) {
    const list = readCourses(url);
    if (!list || !list.courses.length) {
        exec.test.abort(`${url} has no courses: run \`fastgo registrations demo\` there first`);
    }
    if (list.registration.needs_pin) {
        exec.test.abort(`${url} requires PINs, which a load test does not have: import the courses without PINs`);
    }
    if (!list.registration.open) {
        exec.test.abort(`${url}: registration is closed: run \`fastgo registrations open\` there first`);
    }
    return list;
}

/**
 * Registers a student as a patient browser does: the same key until there is an answer, pauses as long as the server
 * asks. Gives the receipt, or null.
 */
export function register(url, student, course, tags = {}) {
    const key = `${exec.scenario.startTime}-${student}-${course}`;
    const body = JSON.stringify({ student_id: student, course_id: course });
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
    const params = { headers, timeout: TIMEOUT, responseType: 'text', tags: { name: 'registration', ...tags } };
    const end = Date.now() + PATIENCE_SECONDS * 1000;
    for (let tries = 1; ; tries += 1) {
        const response = http.post(`${url}/registrations`, body, params);
        if (tries === 1 && response.status) {
            firstTry.add(response.timings.duration, tags);
        }
        if (response.status === 201 || response.status === 200) {
            const receipt = response.json();
            success.add(true, tags);
            (receipt.status === 'enrolled' ? enrolled : waiting).add(1, tags);
            return receipt;
        }
        const again = response.status === 0 || response.status === 429 || response.status === 503;
        if (!again || Date.now() > end) {
            success.add(false, tags);
            return null;
        }
        (response.status === 0 ? lost : postponed).add(1, tags);
        const asked = Number(response.headers['Retry-After']);
        sleep(response.status === 0 ? LOST_PAUSE_SECONDS : (asked > 0 ? asked : LOST_PAUSE_SECONDS) + Math.random());
    }
}

/** The registration with this id as the server has it now; null if it does not have it. */
export function readReceipt(url, id) {
    const params = { timeout: TIMEOUT, responseType: 'text', tags: { name: 'receipt' } };
    const response = http.get(`${url}/registrations/${id}`, params);
    return response.status === 200 ? response.json() : null;
}

/** Seats and places over all courses. */
export function totals(list) {
    const sum = field => list.courses.reduce((all, course) => all + course[field], 0);
    return { seats: sum('seats'), taken: sum('taken'), waiting: sum('waiting') };
}
