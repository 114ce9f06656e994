// What an engine's settings allow, so that a script judges an answer by them and not by a number pulled from the air.

import { parseSeconds, wholeNumber } from './plan.js';

// What the network, the board and the client may add to the time that the settings explain.
const SLACK_MS = wholeNumber('SLACK_MS', 250);
// The time that the settings explain is an average: single answers may take this much more of it.
const SPREAD = 1.5;

/** The work of one request to `/` in milliseconds; 0 for `none`. */
export function workMs(engine) {
    return engine.work === 'none' ? 0 : parseSeconds(engine.work.replace(/^(sleep|cpu):/, '')) * 1000;
}

/** Requests per second that the work itself allows, or Infinity: a sleep holds up only those who have few workers. */
export function capacity(engine) {
    const busy = workMs(engine) / 1000;
    const isPool = engine.engine === 'worker-pool';
    const atOnce = engine.work.startsWith('cpu:')
        ? Math.min(engine.cores, engine.workers)
        : isPool
          ? engine.workers
          : Infinity;
    return busy > 0 ? atOnce / busy : Infinity;
}

/**
 * Judges a closed loop: `users` who each send a request, wait for the answer, and pause for `pauseSeconds`.
 *
 * By Little's law the requests per second are users / (pause + answer time), and never more than the capacity; from
 * there on the answer time grows until both sides agree.
 */
export function expectClosedLoop(engine, users, pauseSeconds) {
    const limit = capacity(engine);
    const wanted = users / (pauseSeconds + workMs(engine) / 1000);
    const waitMs = Math.max(workMs(engine), (users / limit - pauseSeconds) * 1000);
    return verdict(
        engine,
        wanted,
        limit,
        Math.min(waitMs, engine.longestWaitMs),
        `answers take up to ${(waitMs / 1000).toFixed(1)} s`,
    );
}

/** Judges an open model: `rate` requests a second, whatever the answers take. */
export function expectRate(engine, rate) {
    return verdict(
        engine,
        rate,
        capacity(engine),
        workMs(engine),
        'the longer the load lasts, the longer the answers take',
    );
}

function verdict(engine, wanted, limit, expectedMs, consequence) {
    const overloaded = wanted > limit;
    return {
        overloaded,
        boundMs: Math.round(expectedMs * SPREAD + SLACK_MS),
        explanation: overloaded ? explainOverload(engine, wanted, limit, consequence) : [],
    };
}

function explainOverload(engine, wanted, limit, consequence) {
    const atOnce = Math.round((limit * workMs(engine)) / 1000);
    const lines = [
        `This load wants ${Math.round(wanted)} requests a second. ${engine.engine} runs ${engine.work} for each, ${atOnce} at a time, which`,
        `makes ${Math.round(limit)} a second. So what is measured here is queueing, not a fault: ${consequence}.`,
    ];
    if (engine.queue) {
        const enough = Math.ceil(((wanted * workMs(engine)) / 1000) * SPREAD);
        lines.push(
            `Once ${engine.queue} requests wait, the next one gets 503; one that waits for ${engine.longestWaitMs / 1000} s gets 408.`,
            `To serve all of this load: WORKERS=${enough}, or shorter work (WORK=sleep:10ms).`,
        );
    }
    return lines;
}
