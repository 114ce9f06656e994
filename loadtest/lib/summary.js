// The end of a run: a table for people on the terminal and everything as JSON in a file.

const TREND = ['min', 'avg', 'p(50)', 'p(90)', 'p(95)', 'p(99)', 'p(99.9)', 'max'];

/** For `summaryTrendStats`: exactly what the tables below use. */
export const TREND_STATS = [...TREND, 'count'];

/** A handleSummary result: the text, and the JSON in SUMMARY (default `NAME.summary.json`; empty for no file). */
export function outputs(name, data, lines) {
    const file = __ENV.SUMMARY === undefined ? `${name}.summary.json` : __ENV.SUMMARY;
    const verdicts = thresholdLines(data);
    const text = ['', heading(name), ...lines, ...verdicts, file ? `Everything as JSON: ${file}` : '', ''];
    const result = { stdout: `${text.filter((line, index) => line !== '' || text[index - 1] !== '').join('\n')}\n` };
    if (file) {
        result[file] = JSON.stringify(data, null, 2);
    }
    return result;
}

/** Lines that describe one engine under one load: settings, answers by kind, latencies. */
export function engineLines(data, engine, expected) {
    const kinds = ['answered', 'refused_503', 'expired_408', 'other_status', 'no_answer'];
    const counts = kinds.map(kind => `${kind.replace('_', ' ')} ${count(data, kind)}`);
    return [
        describe(engine),
        '',
        `answers   ${counts.join(', ')}`,
        `rate      ${(count(data, 'answered') / (data.state.testRunDurationMs / 1000)).toFixed(1)} answered a second, over the whole run`,
        ...table([
            ['latency ms', 'min', 'p50', 'p90', 'p95', 'p99', 'p99.9', 'max'],
            trendRow('of 200s', data.metrics.latency),
        ]),
        `bound     ${expected.boundMs} ms for 95 of 100, from the engine's settings`,
        '',
        ...explained(expected),
    ];
}

/** One line on an engine's settings. */
export function describe(engine) {
    const queue = engine.queue ? `, queue ${engine.queue}` : '';
    return `${engine.url}: ${engine.engine} ${engine.version}, work ${engine.work}, workers ${engine.workers}${queue}, ${engine.cores} cores`;
}

/** The explanation of an overload that the settings make certain, as a paragraph of its own. */
export function explained(expected) {
    return expected.explanation.length ? [...expected.explanation, ''] : [];
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

/** Milliseconds with as many decimals as they deserve. */
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
    const value =
        metric.type === 'rate'
            ? metric.values.rate
            : metric.type === 'counter'
              ? metric.values.count
              : metric.values.value;
    return value === undefined ? '' : `  (${Number(value.toFixed(4))})`;
}
