// An hour of moderate load while the engine's own figures are watched: does memory, or anything else, creep up?
//
//   k6 run loadtest/k6-soak.js
//   k6 run -e TARGET_URL=http://raspberrypi.local:8081 -e DURATION=8h loadtest/k6-soak.js
//
// Fails when the engine restarted, when its resident memory grew by more than GROWTH_MB after the first tenth of the
// run, or when requests fail or are slower than its settings allow.
//
// Switches: TARGET_URL, HOST, PORT, VUS (50), DURATION (1h), GROWTH_MB (16, in MiB), QUICK=1, ALLOW_OVERLOAD=1,
// SLACK_MS (250), SUMMARY (JSON file).

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Gauge, Trend } from 'k6/metrics';

import { record, thresholds } from './lib/answers.js';
import { expectClosedLoop } from './lib/expect.js';
import { seconds, users, wholeNumber } from './lib/plan.js';
import { TREND_STATS, count, engineLines, outputs, table } from './lib/summary.js';
import { findTarget, readMetrics } from './lib/target.js';
import { answerFailures, headline, thousands } from './lib/verdict.js';

export { stopRuns as teardown } from './lib/run.js';

const USERS = users(50);
const SECONDS = seconds(3600);
const PAUSE_SECONDS = 1;
const WATCH_SECONDS = 1;
const SETTLED_AFTER_SECONDS = SECONDS / 10;

const growth = new Gauge('memory_growth_mb');
const watched = {
    'memory MiB': [new Trend('server_memory_mb'), said => said.memory_alloc_mb],
    'CPU %': [new Trend('server_cpu_percent'), said => said.cpu_usage_percent],
    'open files': [new Trend('server_open_fds'), said => said.open_fds],
    connections: [new Trend('server_connections'), said => said.active_connections],
    'board °C': [new Trend('board_temperature_c'), said => said.pi && said.pi.temperature_c],
};

export const options = {
    discardResponseBodies: true,
    summaryTrendStats: TREND_STATS,
    scenarios: {
        load: { executor: 'constant-vus', exec: 'load', vus: USERS, duration: `${SECONDS}s` },
        watch: { executor: 'constant-vus', exec: 'watch', vus: 1, duration: `${SECONDS}s` },
    },
    thresholds: { ...thresholds(0.9999), memory_growth_mb: [`value<=${wholeNumber('GROWTH_MB', 16)}`] },
};

export function setup() {
    const engine = findTarget();
    return { engine, expected: expectClosedLoop(engine, USERS, PAUSE_SECONDS) };
}

export function load({ engine, expected }) {
    record(http.get(`${engine.url}/`, { tags: { engine: engine.engine } }), engine, expected);
    sleep(PAUSE_SECONDS);
}

// Only the one user of the scenario `watch` uses these.
let settledMemory;
let lastUptime = 0;

export function watch({ engine }) {
    const said = readMetrics(engine.url);
    const alive = check(said, {
        '/metrics answers': metrics => metrics !== null,
        'the engine has not restarted': metrics => metrics === null || metrics.uptime_seconds >= lastUptime,
    });
    if (alive) {
        lastUptime = said.uptime_seconds;
        for (const [trend, read] of Object.values(watched)) {
            const value = read(said);
            if (typeof value === 'number') {
                trend.add(value);
            }
        }
        if (Date.now() - exec.scenario.startTime >= SETTLED_AFTER_SECONDS * 1000) {
            settledMemory = settledMemory === undefined ? said.memory_alloc_mb : settledMemory;
            growth.add(said.memory_alloc_mb - settledMemory);
        }
    }
    sleep(WATCH_SECONDS);
}

export function handleSummary(data) {
    if (!data.setup_data) {
        return {};
    }
    const { engine, expected } = data.setup_data;
    const rows = Object.entries(watched).map(([name, [trend]]) => {
        const values = (data.metrics[trend.name] || { values: {} }).values;
        return [name, ...['min', 'p(50)', 'max'].map(key => (values.count ? values[key].toFixed(1) : '-'))];
    });
    const grown = data.metrics.memory_growth_mb;
    const mb = grown ? grown.values.value.toFixed(1) : '?';
    const passed = `${thousands(count(data, 'ok_200'))} requests answered with 200; memory grew by ${mb} MiB.`;
    const verdict = headline(data, passed, {
        memory_growth_mb: `memory grew by ${mb} MiB.`,
        ...answerFailures(data, expected),
        checks: 'the engine restarted, or /metrics did not answer.',
    });
    return outputs('k6-soak', data, verdict, expected.explanation, [
        `${USERS} users, ${SECONDS} s`,
        ...engineLines(data, engine, expected),
        ...table([['engine', 'min', 'p50', 'max'], ...rows]),
        '',
    ]);
}
