// What an engine's settings allow, so that a script judges answers by them and not by a fixed number.

import { parseSeconds, wholeNumber } from './plan.js';

// What the network, the board and the client may add to the time that the settings explain.
const SLACK_MS = wholeNumber('SLACK_MS', 250);
// The time that the settings explain is an average: single answers may take this much more of it.
const SPREAD = 1.5;
// A test that overloads the engine on purpose accepts 503, 408 and the time in the queue.
const ALLOW_OVERLOAD = __ENV.ALLOW_OVERLOAD === '1';

/** The work of one request to `/` in milliseconds; 0 for `none`. */
export function workMs(engine) {
    return engine.work === 'none' ? 0 : parseSeconds(engine.work.replace(/^(sleep|cpu):/, '')) * 1000;
}

/** Requests per second that the work itself allows, or Infinity: without a pool, requests can sleep at the same time. */
export function capacity(engine) {
    const busy = workMs(engine) / 1000;
    const pool = engine.workers || Infinity;
    const atOnce = engine.work.startsWith('cpu:') ? Math.min(engine.cores, engine.threads, pool) : pool;
    return busy > 0 ? atOnce / busy : Infinity;
}

/**
 * What to expect of a closed loop: `users` who each send a request, wait for the answer, and pause for `pauseSeconds`.
 *
 * By Little's law the requests per second are users / (pause + answer time), and never more than the capacity; from
 * there on the answer time grows until both sides agree.
 */
export function expectClosedLoop(engine, users, pauseSeconds) {
    const limit = capacity(engine);
    const needed = users / (pauseSeconds + workMs(engine) / 1000);
    const waitMs = Math.max(workMs(engine), (users / limit - pauseSeconds) * 1000);
    return expectation(engine, needed, limit, Math.min(waitMs, engine.longestWaitMs));
}

/** What to expect in an open model: `rate` requests a second, however long the answers take. */
export function expectRate(engine, rate) {
    return expectation(engine, rate, capacity(engine), workMs(engine));
}

function expectation(engine, needed, limit, waitMs) {
    const overloaded = needed > limit;
    const overloadAllowed = overloaded && ALLOW_OVERLOAD;
    return {
        overloaded,
        overloadAllowed,
        boundMs: Math.round((overloadAllowed ? waitMs : workMs(engine)) * SPREAD + SLACK_MS),
        explanation: overloaded ? explainOverload(engine, needed, limit) : [],
    };
}

function explainOverload(engine, needed, limit) {
    const atOnce = Math.round((limit * workMs(engine)) / 1000);
    const lines = [
        `The server is overloaded: this load needs ${Math.round(needed)} requests/s, and the settings of ${engine.engine} allow ${Math.round(limit)}/s`,
        `(work ${engine.work}, ${atOnce} at a time). This test measures queueing.`,
    ];
    if (engine.queue) {
        const enough = Math.ceil(((needed * workMs(engine)) / 1000) * SPREAD);
        lines.push(
            `A request that waits for ${engine.longestWaitMs / 1000} s gets 408; while ${engine.queue} wait, the next one gets 503.`,
            `To serve this load: --workers ${enough} (or WORKERS=${enough} in /etc/fastgo/worker-pool.env), or less work for each request.`,
        );
    }
    return lines;
}
