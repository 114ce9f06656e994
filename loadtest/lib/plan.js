// How many users and how long: the script's own plan, unless VUS, DURATION or QUICK=1 say otherwise.

import exec from 'k6/execution';

const QUICK = __ENV.QUICK === '1';
const QUICK_SECONDS = 6;
const QUICK_USERS = 20;

/** Users at the peak: VUS, or the plan's, or few when QUICK=1. */
export function users(planned) {
    const asked = __ENV.VUS ? wholeNumber('VUS') : QUICK ? Math.min(planned, QUICK_USERS) : planned;
    return Math.max(1, asked);
}

/** Length of the whole run in seconds: DURATION (`90s`, `5m`, `1h`), or the plan's, or short when QUICK=1. */
export function seconds(planned) {
    return __ENV.DURATION ? parseSeconds(__ENV.DURATION) : QUICK ? Math.min(planned, QUICK_SECONDS) : planned;
}

/** A whole number of at least 1 from the environment, `fallback` where it is not set. */
export function wholeNumber(name, fallback) {
    const text = __ENV[name] || String(fallback);
    if (!/^[1-9]\d*$/.test(text)) {
        exec.test.abort(`${name} must be a whole number of at least 1, not "${text}"`);
    }
    return Number(text);
}

/** k6 stages from shares: each [share of the time, share of the peak]. */
export function stages(shape, peak, totalSeconds) {
    return shape.map(([time, level]) => ({
        duration: `${Math.max(1, Math.round(time * totalSeconds))}s`,
        target: Math.round(level * peak),
    }));
}

/** `1h30m`, `250ms`, `90s` in seconds, as k6 and fastgo write durations. */
export function parseSeconds(text) {
    const unit = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 };
    const parts = [...text.matchAll(/([\d.]+)\s*(ms|us|µs|ns|h|m|s)\s*/g)];
    if (!parts.length || parts.map(part => part[0]).join('') !== text) {
        exec.test.abort(`"${text}" is not a duration: write for example 90s, 5m or 1h30m`);
    }
    return parts.reduce((sum, [, number, name]) => sum + Number(number) * unit[name], 0);
}
