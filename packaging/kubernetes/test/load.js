// Steady load that must not lose a request: work and registrations, on connections that are kept and on new ones. Whatever
// is not answered with 200 or 201 is a failure.
//
// Switches: TARGET_URL, DURATION (60s), RATE (requests a second of each of the two kinds of work, 50), REGISTRATIONS (20 a second).

import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';

const URL = __ENV.TARGET_URL;
const STUDENTS = __ENV.STUDENTS || 'S';

function steady(name, rate) {
    return {
        executor: 'constant-arrival-rate', exec: name, rate: Number(rate), timeUnit: '1s', duration: __ENV.DURATION || '60s',
        preAllocatedVUs: 100, maxVUs: 1000,
    };
}

export const options = {
    scenarios: {
        kept: steady('kept', __ENV.RATE || 50),
        closed: steady('closed', __ENV.RATE || 50),
        ...(__ENV.REGISTRATIONS !== '0' && { register: steady('register', __ENV.REGISTRATIONS || 20) }),
    },
    thresholds: { http_req_failed: ['rate==0'], checks: ['rate==1'] },
    summaryTrendStats: ['med', 'p(99)', 'max'],
};

export function kept() {
    answered(http.get(`${URL}/`), 200);
}

export function closed() {
    answered(http.get(`${URL}/`, { headers: { Connection: 'close' } }), 200);
}

/**
 * On a connection of its own without an Idempotency-Key, and with one on a kept connection. A server may close a kept
 * connection at any time, and HTTP clients repeat a request that met this only if it can do no harm twice.
 */
export function register() {
    const number = exec.scenario.iterationInTest;
    const body = JSON.stringify({ student_id: `${STUDENTS}${number}`, course_id: `C${(number % 10) + 1}` });
    const how = number % 2 ? { Connection: 'close' } : { 'Idempotency-Key': `${STUDENTS}${number}` };
    const response = http.post(`${URL}/registrations`, body, { headers: { 'Content-Type': 'application/json', ...how } });
    if (answered(response, 201)) {
        console.log(response.body);
    }
}

function answered(response, status) {
    const right = check(response, { answered: found => found.status === status });
    if (!right) {
        console.error(`${response.request.method} ${response.url}: ${response.status} ${response.error} ${response.body}`);
    }
    return right;
}
