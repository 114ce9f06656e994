// Registration day: up to 2,000 students open the page, read it again, register, and look at the result.
//
//   k6 run loadtest/k6-student-registration.js
//   k6 run -e TARGET_URL=http://raspberrypi.local:8081 loadtest/k6-student-registration.js
//
// An engine that is sized for it answers everything with 200. The worker pool at its default 100 ms of work is not:
// `workers` requests every 100 ms are far fewer than 2,000 students send. Then the queueing is what is measured, and
// the summary says so and names the WORKERS that would do.
//
// Switches: TARGET_URL, HOST, PORT, VUS (2000), DURATION (5m), QUICK=1, SLACK_MS (250), SUMMARY (JSON file).

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Rate, Trend } from 'k6/metrics';

import { record, thresholds } from './lib/answers.js';
import { expectClosedLoop } from './lib/expect.js';
import { seconds, stages, users } from './lib/plan.js';
import { TREND_STATS, engineLines, outputs, table, trendRow } from './lib/summary.js';
import { findTarget } from './lib/target.js';

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

const registrationSuccess = new Rate('registration_success');
const registrationLatency = new Trend('registration_latency', true);
const pageLoadLatency = new Trend('page_load_latency', true);

export const options = {
    stages: stages(CROWD, USERS, SECONDS),
    thresholds: thresholds(1),
    summaryTrendStats: TREND_STATS,
};

export function setup() {
    const engine = findTarget();
    return { engine, expected: expectClosedLoop(engine, USERS, PAUSE_SECONDS) };
}

export default function ({ engine, expected }) {
    loadPage('landing page', engine, expected);
    loadPage('registration form', engine, expected);
    register(engine, expected);
    loadPage('confirmation', engine, expected);
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
    const { engine, expected } = data.setup_data;
    const { registration_success: success, page_load_latency: pages, registration_latency: forms } = data.metrics;
    const rate = success ? `${(success.values.rate * 100).toFixed(2)} %` : 'none tried';
    return outputs('k6-student-registration', data, [
        `up to ${USERS} students, ${SECONDS} s`,
        ...engineLines(data, engine, expected),
        ...table([
            ['latency ms', 'min', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'],
            trendRow('page loads', pages),
            trendRow('registrations', forms),
        ]),
        `registrations that succeeded: ${rate}`,
        '',
    ]);
}
