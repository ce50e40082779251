// Limits: concurrency, priority, throttle.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "./harness.mjs";

const betweenMS = 100; // that a call stays in the app, so that others would meet it there
const clocksMS = 5; // that the clocks of the server and of the test may differ by

export function functions({ add, app }) {
  // Takes its time in each of two steps.
  const passes = (id, config) => add(id, { retries: 0, ...config }, async (context) => {
    for (const name of ["first", "second"]) {
      await context.step.run(name, () => app.within([id], async () => {
        app.noteStep(context, name);
        await sleep(betweenMS);
      }));
    }
    return context.event.data.n;
  });
  // Stays in the app until the gate of its event, if it has one, is open.
  const waits = (id, config) => add(id, { retries: 0, ...config }, (context) => {
    const { gate, group, n } = context.event.data;
    return app.within([id, `${id} ${group}`], async () => {
      app.note(context, "call");
      app.note(context, "call", `${id} in order`);
      if (gate) await app.gate(gate).opened;
      return n;
    });
  });
  const key = "event.data.group";
  passes("concurrency", { concurrency: 1 });
  waits("concurrency-key", { concurrency: { limit: 1, key } });
  waits("concurrency-two", { concurrency: [{ limit: 1, key }, { limit: 2 }] });
  waits("priority", { concurrency: [{ limit: 1 }], priority: { run: "event.data.priority" } });
  passes("throttle", { throttle: { limit: 1, period: "1s" } });
  passes("throttle-burst", { throttle: { limit: 1, period: "24h", burst: 1, key } });
}

export function scenarios(world) {
  const { finish, send, seen, settle, test, waitMS } = world;
  const one = (name, group, n, more = {}) => ({ key: `${name} ${n}`, group, n, ...more });

  // Sends the events one by one and returns their ids when each of them has its run.
  const start = async (name, all) => {
    const ids = [];
    for (const data of all) {
      const id = await send(name, data);
      await eventually(`run of ${data.key}`, waitMS, async () => (await world.server.read(`/v1/events/${id}/runs`)).length === 1);
      ids.push(id);
    }
    return ids;
  };
  // Waits until the events' runs, which are numbered from 1 on, have come to their ends.
  const end = (name, ids) => Promise.all(ids.map((id, i) => settle(id, `${name} ${i + 1}`, "Completed", i + 1)));
  // Opens the gate of the name when the body has ended, however it did.
  const gated = async (name, body) => {
    try {
      return await body({ gate: name });
    } finally {
      world.app.gate(name).open();
    }
  };

  test("concurrency: never more at once than the limit", async () => {
    const name = "concurrency";
    await end(name, await start(name, [1, 2, 3, 4].map((n) => one(name, "g", n))));
    assert.equal(world.app.most.get(name), 1);
  });

  test("concurrency: a key at its limit holds up no other", async () => {
    const name = "concurrency-key";
    const ids = await gated(name, async (gate) => {
      const sent = await start(name, [1, 2].map((n) => one(name, "a", n, gate)));
      await seen(`${name} 1`, "call");
      await finish(name, "Completed", 3, one(name, "b", 3)); // while the first of the other key is in the app
      assert.deepEqual(world.app.runs(`${name} 2`), []);
      return sent;
    });
    await end(name, ids);
    assert.equal(world.app.most.get(`${name} a`), 1);
  });

  test("concurrency: of two limits both hold", async () => {
    const name = "concurrency-two";
    const ids = await gated(name, async (gate) => {
      const sent = await start(name, ["a", "a", "b", "c"].map((group, i) => one(name, group, i + 1, gate)));
      await Promise.all([1, 3].map((n) => seen(`${name} ${n}`, "call")));
      return sent;
    });
    await end(name, ids);
    assert.deepEqual([world.app.most.get(name), world.app.most.get(`${name} a`)], [2, 1]);
  });

  test("priority: the number of an event orders the runs", async () => {
    const name = "priority";
    const ids = await gated(name, async (gate) => {
      const first = await start(name, [one(name, "g", 1, gate)]);
      await seen(`${name} 1`, "call");
      return [...first, ...await start(name, [0, 50.5, 100, 0].map((priority, i) => one(name, "g", i + 2, { priority })))];
    });
    await end(name, ids);
    const order = world.app.runs(`${name} in order`);
    const runs = [1, 4, 3, 2, 5].map((n) => world.app.runs(`${name} ${n}`)[0]);
    assert.deepEqual(order, runs);
  });

  test("throttle: starts are a period apart", async () => {
    const name = "throttle";
    const sent = Date.now();
    await end(name, await start(name, [1, 2, 3].map((n) => one(name, "g", n))));
    const starts = [1, 2, 3].map((n) => world.app.times(`${name} ${n}`, "first")[0] - sent).sort((a, b) => a - b);
    // A start may come to the app late, never early: each is measured from when the first could have been.
    starts.forEach((after, n) => assert.ok(after >= n * 1000 - clocksMS, `starts after ${starts} ms`));
  });

  test("throttle: a burst goes at once, and so do steps", async () => {
    const name = "throttle-burst";
    await end(name, await start(name, [1, 2].map((n) => one(name, "a", n))));
    await start(name, [one(name, "a", 3)]); // for tomorrow
    await finish(name, "Completed", 4, one(name, "b", 4));
    assert.deepEqual(world.app.runs(`${name} 3`), []);
  });
}
