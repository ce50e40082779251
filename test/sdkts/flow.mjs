// Flow control: batches, debounces, rate limits, idempotency, singletons.
import assert from "node:assert/strict";
import { eventually } from "./harness.mjs";

const never = "10m"; // longer than a test lasts

export function functions({ add, app, lane }) {
  // A batch is noted under the key of its first event; it returns what is in it.
  const batch = (id, batchEvents) => add(id, { retries: 0, batchEvents }, ({ event, events, runId }) => {
    app.note({ event, runId }, "call");
    assert.deepEqual(event, events[0], "event is the first of events");
    return events.map(({ data }) => data.n).sort();
  });
  batch("batch-full", { maxSize: 3, timeout: never });
  batch("batch-slow", { maxSize: 3, timeout: never });
  batch("batch-timeout", { maxSize: 10, timeout: "1s" });
  batch("batch-key", { maxSize: 2, timeout: never, key: "event.data.group" });
  batch("batch-if", { maxSize: 2, timeout: never, if: "event.data.batch == true" });

  // What runs of one event tell is the number of the event, under its group.
  const single = (id, config) => add(id, { retries: 0, ...config }, (context) => {
    app.note(context, `call ${context.event.data.n}`, `${id} ${context.event.data.group}`);
    app.note(context, "call");
    return context.event.data.n;
  });
  single("debounce", { debounce: { period: "1s" } });
  single("debounce-key", { debounce: { period: "1s", key: "event.data.group" } });
  single("debounce-timeout", { debounce: { period: "60s", timeout: "2s" } });
  single("rate-limit", { rateLimit: { limit: 1, period: "24h", key: "event.data.group" } });
  single("idempotency", { idempotency: "event.data.id" });

  const [skips] = ["skip", "cancel"].map((mode) => (
    add(`singleton-${mode}`, { retries: 0, singleton: { key: "event.data.group", mode } }, async (context) => {
      await Promise.all([
        context.step.waitForEvent("wait", { event: `${lane.id}/singleton.go`, timeout: "120s", match: "data.key" }),
        context.step.run("armed", () => { app.noteStep(context, "armed"); }),
      ]);
      return context.step.run("after", () => { app.noteStep(context, "after"); return context.event.data.n; });
    })));

  const parent = (id, child) => add(id, { retries: 0 }, async (context) => {
    const { key, group, n } = context.event.data;
    app.note(context, "call");
    try {
      return { result: await context.step.invoke("call", { function: child, data: { key: `${group}/child`, group, n } }) };
    } catch (error) {
      return { caught: error.message, by: key };
    }
  });
  parent("invoke-singleton", skips);
  parent("invoke-batch", batch("invoked-batch", { maxSize: 2, timeout: never }));
  parent("invoke-limited", single("invoked-limited", { rateLimit: { limit: 1, period: "24h", key: "event.data.group" } }));
}

export function scenarios(world) {
  const { finish, send, sawOnce, seen, settle, test, waitMS } = world;

  // Sends the data of many events in one request and returns their ids.
  const sendAll = async (name, all, ts = () => undefined) => {
    const { ids } = await world.app.client.send(all.map((data, i) => ({ name: `${world.lane.id}/${name}`, data, ts: ts(i) })));
    assert.equal(ids.length, all.length);
    return ids;
  };

  // Waits for the runs whose first event has the key, no more and no less, and returns their results.
  const batches = async (key, count) => {
    const runs = await eventually(`${count} batches of ${key}`, waitMS, (saw) => {
      saw(world.app.runs(key).join());
      return world.app.runs(key).length >= count && world.app.runs(key);
    });
    const results = await Promise.all(runs.map(async (run) => {
      assert.equal((await world.server.awaitRunID(run, waitMS)).status, "Completed");
      return (await world.finished(run)).result;
    }));
    assert.equal(world.app.times(key, "call").length, count, `batches of ${key}`);
    return results;
  };

  // The runs that the app saw for a group of a function: the numbers of their events, in order.
  const calls = (name, group) => [1, 2, 3, 4, 5]
    .flatMap((n) => world.app.times(`${name} ${group}`, `call ${n}`).map((at) => ({ n, at })))
    .sort((a, b) => a.at - b.at).map(({ n }) => n);

  test("a batch starts when it is full, and what is over goes into the next", async () => {
    const key = "batch-full";
    await sendAll(key, [1, 2, 3, 4].map((n) => ({ key, n })));
    const [first] = await batches(key, 1);
    await sendAll(key, [5, 6].map((n) => ({ key, n })));
    const [again, second] = await batches(key, 2);
    assert.deepEqual(again, first);
    assert.deepEqual([first.length, second.length], [3, 3]);
    assert.deepEqual([...first, ...second].sort(), [1, 2, 3, 4, 5, 6]);
  });

  test("a batch that fills up slowly starts when it is full", async () => {
    const key = "batch-slow";
    for (const n of [1, 2, 3]) await send(key, { key, n });
    assert.deepEqual(await batches(key, 1), [[1, 2, 3]]);
  });

  test("a batch starts when its time is up", async () => {
    const key = "batch-timeout";
    const sent = Date.now();
    await sendAll(key, [1, 2].map((n) => ({ key, n })));
    assert.deepEqual(await batches(key, 1), [[1, 2]]);
    const took = world.app.times(key, "call")[0] - sent;
    assert.ok(took >= 1000, `started after ${took} ms`);
  });

  test("each key has its batch", async () => {
    await sendAll("batch-key", [1, 2, 3, 4].map((n) => ({ key: `batch-key ${n % 2}`, group: n % 2, n })));
    assert.deepEqual(await batches("batch-key 1", 1), [[1, 3]]);
    assert.deepEqual(await batches("batch-key 0", 1), [[2, 4]]);
  });

  test("what a batch is not for runs alone, at once", async () => {
    const key = "batch-if";
    await send(key, { key, batch: true, n: 1 });
    await settle(await send(key, { key: `${key} alone`, n: 2 }), `${key} alone`, "Completed", [2]);
    assert.deepEqual(world.app.runs(key), [], "the batch is not full");
    await send(key, { key, batch: true, n: 3 });
    assert.deepEqual(await batches(key, 1), [[1, 3]]);
  });

  test("a debounce runs once, with the last event", async () => {
    const name = "debounce";
    const sent = Date.now();
    await sendAll(name, [3, 1, 2].map((n) => ({ key: `debounce ${n}`, group: "g", n })), (i) => sent - 1000 + [3, 1, 2][i]);
    await seen("debounce 3", "call");
    assert.ok(world.app.times("debounce 3", "call")[0] - sent >= 1000, "it came before its time");
    // A debounce later, what should not have run would have.
    const last = await send(name, { key: "debounce 4", group: "g", n: 4 });
    await settle(last, "debounce 4", "Completed", 4);
    assert.deepEqual(calls(name, "g"), [3, 4]);
  });

  test("each key is debounced by itself", async () => {
    const name = "debounce-key";
    const sent = Date.now() - 1000;
    await sendAll(name, [1, 2, 3, 4].map((n) => ({ key: `${name} ${n}`, group: n % 2, n })), (i) => sent + i);
    await Promise.all([3, 4].map((n) => seen(`${name} ${n}`, "call")));
    await settle(await send(name, { key: `${name} 5`, group: 1, n: 5 }), `${name} 5`, "Completed", 5);
    assert.deepEqual([calls(name, 1), calls(name, 0)], [[3, 5], [4]]);
  });

  test("a debounce waits for its timeout at the longest", async () => {
    const name = "debounce-timeout";
    const sent = Date.now();
    for (const n of [1, 2]) await send(name, { key: `${name} ${n}`, group: "g", n }, sent - 1000 + n);
    await seen(`${name} 2`, "call");
    const took = world.app.times(`${name} 2`, "call")[0] - sent;
    assert.ok(took >= 2000 && took < 60_000, `run ${took} ms after the first event`);
    assert.deepEqual(calls(name, "g"), [2]);
  });

  test("over the rate limit events are dropped", async () => {
    const name = "rate-limit";
    const one = (n, group) => ({ key: `${name} ${n}`, group, n });
    await finish(name, "Completed", 1, one(1, "a"));
    const dropped = await send(name, one(2, "a"));
    await finish(name, "Completed", 3, one(3, "b"));
    assert.deepEqual([calls(name, "a"), calls(name, "b")], [[1], [3]]);
    assert.deepEqual(await world.server.read(`/v1/events/${dropped}/runs`), []);
  });

  test("idempotency runs once for a value", async () => {
    const name = "idempotency";
    const one = (n, id) => ({ key: `${name} ${n}`, group: "g", id, n });
    await finish(name, "Completed", 1, one(1, "a"));
    const dropped = await send(name, one(2, "a"));
    await finish(name, "Completed", 3, one(3, "b"));
    // Without a value there is nothing to tell them apart by: all run.
    await finish(name, "Completed", 4, one(4));
    await finish(name, "Completed", 5, one(5));
    assert.deepEqual(calls(name, "g"), [1, 3, 4, 5]);
    assert.deepEqual(await world.server.read(`/v1/events/${dropped}/runs`), []);
  });

  const arm = async (name, n, group) => {
    const key = `${name} ${n}`;
    const id = await send(name, { key, group, n });
    await seen(key, "armed");
    return { key, id, n };
  };
  const release = async ({ key, id, n }) => {
    await send("singleton.go", { key });
    await settle(id, key, "Completed", n);
    sawOnce(key, "armed", "after");
  };

  test("a singleton skips what comes while it runs", async () => {
    const name = "singleton-skip";
    const first = await arm(name, 1, "a");
    const skipped = await world.server.awaitRun(await send(name, { key: `${name} 2`, group: "a", n: 2 }), waitMS);
    assert.equal(skipped.status, "Skipped");
    assert.deepEqual(skipped.output, { skipReason: "Singleton" });
    const other = await arm(name, 3, "b");
    await release(first);
    await release(other);
    await release(await arm(name, 4, "a"));
    assert.deepEqual(world.app.runs(`${name} 2`), [], "it was called");
  });

  test("a singleton cancels what runs when the next comes", async () => {
    const name = "singleton-cancel";
    const first = await arm(name, 1, "a");
    const other = await arm(name, 2, "b");
    const second = await arm(name, 3, "a");
    await settle(first.id, first.key, "Cancelled");
    await send("singleton.go", { key: first.key }); // too late
    await release(second);
    await release(other);
    assert.equal(world.app.times(first.key, "after").length, 0, "the cancelled run went on");
  });

  test("all who invoke a batch get its result", async () => {
    const name = "invoke-batch";
    const ids = await sendAll(name, [1, 2].map((n) => ({ key: `${name} ${n}`, group: name, n })));
    await Promise.all(ids.map((id, i) => settle(id, `${name} ${i + 1}`, "Completed", { result: [1, 2] })));
    assert.deepEqual(await batches(`${name}/child`, 1), [[1, 2]]);
  });

  test("who invokes a function over its rate limit is told", async () => {
    const name = "invoke-limited";
    await finish(name, "Completed", { result: 1 }, { key: `${name} 1`, group: name, n: 1 });
    await finish(name, "Completed", { caught: "invoked function is rate limited", by: `${name} 2` }, { key: `${name} 2`, group: name, n: 2 });
    assert.deepEqual(calls("invoked-limited", name), [1]);
  });

  test("who invokes a singleton that runs already is told", async () => {
    const name = "invoke-singleton";
    const first = await arm("singleton-skip", 5, name);
    const caught = "invoked function was not started: another run of it is in progress";
    await finish(name, "Completed", { caught, by: name }, { key: name, group: name, n: 6 });
    await release(first);
    assert.deepEqual(world.app.runs(`${name}/child`), [], "it was called");
  });
}
