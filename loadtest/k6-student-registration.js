// Students who take their time: up to 2,000 open the page, open the form, register, and look at the result.
//
//   k6 run loadtest/k6-student-registration.js
//   k6 run -e TARGET_URL=http://raspberrypi.local:8081 loadtest/k6-student-registration.js
//
// Where the server has courses that are open (`fastgo registrations demo`), the real routes are used, and the script WRITES
// registrations into its database; SIMULATED=1 has it use the simulated work of `/` as it does without courses.
//
// Fails (exit code 99) when more than 1 of 100 registrations fail, and the first line of the summary says how many. To
// overload an engine on purpose and measure its queue, say so: -e ALLOW_OVERLOAD=1.
//
// Switches: TARGET_URL, HOST, PORT, VUS (2000), DURATION (5m), QUICK=1, ALLOW_OVERLOAD=1, SIMULATED=1, SLACK_MS (250),
// SUMMARY (JSON file).

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';

import { record, thresholds } from './lib/answers.js';
import { expectClosedLoop } from './lib/expect.js';
import { seconds, stages, users } from './lib/plan.js';
import { readCourses, readReceipt, register as registerForReal } from './lib/registrations.js';
import { TREND_STATS, count, describe, engineLines, outputs, table, trendRow } from './lib/summary.js';
import { findTarget } from './lib/target.js';
import { answerFailures, headline, missed, thousands } from './lib/verdict.js';

export { stopRuns as teardown } from './lib/run.js';

const USERS = users(2000);
const SECONDS = seconds(300);
const PAUSE_SECONDS = 1;
const CROWD = [
    [0.1, 0.1],
    [0.2, 0.5],
    [0.2, 1],
    [0.4, 1],
    [0.1, 0],
];

const registrations = new Counter('registrations');
const registrationSuccess = new Rate('registration_success');
const registrationLatency = new Trend('registration_latency', true);
const pageLoadLatency = new Trend('page_load_latency', true);

export const options = {
    stages: stages(CROWD, USERS, SECONDS),
    thresholds: {
        ...(__ENV.ALLOW_OVERLOAD === '1' ? {} : { registration_success: ['rate>0.99'] }),
        // A run in which no student reached the form has no rate to fail.
        registrations: ['count>0'],
        ...thresholds(0.99),
    },
    summaryTrendStats: TREND_STATS,
};

export function setup() {
    registrations.add(0);
    const engine = findTarget();
    const list = __ENV.SIMULATED === '1' ? null : readCourses(engine.url);
    const isReal = list !== null && list.courses.length > 0 && list.registration.open && !list.registration.needs_pin;
    const courses = isReal ? list.courses.map(course => course.id) : [];
    return { engine, courses, run: Date.now().toString(36), expected: expectClosedLoop(engine, USERS, PAUSE_SECONDS) };
}

export default function ({ engine, courses, run, expected }) {
    if (courses.length) {
        useRealRoutes(engine, courses, run);
        return;
    }
    loadPage('landing page', engine, expected);
    loadPage('registration form', engine, expected);
    register(engine, expected);
    loadPage('confirmation', engine, expected);
}

/** The same four steps on the routes of a real registration day. */
function useRealRoutes(engine, courses, run) {
    openPage('landing page', `${engine.url}/register`, engine);
    openPage('registration form', `${engine.url}/courses`, engine);
    const student = `K${run}-${exec.vu.idInTest}-${exec.vu.iterationInInstance}`;
    const course = courses[(exec.vu.idInTest + exec.vu.iterationInInstance) % courses.length];
    const started = Date.now();
    const receipt = registerForReal(engine.url, student, course);
    registrations.add(1);
    if (receipt) {
        registrationLatency.add(Date.now() - started);
    }
    sleep(PAUSE_SECONDS);
    if (receipt) {
        check(readReceipt(engine.url, receipt.registration_id), {
            'the receipt is still the same': seen => seen !== null && seen.registered_at === receipt.registered_at,
        });
    }
    sleep(PAUSE_SECONDS);
}

function openPage(name, url, engine) {
    const response = http.get(url, { tags: { name, engine: engine.engine } });
    if (check(response, { 'status is 200': r => r.status === 200 })) {
        pageLoadLatency.add(response.timings.duration, { name });
    }
    sleep(PAUSE_SECONDS);
}

function loadPage(name, engine, expected) {
    const response = http.get(`${engine.url}/`, { tags: { name, engine: engine.engine } });
    if (record(response, engine, expected, { name })) {
        pageLoadLatency.add(response.timings.duration, { name });
    }
    sleep(PAUSE_SECONDS);
}

function register(engine, expected) {
    const id = `${exec.vu.idInTest}-${exec.vu.iterationInInstance}`;
    const form = JSON.stringify({
        student_id: `S${id}`,
        name: `Student ${id}`,
        email: `student-${id}@example.org`,
        course: 'Operating Systems',
        semester: 'winter',
    });
    const name = 'registration';
    const headers = { 'Content-Type': 'application/json', 'X-Request-ID': id };
    const response = http.post(`${engine.url}/`, form, { headers, tags: { name, engine: engine.engine } });
    const ok = record(response, engine, expected, { name });
    registrations.add(1);
    registrationSuccess.add(ok);
    if (ok) {
        registrationLatency.add(response.timings.duration);
        check(response, {
            'the whole form arrived': r => r.json('received_bytes') === form.length,
            'the request id came back': r => r.headers['X-Request-Id'] === id && r.json('request_id') === id,
        });
    }
    sleep(PAUSE_SECONDS);
}

export function handleSummary(data) {
    if (!data.setup_data) {
        return {};
    }
    const { engine, courses, expected } = data.setup_data;
    const { registration_success: success, page_load_latency: pages, registration_latency: forms } = data.metrics;
    const { passes, fails } = success ? success.values : { passes: 0, fails: 0 };
    const result = `${thousands(passes)} of ${thousands(passes + fails)} registrations succeeded`;
    const failure = `${missed(data, 'registration_success')} students could not register.`;
    const verdict = headline(data, `${result}.`, {
        registrations: 'no student came as far as the registration form.',
        registration_success: failure,
        ...answerFailures(data, expected),
    });
    const lines = courses.length
        ? [
              describe(engine),
              `written to its database: ${thousands(count(data, 'enrolled'))} enrolled, ${thousands(count(data, 'waiting'))} waiting; ` +
                  `come again later: ${thousands(count(data, 'postponed'))}`,
              '',
          ]
        : engineLines(data, engine, expected);
    return outputs('k6-student-registration', data, verdict, courses.length ? [] : expected.explanation, [
        `up to ${USERS} students, ${SECONDS} s; ${result}`,
        ...lines,
        ...table([
            ['latency ms', 'min', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'],
            trendRow('page loads', pages),
            trendRow('registrations', forms),
        ]),
    ]);
}
