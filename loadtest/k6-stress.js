// Up to 10,000 users in levels on one engine: at which level does it stop keeping up, and how?
//
//   k6 run loadtest/k6-stress.js
//   k6 run -e TARGET_URL=http://raspberrypi.local:8082 -e VUS=4000 loadtest/k6-stress.js
//
// This script searches for the limit, so it fails only when the first level is not served. k6 itself needs memory and
// CPU for every user: see docs/tuning.md.
//
// Switches: TARGET_URL, HOST, PORT, VUS (10000), DURATION (12m), QUICK=1, SLACK_MS (250), SUMMARY (JSON file).

import { sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';

import { KINDS, record } from './lib/answers.js';
import { capacity, expectClosedLoop } from './lib/expect.js';
import { seconds, users } from './lib/plan.js';
import { TREND_STATS, describe, milliseconds, outputs, table } from './lib/summary.js';
import { findTarget } from './lib/target.js';
import { answerFailures, headline } from './lib/verdict.js';

export { stopRuns as teardown } from './lib/run.js';

const PEAK = users(10000);
const SECONDS = seconds(720);
const PAUSE_SECONDS = 1;
// Close together at the low end, where small boards reach their limit. A level takes three seconds at least, so that
// each user sends more than one request in it.
const LEVEL_COUNT = Math.max(1, Math.min(8, Math.floor(SECONDS / 3)));
const LEVELS = Array.from({ length: LEVEL_COUNT }, (_, index) => Math.ceil(PEAK * ((index + 1) / LEVEL_COUNT) ** 2));
// Each level first grows, which is not counted, and then holds.
const GROW_SECONDS = SECONDS / LEVEL_COUNT / 3;
const HOLD_SECONDS = GROW_SECONDS * 2;

export const options = {
    discardResponseBodies: true,
    stages: LEVELS.flatMap(target => [
        { duration: `${Math.round(GROW_SECONDS * 1000)}ms`, target },
        { duration: `${Math.round(HOLD_SECONDS * 1000)}ms`, target },
    ]),
    summaryTrendStats: TREND_STATS,
    thresholds: Object.assign(
        { [`as_expected{level:${LEVELS[0]}}`]: ['rate>=0.99'], [`in_time{level:${LEVELS[0]}}`]: ['rate>0.95'] },
        // Every value meets these: they exist so that the summary has each level's figures.
        ...LEVELS.map(level => ({ [`latency{level:${level}}`]: ['max>=0'] })),
        ...LEVELS.flatMap(level => KINDS.map(kind => ({ [`${kind}{level:${level}}`]: ['count>=0'] }))),
    ),
};

export function setup() {
    const engine = findTarget();
    return { engine, expected: LEVELS.map(level => expectClosedLoop(engine, level, PAUSE_SECONDS)) };
}

export default function ({ engine, expected }) {
    const elapsed = (Date.now() - exec.scenario.startTime) / 1000;
    const period = GROW_SECONDS + HOLD_SECONDS;
    const index = Math.min(LEVELS.length - 1, Math.floor(elapsed / period));
    const holds = elapsed % period >= GROW_SECONDS;
    const response = http.get(`${engine.url}/`, { tags: { engine: engine.engine } });
    record(response, engine, expected[index], { level: holds ? String(LEVELS[index]) : 'growing' });
    sleep(PAUSE_SECONDS);
}

export function handleSummary(data) {
    if (!data.setup_data) {
        return {};
    }
    const { engine, expected } = data.setup_data;
    // The first level's time is the target at every level.
    const levels = LEVELS.map(level => levelFigures(data, level, expected[0].boundMs));
    const broken = levels.findIndex(level => level.state !== 'ok');
    const limit = capacity(engine);
    const first = `{level:${LEVELS[0]}}`;
    const verdict = headline(
        data,
        limitFound(levels, broken),
        answerFailures(data, expected[0], `requests of ${LEVELS[0]} users`, first),
    );
    return outputs('k6-stress', data, verdict, expected[LEVELS.length - 1].explanation, [
        describe(engine),
        `${LEVELS.length} levels up to ${PEAK} users, ${HOLD_SECONDS.toFixed(0)} s each; target: p95 within ${expected[0].boundMs} ms`,
        '',
        ...table([
            ['users', '200 OK/s', 'p50 ms', 'p95 ms', 'p99 ms', '503', '408', 'other', 'no answer', 'state'],
            ...levels.map(level => level.row),
        ]),
        '',
        Number.isFinite(limit)
            ? `The engine's settings allow ${Math.round(limit)} requests/s.`
            : "The engine's settings set no limit: the machine is the limit.",
    ]);
}

const STATES = {
    'not reached': 'no request was sent',
    fails: 'requests fail',
    rejects: 'requests are rejected (503, 408)',
    queues: 'requests start to queue',
};

function limitFound(levels, broken) {
    if (broken < 0) {
        return `handles ${PEAK} users.`;
    }
    const below = broken ? `handles ${levels[broken - 1].users} users. ` : '';
    return `${below}At ${levels[broken].users} users ${STATES[levels[broken].state]}.`;
}

function levelFigures(data, users, boundMs) {
    const of = name => (data.metrics[`${name}{level:${users}}`] || { values: {} }).values;
    const [answered, rejected, expired, other, none] = KINDS.map(kind => of(kind).count || 0);
    const latency = of('latency');
    const all = answered + rejected + expired + other + none;
    const state =
        all === 0
            ? 'not reached'
            : other + none > 0.01 * all
              ? 'fails'
              : rejected + expired > 0.01 * all
                ? 'rejects'
                : latency['p(95)'] > boundMs
                  ? 'queues'
                  : 'ok';
    const times = ['p(50)', 'p(95)', 'p(99)'].map(key => milliseconds(answered ? latency[key] : undefined));
    return {
        users,
        state,
        row: [users, (answered / HOLD_SECONDS).toFixed(0), ...times, rejected, expired, other, none, state],
    };
}
