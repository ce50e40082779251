// The scenarios, shared by every lane (a major of the SDK with its settings).
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { awkward, bigSize, bigSteps, startApp, subjects } from "./app.mjs";
import { eventually, startServer } from "./harness.mjs";
import { checkTrace } from "./trace.mjs";

const waitMS = 90_000; // for one run, on a machine that does many other things
const suiteMS = 240_000;

/**
 * Declares the tests of a lane: { id, sdk, serve, major, clientOptions, runComplete, metadataMiddleware, createDefer?, endpoints?, subscribe?, keys? }.
 * metadataMiddleware: of the SDK; it lets functions attach metadata.
 * createDefer, endpoints: of the SDK, where it has defers and durable endpoints.
 * subscribe: of the realtime package, where the SDK itself does not subscribe.
 * runComplete: the SDK ends runs by an opcode, for which the read API knows no output (Spec 04 §7.2).
 * keys: { signing, event } of a production server; without them it is a development server.
 */
export function suite(lane) {
  describe(lane.id, { concurrency: true, timeout: suiteMS }, () => {
    let server;
    let app;

    before(async () => {
      server = await startServer({ args: ["--retry-interval", "1"], keys: lane.keys });
      app = await startApp(lane, server);
    });
    after(async () => {
      await app?.close();
      await server?.stop();
      // A signal that nobody waits for is a 404 too; nothing else that the SDK asks for may be unknown.
      const unknown = app?.answers.filter(({ url, status }) => [404, 405, 501].includes(status) && !url.endsWith("/v1/signals"));
      assert.deepEqual(unknown ?? [], [], "the SDK asked for what the server does not serve");
    });

    const test = (name, body) => it(name, async () => {
      try {
        await body();
      } catch (error) {
        error.message += `\nlast output of the server:\n${server.log.slice(-4000)}`;
        throw error;
      }
    });

    const sawOnce = (key, ...whats) => {
      for (const what of whats) assert.equal(app.times(key, what).length, 1, `app saw "${what}" of ${key}`);
    };

    // The data of the event that told of the run's end.
    const finished = (runID) => eventually(`finished event of ${runID}`, waitMS, () => app.finished.get(runID));

    // Checks how a run ended in the server's eyes: its record, its trace with the steps that the app saw, and the event that it published.
    const checkEnd = async (run, key, status, result, { byOp = lane.runComplete } = {}) => {
      assert.equal(run.status, status, `status of run ${run.run_id}, output ${JSON.stringify(run.output)}`);
      assert.deepEqual(app.runs(key), [run.run_id], "runs that the app saw");
      await checkTrace(server, run, app.stepsOf(run.run_id));
      const told = await finished(run.run_id);
      assert.equal(told._inngest.status, status);
      if (result === undefined) return told;
      assert.deepEqual(told.result, result, "result in the finished event");
      checkOutput(run, result, byOp);
      return told;
    };

    const checkOutput = (run, result, byOp = lane.runComplete) => {
      if (!(byOp && run.output === "")) assert.deepEqual(run.output, result, "output of the run");
    };

    // Sends the event <lane>/<name> through the SDK and returns the id that the server gave it. Its runs start at ts, in ms.
    const send = async (name, data, ts = undefined) => {
      const { ids } = await app.client.send({ name: `${lane.id}/${name}`, data, ts });
      assert.equal(ids.length, 1);
      return ids[0];
    };

    // Waits for the one run of the event, checks it and returns what its finished event says.
    const settle = async (eventID, key, status, result, options) => checkEnd(await server.awaitRun(eventID, waitMS), key, status, result, options);

    // Sends one event, waits for its run and checks it.
    const finish = async (name, status, result, data = { key: name }, options = undefined) => {
      const eventID = await send(name, data);
      const run = await server.awaitRun(eventID, waitMS);
      await checkEnd(run, data.key, status, result, options);
      return { run, eventID };
    };

    // Waits until the app saw it.
    const seen = (key, what) => eventually(`${what} of ${key}`, waitMS, () => app.times(key, what).length > 0);

    // Does something again and again until the one run of the event has ended.
    const nudge = (eventID, push) => eventually(`end of the run of ${eventID}`, waitMS, async (saw) => {
      await push();
      const [run] = await server.read(`/v1/events/${eventID}/runs`);
      saw(run ? run.status : "no run yet");
      return run && run.status !== "Running" && run.status !== "Scheduled";
    });

    test("simple run", async () => {
      await finish("simple", "Completed", { echo: { key: "simple" }, attempt: 0 });
      sawOnce("simple", "call");
    });

    test("three steps with data", async () => {
      await finish("steps", "Completed", {
        first: { n: 1, text: awkward }, second: [1, 2, { deep: { x: null } }], third: "length 3",
      });
      sawOnce("steps", "first", "second", "third");
    });

    test("sleep", async () => {
      await finish("sleep", "Completed", "rested");
      sawOnce("sleep", "before", "after");
      const slept = app.times("sleep", "after")[0] - app.times("sleep", "before")[0];
      assert.ok(slept >= 1000, `slept only ${slept} ms`);
    });

    test("step fails twice, then succeeds", async () => {
      await finish("step-retry", "Completed", 2);
      sawOnce("step-retry", "kept", "flaky 0", "flaky 1", "flaky 2");
    });

    test("step asks for a retry after a time", async () => {
      await finish("retry-after", "Completed", "came");
      const tries = app.times("retry-after", "later");
      assert.equal(tries.length, 2);
      // Cut to the whole second: 3 s mean 2 to 3 s (Spec 01 §10.3).
      assert.ok(tries[1] - tries[0] >= 1900, `came again after ${tries[1] - tries[0]} ms`);
    });

    test("function fails once, keeps its steps", async () => {
      await finish("fn-retry", "Completed", "kept");
      sawOnce("fn-retry", "kept", "past the step 1");
      // Code between steps may run again: an SDK whose checkpoint was refused has already gone on.
      assert.ok(app.times("fn-retry", "past the step 0").length >= 1);
    });

    test("retries exhausted, failure handler runs", async () => {
      const { run } = await finish("exhausted", "Failed");
      assert.equal(run.output.message, "hopeless at attempt 1");
      sawOnce("exhausted", "hopeless 0", "hopeless 1");
      const [handler] = await eventually("failure handler", waitMS, () => {
        const runs = app.runs("exhausted/failure");
        return runs.length > 0 && runs;
      });
      const handled = await server.awaitRunID(handler, waitMS);
      // Runs started by a failure publish no event of their own (Spec 02 §17.1).
      assert.equal(handled.status, "Completed");
      checkOutput(handled, "handled");
      assert.deepEqual(app.runs("exhausted/failure"), [handler]);
      sawOnce("exhausted/failure", "hopeless at attempt 1");
    });

    test("non-retriable step", async () => {
      const { run } = await finish("final-step", "Failed");
      assert.equal(run.output.message, "not again in the step");
      sawOnce("final-step", "step");
    });

    test("non-retriable function", async () => {
      const { run } = await finish("final-fn", "Failed");
      assert.equal(run.output.message, "not again in the function");
      sawOnce("final-fn", "call");
    });

    test("parallel steps", async () => {
      await finish("parallel", "Completed", "a!b!c!");
      sawOnce("parallel", "a", "b", "c", "join");
    });

    test("loop over one step id", async () => {
      await finish("loop", "Completed", [0, 10, 20, 30, 40]);
      sawOnce("loop", ...[0, 1, 2, 3, 4].map((i) => `round ${i}`));
    });

    test("large state is fetched over the API", async () => {
      const { run } = await finish("large", "Completed", bigSteps * bigSize);
      sawOnce("large", "sum", ...Array.from({ length: bigSteps }, (_, i) => `big ${i}`));
      assert.ok(app.answers.some(({ url }) => url.includes(`/v0/runs/${run.run_id}/actions`)), "the SDK never fetched the steps");
    });

    test("100 concurrent runs", async () => {
      const count = 100;
      const events = Array.from({ length: count }, (_, i) => ({ name: `${lane.id}/many`, data: { key: `many ${i}`, i } }));
      const { ids } = await app.client.send(events);
      assert.equal(new Set(ids).size, count);
      await Promise.all(ids.map(async (id, i) => {
        await checkEnd(await server.awaitRun(id, waitMS), `many ${i}`, "Completed", i);
        sawOnce(`many ${i}`, "one", "two");
      }));
    });

    test("unicode and big numbers", async () => {
      const data = {
        key: "numbers", text: awkward, odd: { "": 1, "a.b": 2, "€": 3, "ключ": 4 },
        safe: Number.MAX_SAFE_INTEGER, huge: 12345678901234567890, large: 1e21, tiny: 1e-7, float: 0.1,
      };
      const { eventID } = await finish("numbers", "Completed", data, data);
      assert.ok(app.times("numbers", "call").length >= 1);
      assert.deepEqual((await server.read(`/v1/events/${eventID}`)).data, data);
    });

    test("integers that a double cannot hold are kept as sent", async () => {
      const body = `{"name":"${lane.id}/numbers","data":{"key":"exact","exact":9007199254740993,"huge":123456789012345678901234567890}}`;
      const answer = await (await fetch(`${server.url}/e/${lane.keys?.event ?? "test"}`, { method: "POST", body })).json();
      assert.equal(answer.status, 200);
      // The app sees what a double makes of them, and finds its call signed all the same.
      const seen = { key: "exact", exact: 9007199254740992, huge: 1.2345678901234568e29 };
      await checkEnd(await server.awaitRun(answer.ids[0], waitMS), "exact", "Completed", seen);
      const stored = await server.readText(`/v1/events/${answer.ids[0]}`);
      assert.match(stored, /"exact":\s*9007199254740993\b/);
      assert.match(stored, /"huge":\s*123456789012345678901234567890\b/);
    });

    if (lane.keys) {
      test("the SDK refuses a call that is not signed", async () => {
        const answer = await fetch(`${app.url}?fnId=${lane.id}-simple&stepId=step`, { method: "POST", body: "{}" });
        assert.equal(answer.status, 401);
      });
    }

    const world = {
      lane, test, waitMS, sawOnce, finished, checkEnd, send, start: send, settle, finish, seen, nudge,
      get app() { return app; },
      get server() { return server; },
    };
    for (const subject of subjects) subject.scenarios(world);
  });
}
