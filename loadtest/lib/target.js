// Where the engines are, and what each says of itself before the load begins.

import exec from 'k6/execution';
import http from 'k6/http';

import { wholeNumber } from './plan.js';

/** The engines in the order of their ports; PORT names the first, as it does for `fastgo all`. */
export const ENGINES = ['worker-pool', 'may', 'hyper'];

const FIRST_PORT = wholeNumber('PORT', 8080);
const HOSTS = __ENV.HOST ? [__ENV.HOST] : ['localhost', 'raspberrypi.local'];

// What k6's error codes mean to somebody who has to mend it.
const REASONS = {
    1101: 'this name is not known to the network',
    1110: 'this address is blocked by k6',
    1211: 'no answer to the connection attempt: the machine is off, or a firewall drops packets',
    1212: 'connection refused: nothing listens on this port',
    1220: 'the connection was reset',
    1050: 'connected, but no answer came in time',
};

/** The one engine to load: TARGET_URL, or the first that answers on HOST (or on localhost, then raspberrypi.local). */
export function findTarget() {
    if (__ENV.TARGET_URL) {
        return orAbort(learn(__ENV.TARGET_URL.replace(/\/+$/, '')));
    }
    return orAbort(firstOf(HOSTS.map(host => `http://${host}:${FIRST_PORT}`)));
}

/** The named engines on HOST (or on localhost, then raspberrypi.local), by name. */
export function findEngines(names) {
    const found = {};
    for (const name of names) {
        const port = FIRST_PORT + ENGINES.indexOf(name);
        const answer = orAbort(firstOf(HOSTS.map(host => `http://${host}:${port}`)));
        if (answer.engine !== name) {
            exec.test.abort(
                `${answer.url} is the engine ${answer.engine}, not ${name}: set PORT to the port of worker-pool`,
            );
        }
        found[name] = answer;
    }
    return found;
}

/** What /metrics says now, or null when there is no such answer. */
export function readMetrics(url) {
    return parse(getMetrics(url, '10s'));
}

function getMetrics(url, timeout) {
    const headers = { Accept: 'application/json' };
    return http.get(`${url}/metrics`, { headers, timeout, responseType: 'text', tags: { name: 'metrics' } });
}

function parse(response) {
    try {
        return response.status === 200 ? response.json() : null;
    } catch {
        return null;
    }
}

function firstOf(urls) {
    const problems = [];
    for (const url of urls) {
        const answer = learn(url);
        if (!answer.problem) {
            return answer;
        }
        problems.push(answer.problem);
    }
    return { problem: problems.join('; ') };
}

function learn(url) {
    const response = getMetrics(url, '5s');
    if (response.error_code && response.status === 0) {
        return { problem: `${url} is not reachable: ${REASONS[response.error_code] || response.error}` };
    }
    const said = parse(response);
    if (!said || !said.server_type) {
        return { problem: `${url} answers, but is no fastgo engine: /metrics gave status ${response.status}` };
    }
    if (said.draining) {
        return { problem: `${url} is shutting down: wait until it is back` };
    }
    return {
        url,
        engine: said.server_type,
        version: said.version,
        work: said.work,
        cores: said.num_cpu,
        workers: said.workers.total,
        queue: said.queue.capacity,
        // A job must begin within the time that its request, and end within the time that its answer may take.
        longestWaitMs: Math.min(said.limits.read_timeout_ms, said.limits.write_timeout_ms),
    };
}

function orAbort(answer) {
    if (answer.problem) {
        exec.test.abort(
            `${answer.problem}. ` +
                'Start fastgo there (`fastgo`, or on the board `sudo systemctl start fastgo`), or name another target: ' +
                '-e TARGET_URL=http://HOST:PORT for one engine, -e HOST=HOST for all.',
        );
    }
    return answer;
}
