// The end of a run: the verdict and a table for people on the terminal, and everything as JSON in a file.

import { KINDS } from './answers.js';
import { thousands } from './verdict.js';

const TREND = ['min', 'avg', 'p(50)', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max'];
const NAMES = {
    ok_200: '200 OK',
    rejected_503: '503',
    expired_408: '408',
    other_status: 'other',
    no_answer: 'no answer',
};

/** For `summaryTrendStats`: exactly what the tables below use. */
export const TREND_STATS = [...TREND, 'count'];

/**
 * A handleSummary result: the text, and the JSON in SUMMARY (default `NAME.summary.json`; empty for no file).
 * `verdict` is the first line; the overload, where there is one, explains it.
 */
export function outputs(name, data, verdict, explanation, lines) {
    const file = __ENV.SUMMARY === undefined ? `${name}.summary.json` : __ENV.SUMMARY;
    const text = [
        verdict,
        ...explanation,
        '',
        heading(name),
        ...lines,
        '',
        ...thresholdLines(data),
        file ? `All figures as JSON: ${file}` : '',
        '',
    ];
    const result = { stdout: `${text.filter((line, index) => line !== '' || text[index - 1] !== '').join('\n')}\n` };
    if (file) {
        result[file] = JSON.stringify(data, null, 2);
    }
    return result;
}

/** Lines that describe one engine under one load: settings, answers by status, latencies. */
export function engineLines(data, engine, expected) {
    const seconds = data.state.testRunDurationMs / 1000;
    return [
        describe(engine),
        '',
        `answers   ${countsLine(data)}`,
        `rate      ${(count(data, 'ok_200') / seconds).toFixed(1)} requests/s answered with 200, over the whole run`,
        ...table([
            ['latency ms', 'min', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'],
            trendRow('of 200 OK', data.metrics.latency),
        ]),
        `target    95 % of 200 OK within ${expected.boundMs} ms, from the engine's settings`,
        '',
    ];
}

/** `200 OK: 2,568 · 503: 0 · 408: 0 · other: 0 · no answer: 0`. */
function countsLine(data) {
    return KINDS.map(kind => `${NAMES[kind]}: ${thousands(count(data, kind))}`).join(' · ');
}

/** One line on an engine's settings. */
export function describe(engine) {
    const pool = engine.queue ? `, up to ${engine.workers} workers, queue ${engine.queue}` : '';
    return `${engine.url}: ${engine.engine} ${engine.version}, work ${engine.work}, ${engine.threads} threads${pool}, ${engine.cores} cores`;
}

/** The count of a counter, 0 where nothing was counted. */
export function count(data, name) {
    return data.metrics[name] ? data.metrics[name].values.count : 0;
}

/** A row of a latency table; dashes where there are no samples. */
export function trendRow(name, metric) {
    const values = metric ? metric.values : {};
    const numbers = ['min', 'p(50)', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max'].map(key => values[key]);
    return [name, ...numbers.map(number => milliseconds(values.count ? number : undefined))];
}

/** Milliseconds with three significant digits. */
export function milliseconds(number) {
    return number === undefined ? '-' : number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0);
}

/** Rows of cells as aligned lines: the first column to the left, the others to the right. */
export function table(rows) {
    const widths = rows[0].map((_, column) => Math.max(...rows.map(row => String(row[column]).length)));
    return rows.map(row =>
        row
            .map((cell, column) => (column ? String(cell).padStart(widths[column]) : String(cell).padEnd(widths[0])))
            .join('  '),
    );
}

function heading(name) {
    return `── ${name} ${'─'.repeat(Math.max(0, 100 - name.length))}`;
}

function thresholdLines(data) {
    const lines = [];
    for (const [name, metric] of Object.entries(data.metrics)) {
        for (const [rule, result] of Object.entries(metric.thresholds || {})) {
            // Rules that every value meets exist only to split a metric by a tag.
            if (!rule.endsWith('>=0')) {
                lines.push(`${result.ok ? '✓' : '✗'} ${name} ${rule}${valueOf(metric)}`);
            }
        }
    }
    return lines.length ? ['Thresholds', ...lines.map(line => `  ${line}`), ''] : [];
}

function valueOf(metric) {
    const { rate, count: counted, value } = metric.values;
    const shown = metric.type === 'rate' ? rate : metric.type === 'counter' ? counted : value;
    return shown === undefined ? '' : `  (${Number(shown.toFixed(4))})`;
}
