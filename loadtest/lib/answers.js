// What became of each request to `/`: counted by kind, timed, and judged by what the engine's settings allow.

import { check } from 'k6';
import { Counter, Rate, Trend } from 'k6/metrics';

const answered = new Counter('answered');
const refused503 = new Counter('refused_503');
const expired408 = new Counter('expired_408');
const otherStatus = new Counter('other_status');
const noAnswer = new Counter('no_answer');
const latency = new Trend('latency', true);
const asExpected = new Rate('as_expected');
const inTime = new Rate('in_time');

/** Thresholds for scripts that pass or fail; `share` of the answers must be what the settings allow. */
export function thresholds(share) {
    return { as_expected: [`rate>=${share}`], in_time: ['rate>0.95'], checks: [`rate>=${share}`] };
}

/** Records the answer to one request. Returns whether it was 200. */
export function record(response, engine, expected, tags = {}) {
    const all = { engine: engine.engine, ...tags };
    const ok = response.status === 200;
    const shed = response.status === 503 || response.status === 408;
    counterFor(response.status).add(1, all);
    asExpected.add(ok || (shed && expected.overloaded), all);
    if (ok) {
        latency.add(response.timings.duration, all);
        inTime.add(response.timings.duration <= expected.boundMs, all);
    }
    check(
        response,
        {
            'answered with 200, or 503 or 408 where overload is expected': () => ok || (shed && expected.overloaded),
            'a 503 says when to come back': r => r.status !== 503 || r.headers['Retry-After'] !== undefined,
            'a 200 was processed by the engine asked': r =>
                !ok || r.body === null || (r.json('processed') === true && r.json('server_type') === engine.engine),
        },
        all,
    );
    return ok;
}

function counterFor(status) {
    switch (status) {
        case 200:
            return answered;
        case 503:
            return refused503;
        case 408:
            return expired408;
        case 0:
            return noAnswer;
        default:
            return otherStatus;
    }
}
