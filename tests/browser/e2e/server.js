// Starts the real binary for a test, finds where it listens, and puts load on it; loopback only.

import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";

export const ROOT = path.resolve(import.meta.dirname, "../../..");
const BINARY = path.resolve(process.env.FASTGO_BIN ?? path.join(ROOT, "target/release/fastgo"));
const HOST = "127.0.0.1";
/** Longest wait (ms) for anything a server should do; a busy machine takes its time. */
const PATIENCE = 60_000;

if (!existsSync(BINARY)) throw new Error(`no fastgo binary at ${BINARY}: build it, or name it in FASTGO_BIN`);

/** The engines that serve the whole contract, as the binary lists them. */
export const ENGINES = execFileSync(BINARY, ["engines"], { encoding: "utf8" }).trim().split("\n").map((line) => line.split(" ")[0]);

const started = [];

class Process {
  constructor(args, env) {
    this.lines = [];
    this.child = spawn(BINARY, args, {
      // Without a state directory, unless a test gives one: what a test does is not kept for the next.
      env: { ...process.env, HOME: "", XDG_STATE_HOME: "", STATE_DIRECTORY: "", METRICS_LOG_INTERVAL: "60s", ...env }, stdio: ["ignore", "pipe", "pipe"],
    });
    started.push(this);
    this.ended = once(this.child, "exit");
    for (const out of [this.child.stdout, this.child.stderr]) createInterface(out).on("line", (line) => this.note(line));
  }

  note(line) {
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

/** Runs a command of the binary to its end; gives what it printed. */
export const command = (...args) => execFileSync(BINARY, args, { encoding: "utf8", env: { ...process.env, HOME: "", XDG_STATE_HOME: "", STATE_DIRECTORY: "" } });

/** Stops whatever a test file started and did not stop itself. */
export const stopAll = () => Promise.all(started.map((process) => process.stop()));

/** One engine, on any free port unless `port` is given, at the address `bind`; `env` holds its settings. */
export async function serve(engine, { port = 0, bind = HOST, ...env } = {}) {
  const process = new Process(["serve", engine, "--port", String(port), "--bind", bind], env);
  const [, listening] = await process.line(/listening on http:\/\/[^ ]*:(\d+)/);
  return Object.assign(process, { engine, port: Number(listening), origin: `http://${bind}:${listening}` });
}

/** All engines as `fastgo all` starts them, each with the others as peers, on free ports at the address `bind`. */
export async function serveAll({ bind = HOST, ...env } = {}) {
  const process = new Process(["all", "--port", "0", "--bind", bind], env);
  const origins = {};
  for (const engine of ENGINES) {
    const [, port] = await process.line(new RegExp(`^${engine} .*listening on http://[^ ]*:(\\d+)`));
    origins[engine] = `http://${bind}:${port}`;
  }
  return Object.assign(process, { origins, signalEngine: (engine, name) => signalChild(process.child.pid, engine, name) });
}

/** Sends a signal to the child of `parent` that serves `engine`. */
function signalChild(parent, engine, name) {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ");
  const child = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(engine));
  if (!child) throw new Error(`no child of ${parent} serves ${engine}`);
  globalThis.process.kill(Number(child), name);
}

/** What the engine reports of itself. */
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

/** Keeps `users` asking all `origins` at once, each for the next answers only when the last have come: all get the same load. */
export function loadAlike(origins, users) {
  const agent = new http.Agent({ keepAlive: true });
  let running = true;
  const get = (origin) => new Promise((done) => {
    http.get(origin, { agent }, (answer) => answer.resume().on("end", done).on("error", done)).on("error", done);
  });
  const ask = async () => {
    while (running) await Promise.all([...origins.map(get), new Promise((done) => setTimeout(done, 20))]);
  };
  for (let i = 0; i < users; i++) ask();
  return () => {
    running = false;
    agent.destroy();
  };
}

/** Opens `connections` that send nothing, and keeps them until released or the process ends. */
export function hold(origin, connections) {
  const { hostname, port } = new URL(origin);
  const sockets = Array.from({ length: connections }, () => net.connect(Number(port), hostname).on("error", () => {}).resume());
  return () => sockets.forEach((socket) => socket.destroy());
}
