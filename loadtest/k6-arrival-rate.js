// An open model: requests arrive at a given rate however slowly answers come, so a slow server cannot slow its test.
//
//   k6 run loadtest/k6-arrival-rate.js                          searches RATE_FROM to RATE_TO in STEPS steps
//   k6 run -e RATE=500 -e DURATION=2m loadtest/k6-arrival-rate.js   one rate, which must be sustained
//
// A rate is sustained when 99 of 100 requests are answered with 200 within BOUND_MS (default: from the engine's work)
// and k6 dropped no iteration (it had a free user for every arrival).
//
// Switches: TARGET_URL, HOST, PORT, RATE, RATE_FROM (20), RATE_TO (2000), STEPS (8), BOUND_MS, VUS (most at once, 1000),
// DURATION (of all steps together, 160s), QUICK=1, SLACK_MS (250), SUMMARY (JSON file).

import http from 'k6/http';
import { Rate } from 'k6/metrics';

import { record } from './lib/answers.js';
import { expectRate } from './lib/expect.js';
import { seconds, users, wholeNumber } from './lib/plan.js';
import { TREND_STATS, describe, milliseconds, outputs, table } from './lib/summary.js';
import { findTarget } from './lib/target.js';
import { headline } from './lib/verdict.js';

export { stopRuns as teardown } from './lib/run.js';

const SECONDS = seconds(160);
// A step takes two seconds at least.
const STEPS = Math.max(1, Math.min(wholeNumber('STEPS', 8), Math.floor(SECONDS / 2)));
const RATES = __ENV.RATE ? [wholeNumber('RATE')] : ladder(wholeNumber('RATE_FROM', 20), wholeNumber('RATE_TO', 2000));
const STEP_SECONDS = Math.max(1, Math.round(SECONDS / RATES.length));
// Requests that are waiting when a step ends may finish before the next step begins.
const GRACE_SECONDS = 2;
const MOST_USERS = users(1000);

const withinBound = new Rate('within_bound');

export const options = {
    discardResponseBodies: true,
    summaryTrendStats: TREND_STATS,
    scenarios: Object.fromEntries(
        RATES.map((rate, index) => [
            scenario(rate),
            {
                executor: 'constant-arrival-rate',
                rate,
                duration: `${STEP_SECONDS}s`,
                startTime: `${index * (STEP_SECONDS + GRACE_SECONDS)}s`,
                gracefulStop: `${GRACE_SECONDS}s`,
                preAllocatedVUs: Math.min(MOST_USERS, Math.max(10, Math.ceil(rate / 10))),
                maxVUs: Math.max(10, MOST_USERS),
            },
        ]),
    ),
    thresholds: Object.assign(
        {},
        ...RATES.map((rate, index) => ({
            // A single rate, and the first of a search, must be sustained; the others search for the limit.
            [`within_bound{scenario:${scenario(rate)}}`]: [index === 0 ? 'rate>=0.99' : 'rate>=0'],
            [`dropped_iterations{scenario:${scenario(rate)}}`]: [index === 0 ? 'count==0' : 'count>=0'],
            [`ok_200{scenario:${scenario(rate)}}`]: ['count>=0'],
            [`latency{scenario:${scenario(rate)}}`]: ['max>=0'],
        })),
    ),
};

export function setup() {
    const engine = findTarget();
    const expected = expectRate(engine, RATES[RATES.length - 1]);
    const boundMs = __ENV.BOUND_MS ? wholeNumber('BOUND_MS') : expected.boundMs;
    return { engine, expected, boundMs };
}

export default function ({ engine, expected, boundMs }) {
    const response = http.get(`${engine.url}/`, { tags: { engine: engine.engine } });
    withinBound.add(record(response, engine, expected) && response.timings.duration <= boundMs);
}

export function handleSummary(data) {
    if (!data.setup_data) {
        return {};
    }
    const { engine, expected, boundMs } = data.setup_data;
    const steps = RATES.map(rate => step(data, rate));
    const firstBroken = steps.findIndex(one => !one.sustained);
    const sustained = firstBroken < 0 ? steps : steps.slice(0, firstBroken);
    const best = sustained.length ? `${sustained[sustained.length - 1].rate} requests/s sustained.` : '';
    const failure = `${RATES[0]} requests/s could not be sustained.`;
    const verdict = headline(data, best, {
        [`within_bound{scenario:${scenario(RATES[0])}}`]: failure,
        [`dropped_iterations{scenario:${scenario(RATES[0])}}`]: failure,
    });
    return outputs('k6-arrival-rate', data, verdict, expected.explanation, [
        describe(engine),
        `${STEP_SECONDS} s at each rate; target: 99 % answered with 200 within ${boundMs} ms`,
        '',
        ...table([
            ['rate/s', '200 OK/s', 'in time %', 'p50 ms', 'p99 ms', 'max ms', 'dropped', 'sustained'],
            ...steps.map(one => one.row),
        ]),
    ]);
}

function step(data, rate) {
    const of = name => (data.metrics[`${name}{scenario:${scenario(rate)}}`] || { values: {} }).values;
    const answered = of('ok_200').count || 0;
    const dropped = of('dropped_iterations').count || 0;
    const inTime = of('within_bound').rate || 0;
    const sustained = inTime >= 0.99 && dropped === 0;
    const times = ['p(50)', 'p(99)', 'max'].map(key => milliseconds(answered ? of('latency')[key] : undefined));
    const row = [
        rate,
        (answered / STEP_SECONDS).toFixed(0),
        (inTime * 100).toFixed(1),
        ...times,
        dropped,
        sustained ? 'yes' : 'no',
    ];
    return { rate, sustained, row };
}

function scenario(rate) {
    return `rate_${rate}`;
}

/** STEPS rates from `from` to `to`, each the same factor above the one before. */
function ladder(from, to) {
    const factor = STEPS > 1 ? (to / from) ** (1 / (STEPS - 1)) : 1;
    return [...new Set(Array.from({ length: STEPS }, (_, index) => Math.round(from * factor ** index)))];
}
