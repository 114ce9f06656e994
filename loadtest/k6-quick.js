// A minute of steady load on one engine: is every request answered, and as fast as the engine's settings allow?
//
//   k6 run loadtest/k6-quick.js                                    localhost:8080, else raspberrypi.local:8080
//   k6 run -e TARGET_URL=http://raspberrypi.local:8081 -e VUS=500 loadtest/k6-quick.js
//
// Switches: TARGET_URL, HOST, PORT, VUS (200), DURATION (60s), QUICK=1, ALLOW_OVERLOAD=1, SLACK_MS (250), SUMMARY (JSON
// file).

import { sleep } from 'k6';
import http from 'k6/http';

import { record, thresholds } from './lib/answers.js';
import { expectClosedLoop } from './lib/expect.js';
import { seconds, users } from './lib/plan.js';
import { TREND_STATS, count, engineLines, outputs } from './lib/summary.js';
import { findTarget } from './lib/target.js';
import { answerFailures, headline, thousands } from './lib/verdict.js';

export { stopRuns as teardown } from './lib/run.js';

const USERS = users(200);
const SECONDS = seconds(60);
const PAUSE_SECONDS = 0.1;

export const options = {
    vus: USERS,
    duration: `${SECONDS}s`,
    thresholds: thresholds(0.999),
    summaryTrendStats: TREND_STATS,
};

export function setup() {
    const engine = findTarget();
    return { engine, expected: expectClosedLoop(engine, USERS, PAUSE_SECONDS) };
}

export default function ({ engine, expected }) {
    record(http.get(`${engine.url}/`, { tags: { engine: engine.engine } }), engine, expected);
    sleep(PAUSE_SECONDS);
}

export function handleSummary(data) {
    if (!data.setup_data) {
        return {};
    }
    const { engine, expected } = data.setup_data;
    const passed = `${thousands(count(data, 'ok_200'))} requests answered with 200.`;
    const verdict = headline(data, passed, answerFailures(data, expected));
    return outputs('k6-quick', data, verdict, expected.explanation, [
        `${USERS} users, ${SECONDS} s`,
        ...engineLines(data, engine, expected),
    ]);
}
