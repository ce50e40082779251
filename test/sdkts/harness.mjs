// Runs the real server binary for the suites and asks it what it knows, over HTTP only.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.mjs";
import { checkTrace } from "./trace.mjs";

export { eventually };

const startLimitMS = 30_000;
const stopLimitMS = 15_000;
const logLimit = 64 << 10;

async function freePort() {
  const listener = net.createServer();
  await new Promise((resolve, reject) => { listener.once("error", reject).listen(0, "127.0.0.1", resolve); });
  const { port } = listener.address();
  await new Promise((resolve) => { listener.close(resolve); });
  return port;
}

/**
 * Starts a development server in memory, or with keys { signing, event } a production server in a folder of its own;
 * resolves when /health answers. The time of a development server with a clock is moved by hand: advance().
 */
export async function startServer({ args = [], keys, clock = false } = {}) {
  const variable = clock ? "INGOT_CLOCK_BIN" : "INGOT_BIN";
  const binary = process.env[variable];
  if (!binary) throw new Error(`${variable} names no server binary`);
  const port = await freePort();
  const clockPort = clock && await freePort();
  const folder = keys && await mkdtemp(join(tmpdir(), "ingot-sdkts-"));
  const mode = keys
    ? ["start", "--signing-key", keys.signing, "--event-key", keys.event, "--sqlite-dir", folder]
    : ["dev", "--no-discovery", "--no-poll"];
  const child = spawn(binary, [...mode, "--host", "127.0.0.1", "--port", String(port), ...(clock ? ["--clock-port", String(clockPort)] : []), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, DO_NOT_TRACK: "1", INNGEST_NO_UPDATE_NOTIFIER: "1" },
  });
  const server = new Server(`http://127.0.0.1:${port}`, child, keys, folder);
  server.clockURL = clock && `http://127.0.0.1:${clockPort}`;
  await eventually("start of the server", startLimitMS, async (saw) => {
    if (server.exit) throw new Error(`the server ended by itself (${server.exit}):\n${server.log}`);
    try {
      return (await fetch(`${server.url}/health`)).status === 200;
    } catch (error) {
      saw(error.message);
      return false;
    }
  }).catch((error) => { child.kill("SIGKILL"); throw error; });
  return server;
}

class Server {
  log = "";
  exit = null; // how the process ended
  #child;
  #ended;
  #reads = 0;
  #kill = () => this.#child.kill("SIGKILL");

  #folder;

  constructor(url, child, keys, folder) {
    this.url = url;
    this.keys = keys;
    this.#folder = folder;
    this.#child = child;
    const keep = (chunk) => { this.log = (this.log + chunk).slice(-logLimit); };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    this.#ended = new Promise((resolve) => {
      child.once("error", (error) => { this.exit = error.message; resolve(); });
      child.once("exit", (code, signal) => { this.exit = signal ?? `status ${code}`; resolve(); });
    });
    process.once("exit", this.#kill);
  }

  /** Stops the server; an end that is not clean is an error. */
  async stop() {
    if (this.exit) throw new Error(`the server had ended by itself: ${this.exit}\n${this.log}`);
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopLimitMS);
    await this.#ended;
    clearTimeout(timer);
    process.off("exit", this.#kill);
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
    if (this.exit !== "status 0") throw new Error(`the server ended with ${this.exit}\n${this.log}`);
  }

  /** The time of a server with a clock, in ms since the epoch. */
  async now() {
    return this.#askClock("GET", "/now");
  }

  /** Moves it ahead by so many ms. What is due then happens soon after. */
  async advance(ms) {
    await this.#askClock("POST", `/advance?by=${Math.round(ms)}ms`);
  }

  async #askClock(method, path) {
    const answer = await fetch(this.clockURL + path, { method });
    const text = await answer.text();
    if (answer.status !== 200) throw new Error(`${method} ${path}: status ${answer.status}: ${text}`);
    return Date.parse(text.trim());
  }

  /** The answer of a /v1 read as text. The changing query string passes the API's cache. */
  async readText(path) {
    const response = await fetch(`${this.url}${path}?fresh=${++this.#reads}`, {
      headers: this.keys ? { authorization: `Bearer ${this.keys.signing}` } : {},
    });
    const text = await response.text();
    if (response.status !== 200 || JSON.parse(text).error) throw new Error(`${path}: status ${response.status}: ${text.slice(0, 300)}`);
    return text;
  }

  async read(path) {
    return JSON.parse(await this.readText(path)).data;
  }

  /** Asks the API; { status, text }. */
  async call(method, path, body) {
    const response = await fetch(`${this.url}${path}`, {
      method, body, headers: this.keys ? { authorization: `Bearer ${this.keys.signing}` } : {},
    });
    return { status: response.status, text: await response.text() };
  }

  /** Cancels a run; that it has ended already is no error. */
  async cancel(runID) {
    const answer = await this.call("DELETE", `/v1/runs/${runID}`);
    if (answer.status !== 200) throw new Error(`cancel ${runID}: status ${answer.status}: ${answer.text}`);
  }

  /** The data of an answer of GraphQL; any error in it is one. */
  async query(query, variables) {
    const response = await fetch(`${this.url}/v0/gql`, {
      method: "POST", body: JSON.stringify({ query, variables }),
      headers: { "content-type": "application/json", ...(this.keys ? { authorization: `Bearer ${this.keys.signing}` } : {}) },
    });
    const text = await response.text();
    const { data, errors } = response.status === 200 ? JSON.parse(text) : {};
    if (!data || errors) throw new Error(`GraphQL answers with status ${response.status}: ${text.slice(0, 500)}`);
    return data;
  }

  /** The run once it has its end; its trace must agree. */
  async awaitRunID(runID, limitMS) {
    const run = await eventually(`end of run ${runID}`, limitMS, async (saw) => {
      try {
        const run = await this.read(`/v1/runs/${runID}`);
        saw(run.status);
        return ["Completed", "Failed", "Cancelled", "Skipped"].includes(run.status) && run.ended_at && run;
      } catch (error) {
        saw(error.message);
        return false;
      }
    });
    await checkTrace(this, run);
    return run;
  }

  /** The one run of an event once it has its end, in both views of the server; several runs are an error. */
  async awaitRun(eventID, limitMS) {
    const only = async (saw) => {
      const runs = await this.read(`/v1/events/${eventID}/runs`);
      if (runs.length > 1) throw new Error(`event ${eventID} started ${runs.length} runs: ${JSON.stringify(runs)}`);
      saw(runs.length === 0 ? "no run yet" : `listed as ${runs[0].status}`);
      return runs[0];
    };
    const { run_id } = await eventually(`run of event ${eventID}`, limitMS, only);
    const run = await this.awaitRunID(run_id, limitMS);
    await eventually(`list of event ${eventID}`, limitMS, async (saw) => (await only(saw))?.status === run.status);
    return run;
  }
}
