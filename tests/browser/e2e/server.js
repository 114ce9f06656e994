// Starts the real binary for a test, tells where it listens, and puts load on it; loopback only.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";

export const ROOT = path.resolve(import.meta.dirname, "../../..");
const BINARY = path.resolve(process.env.FASTGO_BIN ?? path.join(ROOT, "target/release/fastgo"));
export const ENGINES = ["worker-pool", "may", "hyper"];
const HOST = "127.0.0.1";
/** Longest wait (ms) for anything a server should do at once. */
const PATIENCE = 15_000;

if (!existsSync(BINARY)) throw new Error(`no fastgo binary at ${BINARY}: build it, or name it in FASTGO_BIN`);

const started = [];

class Process {
  constructor(args, env) {
    this.lines = [];
    this.child = spawn(BINARY, args, {
      env: { ...process.env, METRICS_LOG_INTERVAL: "60s", ...env }, stdio: ["ignore", "pipe", "pipe"],
    });
    started.push(this);
    this.ended = once(this.child, "exit");
    for (const out of [this.child.stdout, this.child.stderr]) createInterface(out).on("line", (line) => this.hear(line));
  }

  hear(line) {
    this.lines.push(line);
    this.child.emit("line", line);
  }

  /** The first line that matches, now or later; fails when the process ends before. */
  line(pattern) {
    return new Promise((resolve, reject) => {
      const look = (line) => {
        const match = pattern.exec(line);
        if (match) resolve(match);
      };
      this.lines.forEach(look);
      this.child.on("line", look);
      this.child.once("exit", () => reject(new Error(`ended early:\n${this.lines.join("\n")}`)));
      setTimeout(() => reject(new Error(`no ${pattern} in:\n${this.lines.join("\n")}`)), PATIENCE).unref();
    });
  }

  signal(name) {
    this.child.kill(name);
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.signal("SIGCONT");
      this.signal("SIGTERM");
      const kill = setTimeout(() => this.signal("SIGKILL"), 5000);
      await this.ended;
      clearTimeout(kill);
    }
  }

  async kill() {
    this.signal("SIGKILL");
    await this.ended;
  }
}

/** Stops whatever a test file started and did not stop itself. */
export const stopAll = () => Promise.all(started.map((process) => process.stop()));

/** One engine, on any free port unless `port` is given; `env` holds its settings. */
export async function serve(engine, { port = 0, ...env } = {}) {
  const process = new Process(["serve", engine, "--port", String(port), "--bind", HOST], env);
  const [, listening] = await process.line(/listening on http:\/\/[^ ]*:(\d+)/);
  return Object.assign(process, { engine, port: Number(listening), origin: `http://${HOST}:${listening}` });
}

/** All engines as `fastgo all` starts them, each told of its peers, on free ports. */
export async function serveAll(env = {}) {
  const process = new Process(["all", "--port", "0", "--bind", HOST], env);
  const origins = {};
  for (const engine of ENGINES) {
    const [, port] = await process.line(new RegExp(`^${engine} .*listening on http://[^ ]*:(\\d+)`));
    origins[engine] = `http://${HOST}:${port}`;
  }
  return Object.assign(process, { origins });
}

/** The engine's own word. */
export async function metrics(origin) {
  const answer = await fetch(`${origin}/metrics`, { headers: { Accept: "application/json" } });
  return answer.json();
}

/** Waits until `holds(await metrics(origin))`. */
export async function untilMetrics(origin, holds) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; ) {
    const now = await metrics(origin);
    if (holds(now)) return now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${origin}/metrics never got there: ${JSON.stringify(await metrics(origin))}`);
}

/** Keeps `connections` busy with GET / until stopped; each asks again as soon as it was answered. */
export function load(origin, connections) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  let running = true;
  const ask = () => {
    if (!running) return;
    const again = () => setImmediate(ask);
    http.get(origin, { agent }, (answer) => answer.resume().on("end", again).on("error", again)).on("error", () => setTimeout(ask, 100));
  };
  for (let i = 0; i < connections; i++) ask();
  return () => {
    running = false;
    agent.destroy();
  };
}

/** Opens `connections` that say nothing, and keeps them until the process ends. */
export function hold(origin, connections) {
  const { hostname, port } = new URL(origin);
  for (let i = 0; i < connections; i++) net.connect(Number(port), hostname).on("error", () => {}).resume();
}
