// The first line of a summary: PASSED or FAILED, in words; then the reason.

/**
 * `passed` when every threshold was met; else the text for the first failed threshold: `failures` maps the name of a
 * metric (with or without its tags) to a text, in order of importance.
 */
export function headline(data, passed, failures) {
    const failed = failedMetrics(data);
    if (!failed.length) {
        return `PASSED${__ENV.ALLOW_OVERLOAD === '1' ? ' (overload allowed)' : ''}: ${passed}`;
    }
    const known = Object.keys(failures).find(name => failed.includes(name));
    return `FAILED: ${known ? failures[known] : `thresholds not met: ${failed.join(', ')}`}`;
}

/** The metrics whose thresholds failed. */
export function failedMetrics(data) {
    return Object.entries(data.metrics)
        .filter(([, metric]) => Object.values(metric.thresholds || {}).some(result => !result.ok))
        .map(([name]) => name);
}

/** What the thresholds of lib/answers.js mean for `what`, such as `requests`. */
export function answerFailures(data, expected, what = 'requests', tag = '') {
    return {
        [`as_expected${tag}`]: `${missed(data, `as_expected${tag}`)} ${what} failed.`,
        [`in_time${tag}`]: `${missed(data, `in_time${tag}`)} answers took longer than ${expected.boundMs} ms.`,
    };
}

/** `94 of 100`: the share of a rate that was missed. Small shares are counted of 10,000. */
export function missed(data, name) {
    const metric = data.metrics[name];
    const share = metric ? 1 - metric.values.rate : 1;
    const [number, of] = share >= 0.01 ? [share * 100, '100'] : [share * 10000, '10,000'];
    return `${Math.max(1, Math.round(number))} of ${of}`;
}

/** 8013 as `8,013`. */
export function thousands(number) {
    return String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, ',');
}
