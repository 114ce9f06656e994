// Where the engines are, and the settings that each reports before the load begins.

import exec from 'k6/execution';
import http from 'k6/http';

import { wholeNumber } from './plan.js';
import { startRun } from './run.js';

/** The engines in the order of their ports; PORT names the first, as it does for `fastgo all`. */
export const ENGINES = ['worker-pool', 'may', 'hyper'];

const FIRST_PORT = wholeNumber('PORT', 8080);
const HOSTS = __ENV.HOST ? [__ENV.HOST] : ['localhost', 'raspberrypi.local'];

// An engine with an access token shows its metrics to who has it.
const HEADERS = { Accept: 'application/json', ...(__ENV.ACCESS_TOKEN && { Authorization: `Bearer ${__ENV.ACCESS_TOKEN}` }) };

// What k6's error codes mean for the person who has to fix it.
const REASONS = {
    1101: 'this name is not known to the network',
    1110: 'this address is blocked by k6',
    1211: 'no answer to the connection attempt: the machine is off, or a firewall drops packets',
    1212: 'connection refused: nothing listens on this port',
    1220: 'the connection was reset',
    1050: 'connected, but no answer within 5 s',
};

/** The one engine to load: TARGET_URL, or the first that answers on HOST (or on localhost, then raspberrypi.local). */
export function findTarget() {
    if (__ENV.TARGET_URL) {
        return begun(learn(__ENV.TARGET_URL.replace(/\/+$/, '')));
    }
    return begun(firstOf(HOSTS.map(host => `http://${host}:${FIRST_PORT}`)));
}

/** The named engines on HOST (or on localhost, then raspberrypi.local), by name. */
export function findEngines(names) {
    const found = {};
    for (const name of names) {
        const port = FIRST_PORT + ENGINES.indexOf(name);
        const answer = begun(firstOf(HOSTS.map(host => `http://${host}:${port}`)));
        if (answer.engine !== name) {
            exec.test.abort(
                `${answer.url} is the engine ${answer.engine}, not ${name}: set PORT to the port of worker-pool`,
            );
        }
        found[name] = answer;
    }
    return found;
}

/** /metrics as an object, or null when it did not answer with one. */
export function readMetrics(url) {
    return parse(getMetrics(url, '10s'));
}

function getMetrics(url, timeout) {
    return http.get(`${url}/metrics`, { headers: HEADERS, timeout, responseType: 'text', tags: { name: 'metrics' } });
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
    if (response.status === 401) {
        return { problem: `${url} asks for its access token: -e ACCESS_TOKEN=…` };
    }
    if (response.status === 421) {
        return { problem: `${url} does not answer to this name: use its address, or add the name to its ALLOWED_HOSTS` };
    }
    if (!said || !said.server_type) {
        return { problem: `${url} answers, but is not a fastgo engine: /metrics has status ${response.status}` };
    }
    if (said.draining) {
        return { problem: `${url} is shutting down: try again when it runs` };
    }
    return {
        url,
        engine: said.server_type,
        version: said.version,
        work: said.work,
        cores: said.num_cpu,
        threads: said.limits.threads,
        // The most that the pool may grow to.
        workers: said.limits.workers,
        queue: said.queue.capacity,
        // Work must begin within the time for the request and end within the time for the response.
        longestWaitMs: Math.min(said.limits.read_timeout_ms, said.limits.write_timeout_ms),
    };
}

/** What was learned of an engine, whose run begins, where RUN names one; aborts the test where it does not answer. */
function begun(answer) {
    if (answer.problem) {
        exec.test.abort(
            `${answer.problem}. ` +
                'Start fastgo there (`fastgo`, or on the board `sudo systemctl start fastgo.target`), or name another target: ' +
                '-e TARGET_URL=http://HOST:PORT for one engine, -e HOST=HOST for all.',
        );
    }
    startRun(answer.url);
    return answer;
}
