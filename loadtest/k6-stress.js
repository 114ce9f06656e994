// Up to 10,000 users in levels on one engine: where does it stop keeping up, and how does it break?
//
//   k6 run loadtest/k6-stress.js
//   k6 run -e TARGET_URL=http://raspberrypi.local:8082 -e VUS=4000 loadtest/k6-stress.js
//
// This script searches, so a broken level is a finding and no failure; it fails only when the first level is not
// served as the engine's settings allow. k6 itself needs memory and CPU for every user: see docs/tuning.md.
//
// Switches: TARGET_URL, HOST, PORT, VUS (10000), DURATION (12m), QUICK=1, SLACK_MS (250), SUMMARY (JSON file).

import { sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';

import { record } from './lib/answers.js';
import { capacity, expectClosedLoop } from './lib/expect.js';
import { seconds, users } from './lib/plan.js';
import { TREND_STATS, describe, explained, milliseconds, outputs, table } from './lib/summary.js';
import { findTarget } from './lib/target.js';

const PEAK = users(10000);
const SECONDS = seconds(720);
const PAUSE_SECONDS = 1;
// Close together where small boards break. A level takes three seconds at least, or nobody comes round twice in it.
const LEVEL_COUNT = Math.max(1, Math.min(8, Math.floor(SECONDS / 3)));
const LEVELS = Array.from({ length: LEVEL_COUNT }, (_, index) => Math.ceil(PEAK * ((index + 1) / LEVEL_COUNT) ** 2));
// Each level first grows, which is not counted, and then holds.
const GROW_SECONDS = SECONDS / LEVEL_COUNT / 3;
const HOLD_SECONDS = GROW_SECONDS * 2;
const KINDS = ['answered', 'refused_503', 'expired_408', 'other_status', 'no_answer'];

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
    // All levels are held to what an engine without a queue would take: the first level's time at most.
    const levels = LEVELS.map(level => levelFigures(data, level, expected[0].boundMs));
    const broken = levels.findIndex(level => level.state !== 'holds');
    const limit = capacity(engine);
    return outputs('k6-stress', data, [
        describe(engine),
        `${LEVELS.length} levels up to ${PEAK} users, ${HOLD_SECONDS.toFixed(0)} s each; slower than ${expected[0].boundMs} ms at p95 counts as broken`,
        '',
        ...table([
            ['users', 'answered/s', 'p50 ms', 'p95 ms', 'p99 ms', '503', '408', 'other', 'no answer', 'state'],
            ...levels.map(level => level.row),
        ]),
        '',
        breakingPoint(levels, broken),
        Number.isFinite(limit)
            ? `The settings alone allow ${Math.round(limit)} requests a second.`
            : 'The settings set no limit: the machine does.',
        '',
        ...explained(expected[LEVELS.length - 1]),
    ]);
}

function breakingPoint(levels, broken) {
    if (broken < 0) {
        return `No breaking point up to ${PEAK} users.`;
    }
    const below = broken ? `it holds ${levels[broken - 1].users} users` : 'it does not hold the first level';
    return `Breaking point: ${below}, and at ${levels[broken].users} users: ${levels[broken].state}.`;
}

function levelFigures(data, users, boundMs) {
    const of = name => (data.metrics[`${name}{level:${users}}`] || { values: {} }).values;
    const [answered, refused, expired, other, none] = KINDS.map(kind => of(kind).count || 0);
    const latency = of('latency');
    const all = answered + refused + expired + other + none;
    const state =
        all === 0
            ? 'not reached'
            : other + none > 0.01 * all
              ? 'fails'
              : refused + expired > 0.01 * all
                ? 'sheds'
                : latency['p(95)'] > boundMs
                  ? 'queues'
                  : 'holds';
    const times = ['p(50)', 'p(95)', 'p(99)'].map(key => milliseconds(answered ? latency[key] : undefined));
    return {
        users,
        state,
        row: [users, (answered / HOLD_SECONDS).toFixed(0), ...times, refused, expired, other, none, state],
    };
}
