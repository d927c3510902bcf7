#!/usr/bin/env bash
# undici 7.30.2 (npm), the HTTP client under Node.js's fetch: interceptors.dns() over a name with four addresses, one of
# which refuses connections; Node.js 20.
# Guess: it takes the addresses in turn and goes on to the next where one refuses, as the agent without it does.
# Observed: in turn, yes; but with the interceptor a refusal is the request's error: five of twenty requests fail, all
# within the ten seconds that it keeps addresses. The plain agent (Node's autoSelectFamily) fails none.
# Why it matters: turned on for its cache and its balance, it makes every dead endpoint an error rate of one in n, until
# the answers have changed and its ten seconds are over, whatever the TTL.
set -euo pipefail
source "$(dirname "$0")/lib.bash"
npm_packages undici@7.30.2
alone 120

hosts 127.0.0.{2,3,4,5}" pool.example.test"
cat >requests.mjs <<'JS'
import http from "http";
import { Agent, interceptors, request } from "undici";

const hits = { 3: 0, 4: 0, 5: 0 }; // nothing listens on 127.0.0.2
for (const last of Object.keys(hits)) {
    const server = http.createServer((_, response) => {
        hits[last]++;
        response.end();
    });
    await new Promise((ready) => server.listen(8000, `127.0.0.${last}`, ready));
}
const agent = process.argv[2] === "interceptor" ? new Agent().compose(interceptors.dns()) : new Agent({ pipelining: 0 });
const errors = {};
for (let i = 0; i < 20; i++) {
    try {
        const response = await request("http://pool.example.test:8000/", { dispatcher: agent, reset: true });
        await response.body.dump();
    } catch (error) {
        errors[error.code] = (errors[error.code] ?? 0) + 1;
    }
}
console.log(JSON.stringify(errors), Object.values(hits).join(" "));
process.exit(0);
JS

echo "undici 7.30.2, node $(node --version), twenty requests; errors, and hits of the three that live:"
seen "with interceptors.dns()" '{"ECONNREFUSED":5} 5 5 5' "$(node requests.mjs interceptor)"
seen "without" '{} 20 0 0' "$(node requests.mjs plain)"
finish
