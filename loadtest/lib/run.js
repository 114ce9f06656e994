// The run that an engine records of a test, for its page /runs: RUN gives it a name, an exact beginning and an exact end.

import exec from 'k6/execution';
import http from 'k6/http';

const NAME = __ENV.RUN;

/** Starts a run on the engine at `url`, where RUN has a name for it. */
export function startRun(url) {
    const response = NAME ? order(url, { action: 'start', name: NAME }) : null;
    if (response && response.status !== 200) {
        exec.test.abort(`${url} records no run: it answered POST /runs with ${response.status}`);
    }
}

/** Ends the runs of what setup() returned, `engine` or `engines`; the teardown() of every script. */
export function stopRuns({ engine, engines }) {
    for (const { url } of NAME ? Object.values(engines || { engine }) : []) {
        order(url, { action: 'stop' });
    }
}

function order(url, body) {
    const headers = { 'Content-Type': 'application/json' };
    return http.post(`${url}/runs`, JSON.stringify(body), { headers, timeout: '5s', tags: { name: 'runs' } });
}
