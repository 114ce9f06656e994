// What happened to each request to `/`: counted by status, timed, and compared with what the engine's settings allow.

import { check } from 'k6';
import { Counter, Rate, Trend } from 'k6/metrics';

const ok200 = new Counter('ok_200');
const rejected503 = new Counter('rejected_503');
const expired408 = new Counter('expired_408');
const otherStatus = new Counter('other_status');
const noAnswer = new Counter('no_answer');
const latency = new Trend('latency', true);
const asExpected = new Rate('as_expected');
const inTime = new Rate('in_time');

/** The counters above, in the order in which summaries show them. */
export const KINDS = ['ok_200', 'rejected_503', 'expired_408', 'other_status', 'no_answer'];

/** Thresholds for scripts that pass or fail; `share` of the requests must end as expected. */
export function thresholds(share) {
    return { as_expected: [`rate>=${share}`], in_time: ['rate>0.95'], checks: [`rate>=${share}`] };
}

/** Records the answer to one request. Returns whether it was 200. */
export function record(response, engine, expected, tags = {}) {
    const all = { engine: engine.engine, ...tags };
    const ok = response.status === 200;
    const overload = response.status === 503 || response.status === 408;
    const accepted = ok || (overload && expected.overloadAllowed);
    counterFor(response.status).add(1, all);
    asExpected.add(accepted, all);
    if (ok) {
        latency.add(response.timings.duration, all);
        inTime.add(response.timings.duration <= expected.boundMs, all);
    }
    check(
        response,
        {
            [expected.overloadAllowed ? 'status is 200, 503 or 408' : 'status is 200']: () => accepted,
            'a 503 has Retry-After': r => r.status !== 503 || r.headers['Retry-After'] !== undefined,
            'a 200 was processed by the expected engine': r =>
                !ok || r.body === null || (r.json('processed') === true && r.json('server_type') === engine.engine),
        },
        all,
    );
    return ok;
}

function counterFor(status) {
    switch (status) {
        case 200:
            return ok200;
        case 503:
            return rejected503;
        case 408:
            return expired408;
        case 0:
            return noAnswer;
        default:
            return otherStatus;
    }
}
