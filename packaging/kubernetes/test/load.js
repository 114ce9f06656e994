// Steady load that must not lose a request: work and registrations, on connections that are kept and on new ones. A request
// is sent once; whatever is not answered with 200 or 201 is a failure.
//
// Switches: TARGET_URL, DURATION (60s), RATE (requests a second of each of the two kinds of work, 50), REGISTRATIONS (20 a second).

import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';

const URL = __ENV.TARGET_URL;
const BEGAN = __ENV.STUDENTS || 'S';

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
    thresholds: { http_req_failed: ['rate==0'], checks: ['rate==1'], dropped_iterations: ['count==0'] },
    summaryTrendStats: ['med', 'p(99)', 'max'],
};

export function kept() {
    answered(http.get(`${URL}/`), 200);
}

export function closed() {
    answered(http.get(`${URL}/`, { headers: { Connection: 'close' } }), 200);
}

/** No Idempotency-Key: k6's HTTP client would send such a request again by itself. */
export function register() {
    const number = exec.scenario.iterationInTest;
    const body = JSON.stringify({ student_id: `${BEGAN}${number}`, course_id: `C${(number % 10) + 1}` });
    const response = http.post(`${URL}/registrations`, body, { headers: { 'Content-Type': 'application/json' } });
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
