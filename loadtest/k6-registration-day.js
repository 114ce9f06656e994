// Registration day: all students press the button within the first second, and every one of them gets a seat or a place in
// line. The server needs courses that are open: `fastgo registrations demo`.
//
//   k6 run loadtest/k6-registration-day.js
//   k6 run -e TARGET_URL=http://raspberrypi.local:8081 -e VUS=500 loadtest/k6-registration-day.js
//
// Some students tap twice, and some look at their receipt afterwards. Fails (exit code 99) when a student got no receipt, a
// repetition got another receipt, a course has more students than seats, or the server does not count as many registrations
// as there were students (nobody else may register meanwhile).
//
// The script WRITES registrations into the server's database. To hold them against an export, note every receipt and
// compare (loadtest/registration-day does all of it):
//
//   k6 run --console-output receipts.jsonl --log-format raw -e RECEIPTS=1 loadtest/k6-registration-day.js
//   fastgo registrations export > export.csv
//   loadtest/check-registrations receipts.jsonl export.csv
//
// Switches: TARGET_URL, HOST, PORT, VUS (2000), RUSH (1s), QUICK=1, RECEIPTS=1, SUMMARY (JSON file).

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate } from 'k6/metrics';

import { parseSeconds, users } from './lib/plan.js';
import { openCourses, readCourses, readReceipt, register, totals } from './lib/registrations.js';
import { stopRuns } from './lib/run.js';
import { TREND_STATS, count, outputs, table, trendRow } from './lib/summary.js';
import { findTarget } from './lib/target.js';
import { headline, missed, thousands } from './lib/verdict.js';

const STUDENTS = users(2000);
const RUSH_SECONDS = parseSeconds(__ENV.RUSH || '1s');
const TAPS_TWICE = 0.1;
const LOOKS_AGAIN = 0.2;

const sameReceipt = new Rate('same_receipt');
const oversold = new Counter('oversold');
const confirmed = new Counter('confirmed');
// Whether the server counts one registration more for each student.
const agreed = new Rate('server_agrees');

export const options = {
    scenarios: {
        day: { executor: 'per-vu-iterations', vus: STUDENTS, iterations: 1, maxDuration: '3m' },
    },
    thresholds: {
        registration_success: ['rate==1'],
        same_receipt: ['rate==1'],
        oversold: ['count==0'],
        checks: ['rate==1'],
        confirmed: [`count==${STUDENTS}`],
        server_agrees: ['rate==1'],
    },
    summaryTrendStats: TREND_STATS,
    setupTimeout: '60s',
};

export function setup() {
    oversold.add(0);
    const engine = findTarget();
    const list = openCourses(engine.url);
    return {
        engine,
        run: Date.now().toString(36),
        ids: list.courses.map(course => course.id),
        before: totals(list),
    };
}

export default function ({ engine, run, ids }) {
    const student = `K${run}-${exec.vu.idInTest}`;
    const course = ids[exec.vu.idInTest % ids.length];
    sleep(Math.random() * RUSH_SECONDS);
    const receipt = register(engine.url, student, course);
    if (!receipt) {
        return;
    }
    confirmed.add(1);
    check(receipt, {
        'the receipt is for this student and course': r => r.student_id === student && r.course_id === course,
        'a seat has no place in line, and a place in line has a number': r =>
            r.status === 'enrolled' ? r.position === null : r.status === 'waiting' && r.position >= 1,
    });
    if (__ENV.RECEIPTS === '1') {
        console.log(JSON.stringify(receipt));
    }
    if (Math.random() < TAPS_TWICE) {
        const again = register(engine.url, student, course, { again: 'yes' });
        sameReceipt.add(again !== null && again.registration_id === receipt.registration_id);
    }
    if (Math.random() < LOOKS_AGAIN) {
        const seen = readReceipt(engine.url, receipt.registration_id);
        sameReceipt.add(seen !== null && seen.registered_at === receipt.registered_at);
    }
}

export function teardown({ engine, before }) {
    const deadline = Date.now() + 5000;
    let [now, added] = [null, 0];
    // The list is up to a quarter of a second old.
    do {
        sleep(0.3);
        now = readCourses(engine.url);
        const after = now ? totals(now) : before;
        added = after.taken + after.waiting - before.taken - before.waiting;
    } while (added < STUDENTS && Date.now() < deadline);
    oversold.add(now ? now.courses.filter(course => course.taken > course.seats).length : 1);
    agreed.add(added === STUDENTS);
    stopRuns({ engine });
}

export function handleSummary(data) {
    if (!data.setup_data) {
        return {};
    }
    const { engine } = data.setup_data;
    const result = `${thousands(count(data, 'confirmed'))} of ${thousands(STUDENTS)} students have a receipt`;
    const verdict = headline(data, `${result}, and the server counts as many.`, {
        confirmed: `${result}.`,
        registration_success: `${missed(data, 'registration_success')} registrations got no receipt.`,
        same_receipt: 'a repeated registration got another receipt.',
        oversold: `${count(data, 'oversold')} courses have more students than seats.`,
        server_agrees: `${result}, and the server counts another number.`,
        checks: 'a receipt was not what it should be.',
    });
    return outputs('k6-registration-day', data, verdict, [], [
        `${engine.url}: ${engine.engine} ${engine.version}, ${STUDENTS} students within ${RUSH_SECONDS} s`,
        `answers   enrolled: ${thousands(count(data, 'enrolled'))} · waiting: ${thousands(count(data, 'waiting'))} · ` +
            `come again later: ${thousands(count(data, 'postponed'))} · no answer: ${thousands(count(data, 'no_answer'))}`,
        ...table([
            ['latency ms', 'min', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'],
            trendRow('first answers', data.metrics.first_answer),
        ]),
        '',
    ]);
}
