// The application under test: SDK functions served over HTTP, and a record of what they saw.
import { AsyncLocalStorage } from "node:async_hooks";
import http from "node:http";
import * as cancel from "./cancel.mjs";
import * as rerun from "./rerun.mjs";
import * as checkpoint from "./checkpoint.mjs";
import * as defer from "./defer.mjs";
import * as endpoint from "./endpoint.mjs";
import * as flow from "./flow.mjs";
import * as invoke from "./invoke.mjs";
import * as limits from "./limits.mjs";
import * as metadata from "./metadata.mjs";
import * as outside from "./outside.mjs";
import * as realtime from "./realtime.mjs";
import * as signals from "./signals.mjs";
import * as timed from "./timed.mjs";
import * as traces from "./traces.mjs";
import * as waits from "./waits.mjs";

/** What is tested beyond the basics; each has its functions and its scenarios. */
export const subjects = [
  waits, signals, timed, invoke, cancel, flow, limits, rerun, checkpoint, outside, realtime, defer, metadata, endpoint, traces,
];

const silent = { debug() {}, info() {}, warn() {}, error() {} };

export const bigSteps = 4;
export const bigSize = 1_500_000; // bytes of one step's output; all together are over the 4 MiB at which calls are trimmed
export const awkward = "héllo <b>&</b> \u2028 🙂 \"quoted\" \\ \t 日本語";

/**
 * Starts an app made with one major of the SDK and registers it with the server.
 * lane: as in suite.mjs
 * declare: makes its functions; those of all subjects by default.
 */
export async function startApp(lane, server, declare = functions) {
  const app = new App();
  app.provider = await outside.startProvider();
  const web = http.createServer((request, response) => app.serve(request, response));
  await new Promise((resolve) => web.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${web.address().port}`;
  const options = {
    id: lane.id, baseUrl: server.url, logger: silent, internalLogger: silent, fetch: app.watchedFetch(),
    // With keys the SDK checks the signature of every call and refuses others.
    isDev: !server.keys, signingKey: server.keys?.signing, eventKey: server.keys?.event,
    middleware: [lane.metadataMiddleware()], ...lane.clientOptions,
  };
  app.client = new lane.sdk.Inngest(options);
  app.endpoints = endpoint.endpoints(app, lane, options);
  const create = (config, trigger, handler) => (lane.major === 3
    ? app.client.createFunction(config, trigger, handler)
    : app.client.createFunction({ ...config, triggers: [trigger] }, handler));
  app.handle = lane.serve({
    client: app.client, functions: declare(app, lane, create), servePath: "/api/inngest", signingKey: server.keys?.signing,
    [lane.major === 3 ? "serveHost" : "serveOrigin"]: origin,
  });
  app.close = async () => {
    await app.provider.close();
    await new Promise((resolve) => { web.close(resolve); web.closeAllConnections(); });
  };

  // The SDK registers itself with the server when it is asked to by PUT.
  app.url = `${origin}/api/inngest`;
  const answer = await fetch(app.url, { method: "PUT" });
  const text = await answer.text();
  if (answer.status !== 200) {
    await app.close();
    throw new Error(`register the app: status ${answer.status}: ${text}`);
  }
  return app;
}

class App {
  handle = (request, response) => { response.statusCode = 503; response.end(); };
  endpoints = {}; // handlers by path
  answers = []; // of the addresses that the SDK asked: { url, status }
  finished = new Map(); // data of inngest/function.finished events, by run id
  #seen = new Map(); // by key of the event's data: [{ what, at, run }]
  #steps = new Map(); // by run id, the names of the steps whose body ran
  #calls = new AsyncLocalStorage(); // the response that the present call will get
  #open = new Map(); // by run id, the responses of its calls that are not sent yet
  #gates = new Map();
  #inside = new Map(); // calls in the app now, by what is limited
  most = new Map(); // the most that there were

  serve(request, response) {
    const handle = this.endpoints[request.url.replace(/\?.*/, "")] ?? this.handle;
    this.#calls.run(response, () => handle(request, response));
  }

  /** Notes that something happened in a run of the event with this key. */
  note({ event, runId }, what, key = event.data.key) {
    if (!this.#seen.has(key)) this.#seen.set(key, []);
    this.#seen.get(key).push({ what, at: Date.now(), run: runId });
    const response = this.#calls.getStore();
    if (response && !response.writableEnded) this.#open.set(runId, response);
  }

  /** Notes what happened in the body of a step. */
  noteStep(context, step, what = step) {
    this.note(context, what);
    if (!this.#steps.has(context.runId)) this.#steps.set(context.runId, new Set());
    this.#steps.get(context.runId).add(step);
  }

  /** The names of the steps of a run whose body ran. */
  stepsOf(runID) {
    return [...(this.#steps.get(runID) ?? [])];
  }

  /** Resolves when the call of the run in which something was noted last has been answered. */
  answered(runID) {
    const response = this.#open.get(runID);
    if (!response || response.writableFinished) return Promise.resolve();
    return new Promise((resolve) => { response.once("close", resolve); });
  }

  /** Answers the present call of the run like a process that breaks down; what the SDK does after is lost. */
  breakAnswer(runID) {
    const response = this.#open.get(runID);
    response.writeHead(500, { "content-type": "text/plain" }).end("broken down");
    for (const method of ["writeHead", "setHeader", "write", "end"]) response[method] = () => response;
    return new Promise(() => {});
  }

  /** A gate that steps of the key wait at: { opened, open() }. */
  gate(key) {
    if (!this.#gates.has(key)) {
      const gate = {};
      gate.opened = new Promise((resolve) => { gate.open = resolve; });
      this.#gates.set(key, gate);
    }
    return this.#gates.get(key);
  }

  /** Counts what is in the app at once, by each of the names, while body goes on. */
  async within(names, body) {
    const add = (name, n) => this.#inside.set(name, (this.#inside.get(name) ?? 0) + n).get(name);
    for (const name of names) this.most.set(name, Math.max(this.most.get(name) ?? 0, add(name, 1)));
    try {
      return await body();
    } finally {
      for (const name of names) add(name, -1);
    }
  }

  /** When it happened for the key, in order. */
  times(key, what) {
    return (this.#seen.get(key) ?? []).filter((s) => s.what === what).map((s) => s.at);
  }

  /** The different run ids seen for the key. */
  runs(key) {
    return [...new Set((this.#seen.get(key) ?? []).map((s) => s.run))];
  }

  watchedFetch() {
    return async (url, options) => {
      const answer = await fetch(url, options);
      this.answers.push({ url: String(url), status: answer.status });
      return answer;
    };
  }
}

/** Every function of the suite; each listens to the event "<lane>/<id>". */
function functions(app, lane, create) {
  const { NonRetriableError, RetryAfterError } = lane.sdk;
  const all = [];
  const add = (id, config, handler) => {
    const made = create({ id, ...config }, { event: `${lane.id}/${id}` }, handler);
    all.push(made);
    return made;
  };
  const stepOf = (context, id, value) => context.step.run(id, () => { app.noteStep(context, id); return value; });

  add("simple", { retries: 0 }, (context) => {
    app.note(context, "call");
    return { echo: context.event.data, attempt: context.attempt };
  });

  add("steps", { retries: 0 }, async (context) => {
    const first = await stepOf(context, "first", { n: 1, text: awkward });
    const second = await stepOf(context, "second", [first.n, 2, { deep: { x: null } }]);
    const third = await stepOf(context, "third", `length ${second.length}`);
    return { first, second, third };
  });

  add("sleep", { retries: 0 }, async (context) => {
    await stepOf(context, "before", 1);
    await context.step.sleep("nap", "1s");
    return stepOf(context, "after", "rested");
  });

  add("step-retry", { retries: 3 }, async (context) => {
    await stepOf(context, "kept", 1);
    return context.step.run("flaky", () => {
      app.noteStep(context, "flaky", `flaky ${context.attempt}`);
      if (context.attempt < 2) throw new Error("not yet");
      return context.attempt;
    });
  });

  add("retry-after", { retries: 3 }, async (context) => context.step.run("later", () => {
    app.noteStep(context, "later");
    if (context.attempt === 0) throw new RetryAfterError("in a moment", "3s");
    return "came";
  }));

  add("fn-retry", { retries: 3 }, async (context) => {
    const kept = await stepOf(context, "kept", "kept");
    app.note(context, `past the step ${context.attempt}`);
    if (context.attempt === 0) throw new Error("the function fails once");
    return kept;
  });

  add("exhausted", {
    retries: 1,
    onFailure: async ({ event, error, step, runId }) => step.run("report", () => {
      app.note({ event, runId }, error.message, `${event.data.event.data.key}/failure`);
      return "handled";
    }),
  }, async (context) => context.step.run("hopeless", () => {
    app.noteStep(context, "hopeless", `hopeless ${context.attempt}`);
    throw new Error(`hopeless at attempt ${context.attempt}`);
  }));

  add("final-step", { retries: 3 }, async (context) => context.step.run("no", () => {
    app.noteStep(context, "no", "step");
    throw new NonRetriableError("not again in the step");
  }));

  add("final-fn", { retries: 3 }, async (context) => {
    app.note(context, "call");
    throw new NonRetriableError("not again in the function");
  });

  add("parallel", { retries: 0 }, async (context) => {
    const parts = await Promise.all(["a", "b", "c"].map((name) => stepOf(context, name, `${name}!`)));
    return stepOf(context, "join", parts.join(""));
  });

  add("loop", { retries: 0 }, async (context) => {
    const got = [];
    for (let i = 0; i < 5; i++) {
      got.push(await context.step.run("same id", () => { app.note(context, `round ${i}`); return i * 10; }));
    }
    return got;
  });

  add("large", { retries: 0 }, async (context) => {
    let total = 0;
    for (let i = 0; i < bigSteps; i++) {
      total += (await stepOf(context, `big ${i}`, String.fromCharCode(97 + i).repeat(bigSize))).length;
    }
    await context.step.sleep("nap", "100ms"); // so that all of them must be read back
    return stepOf(context, "sum", total);
  });

  add("many", { retries: 0 }, async (context) => {
    const one = await stepOf(context, "one", context.event.data.i);
    await stepOf(context, "two", one);
    return one;
  });

  add("numbers", { retries: 0 }, async (context) => {
    app.note(context, "call");
    return context.step.run("pass on", () => context.event.data);
  });

  all.push(create({ id: "observer" }, { event: "inngest/function.finished" }, ({ event }) => {
    app.finished.set(event.data.run_id, event.data);
  }));
  for (const subject of subjects) subject.functions({ add, all, app, create, lane, stepOf });
  return all;
}
