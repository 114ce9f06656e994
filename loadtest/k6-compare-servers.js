// The same load on all engines, and a table with the winner of each metric.
//
//   k6 run loadtest/k6-compare-servers.js
//   k6 run -e HOST=raspberrypi.local -e TOGETHER=1 loadtest/k6-compare-servers.js
//
// By default the engines take turns, so each has the machine to itself; TOGETHER=1 loads all at once, as a show for
// the page /compare3. Rate and latency are compared only when all engines run the same work.
//
// Switches: HOST, PORT (of the first of three), ENGINES (worker-pool,may,hyper), TOGETHER=1, VUS (100 for each),
// DURATION (60s for each), QUICK=1, ALLOW_OVERLOAD=1, SLACK_MS (250), SUMMARY (JSON file).

import { sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';

import { record } from './lib/answers.js';
import { expectClosedLoop } from './lib/expect.js';
import { seconds, users } from './lib/plan.js';
import { TREND_STATS, count, describe, milliseconds, outputs, table } from './lib/summary.js';
import { ENGINES, findEngines, readMetrics } from './lib/target.js';
import { answerFailures, headline, thousands } from './lib/verdict.js';

export { stopRuns as teardown } from './lib/run.js';

const NAMES = (__ENV.ENGINES || ENGINES.join(',')).split(',');
const USERS = users(100);
const SECONDS = seconds(60);
const PAUSE_SECONDS = 0.1;
const GRACE_SECONDS = 3;
// A difference below this is reported as even.
const EVEN = 0.03;

const unknown = NAMES.filter(name => !ENGINES.includes(name));
if (unknown.length) {
    exec.test.abort(`ENGINES has ${unknown.join(', ')}; known are ${ENGINES.join(', ')}`);
}

// A Trend and an error Counter for each engine, named after it.
const own = Object.fromEntries(
    NAMES.map(name => {
        const word = name.replace('-', '_');
        return [
            name,
            {
                latency: new Trend(`latency_${word}`, true),
                errors: new Counter(`errors_${word}`),
                memory: new Trend(`memory_mb_${word}`),
                cpu: new Trend(`cpu_percent_${word}`),
            },
        ];
    }),
);

export const options = {
    discardResponseBodies: true,
    summaryTrendStats: TREND_STATS,
    scenarios: Object.assign(
        {},
        ...NAMES.map((name, index) => {
            const startTime = __ENV.TOGETHER === '1' ? '0s' : `${index * (SECONDS + GRACE_SECONDS)}s`;
            const common = {
                executor: 'constant-vus',
                duration: `${SECONDS}s`,
                startTime,
                gracefulStop: `${GRACE_SECONDS}s`,
            };
            return {
                [name]: { ...common, exec: 'load', vus: USERS, tags: { engine: name } },
                [`${name}-watch`]: { ...common, exec: 'watch', vus: 1 },
            };
        }),
    ),
    thresholds: Object.assign(
        {},
        ...NAMES.map(name => ({
            [`as_expected{engine:${name}}`]: ['rate>=0.999'],
            [`in_time{engine:${name}}`]: ['rate>0.95'],
        })),
    ),
};

export function setup() {
    const engines = findEngines(NAMES);
    const expected = {};
    for (const name of NAMES) {
        expected[name] = expectClosedLoop(engines[name], USERS, PAUSE_SECONDS);
    }
    return { engines, expected };
}

export function load({ engines, expected }) {
    const name = exec.scenario.name;
    const response = http.get(`${engines[name].url}/`);
    if (record(response, engines[name], expected[name])) {
        own[name].latency.add(response.timings.duration);
    } else {
        own[name].errors.add(1);
    }
    sleep(PAUSE_SECONDS);
}

export function watch({ engines }) {
    const name = exec.scenario.name.replace('-watch', '');
    const said = readMetrics(engines[name].url);
    if (said) {
        own[name].memory.add(said.memory_alloc_mb);
        own[name].cpu.add(said.cpu_usage_percent);
    }
    sleep(1);
}

export function handleSummary(data) {
    if (!data.setup_data) {
        return {};
    }
    const { engines, expected } = data.setup_data;
    const sameWork = new Set(NAMES.map(name => engines[name].work)).size === 1;
    const passed = `${thousands(count(data, 'ok_200'))} requests answered with 200.`;
    const failures = name => answerFailures(data, expected[name], `requests to ${name}`, `{engine:${name}}`);
    const verdict = headline(data, passed, Object.assign({}, ...NAMES.map(failures)));
    const explanation = NAMES.flatMap(name => expected[name].explanation);
    return outputs('k6-compare-servers', data, verdict, explanation, [
        ...NAMES.map(name => describe(engines[name])),
        `${USERS} users on each, ${SECONDS} s, ${__ENV.TOGETHER === '1' ? 'all at once' : 'one engine after the other'}`,
        '',
        ...table(comparison(data, sameWork)),
        '',
        ...(sameWork
            ? []
            : [
                  'The engines run different work, so rate and latency compare their settings, not the engines. To compare',
                  'the engines, start all with the same work, for example: fastgo all --work sleep:10ms',
              ]),
    ]);
}

function comparison(data, sameWork) {
    const values = name => (data.metrics[name] || { values: {} }).values;
    const suffix = name => name.replace('-', '_');
    const trend = (metric, key) => name => values(`${metric}_${suffix(name)}`)[key];
    const rate = name => (values(`latency_${suffix(name)}`).count || 0) / SECONDS;
    const rows = [
        ['200 OK/s', rate, number => number.toFixed(1), sameWork && -1],
        ['p50 ms', trend('latency', 'p(50)'), milliseconds, sameWork && 1],
        ['p95 ms', trend('latency', 'p(95)'), milliseconds, sameWork && 1],
        ['p99 ms', trend('latency', 'p(99)'), milliseconds, sameWork && 1],
        ['p99.9 ms', trend('latency', 'p(99.9)'), milliseconds, sameWork && 1],
        ['max ms', trend('latency', 'max'), milliseconds, sameWork && 1],
        ['failed requests', name => count(data, `errors_${suffix(name)}`), String, 1],
        ['peak memory (MiB)', trend('memory_mb', 'max'), number => number.toFixed(1), 1],
        ['CPU ms per 1,000 requests', name => (10000 * values(`cpu_percent_${suffix(name)}`).avg) / rate(name), milliseconds, 1],
    ];
    return [
        ['', ...NAMES, 'winner'],
        ...rows.map(([label, read, format, sign]) => {
            const numbers = NAMES.map(read);
            return [
                label,
                ...numbers.map(number => (Number.isFinite(number) ? format(number) : '-')),
                winner(numbers, sign),
            ];
        }),
    ];
}

/** The engine with the least (or with sign -1 the most), `even` when the first two are close. */
function winner(numbers, sign) {
    if (!sign) {
        return 'not comparable';
    }
    const ranked = NAMES.map((name, index) => ({ name, number: numbers[index] }))
        .filter(one => Number.isFinite(one.number))
        .sort((a, b) => sign * (a.number - b.number));
    if (ranked.length < 2) {
        return '-';
    }
    const [first, second] = ranked;
    return Math.abs(first.number - second.number) <= EVEN * Math.abs(second.number) ? 'even' : first.name;
}
