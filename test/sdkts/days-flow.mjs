// Flow control over days.
import assert from "node:assert/strict";
import { day, hour, margin } from "./days-app.mjs";

const key = "event.data.group";

/** Of a function's events one of a kind is admitted a day. send sends the n-th one and returns its id. */
const admitsAfterADay = async (d, name, send) => {
  await d.register();
  await d.mark();
  await d.ends(await send(1));
  await d.before(day);
  const refused = await send(2);
  await d.quiet();
  await d.startedNothing(refused);
  await d.past(day);
  await d.ends(await send(3));
  assert.deepEqual(d.ran(name, "g", 1, 2, 3), [1, 3]);
};

export const flowScenarios = {
  "debounce of a week": async (d) => {
    const name = "debounce";
    d.addSingle(name, { debounce: { period: "7d" } });
    await d.register();
    await d.mark();
    await d.one(name, "g", 1);
    await d.before(7 * day);
    assert.deepEqual(d.ran(name, "g", 1), []);
    await d.mark();
    await d.one(name, "g", 2); // begins the week anew
    await d.before(7 * day);
    assert.deepEqual(d.ran(name, "g", 1, 2), []);
    await d.past(7 * day);
    await d.seen(`${name} 2`, "call");
    await d.past(30 * day);
    assert.deepEqual(d.ran(name, "g", 1, 2), [2]);
  },

  "debounce by a key waits for its timeout at most": async (d) => {
    const name = "debounce";
    d.addSingle(name, { debounce: { period: "2d", timeout: "5d", key } });
    await d.register();
    await d.mark();
    await d.one(name, "a", 1);
    await d.one(name, "b", 2);
    await d.before(2 * day);
    assert.deepEqual(d.ran(name, "b", 2), []);
    await d.one(name, "a", 3);
    await d.past(2 * day);
    await d.seen(`${name} 2`, "call");
    await d.before(4 * day - margin);
    await d.one(name, "a", 4); // by its period it would be due on the sixth day
    await d.before(5 * day);
    assert.deepEqual(d.ran(name, "a", 1, 3, 4), []);
    await d.past(5 * day);
    await d.seen(`${name} 4`, "call");
    await d.past(30 * day);
    assert.deepEqual([d.ran(name, "a", 1, 3, 4), d.ran(name, "b", 2)], [[4], [2]]);
  },

  "batch by a key and a condition waits for hours": async (d) => {
    const name = "batch";
    d.add(name, { batchEvents: { maxSize: 10, timeout: "2h", key, if: "event.data.batch == true" } }, (context, app) => {
      app.note(context, String(context.events.map(({ data }) => data.n).sort()));
    });
    await d.register();
    const send = (group, n, batch) => d.send(name, { key: `${name} ${group}`, group, n, batch });
    await d.mark();
    await send("a", 1, true);
    await send("b", 2, true);
    await d.ends(await send("alone", 3, false));
    assert.equal(d.count(`${name} alone`, "3"), 1);
    await d.before(2 * hour);
    assert.deepEqual([d.app.runs(`${name} a`), d.app.runs(`${name} b`)], [[], []]);
    await send("a", 4, true); // the time is that of the first
    await d.past(2 * hour);
    assert.equal((await d.seen(`${name} a`, "1,4")).length, 1);
    assert.equal((await d.seen(`${name} b`, "2")).length, 1);
  },

  "rate limit of a day": async (d) => {
    const name = "rate-limit";
    d.addSingle(name, { rateLimit: { limit: 1, period: "24h", key } });
    await admitsAfterADay(d, name, (n) => d.one(name, "g", n));
  },

  "idempotency ends after a day": async (d) => {
    const name = "idempotency";
    d.addSingle(name, { idempotency: key });
    await admitsAfterADay(d, name, (n) => d.one(name, "g", n));
  },

  "an event's id counts for a day": async (d) => {
    const name = "event-id";
    d.addSingle(name, {});
    await admitsAfterADay(d, name, (n) => d.send(name, { key: `${name} ${n}`, group: "g", n }, { id: "the same" }));
  },

  "throttle of a day with a burst": async (d) => {
    const name = "throttle";
    d.addSingle(name, { throttle: { limit: 1, burst: 1, period: "24h", key } });
    await d.register();
    await d.mark();
    await d.ends(await d.one(name, "a", 1));
    await d.ends(await d.one(name, "a", 2)); // the burst
    const third = await d.one(name, "a", 3);
    await d.ends(await d.one(name, "b", 4));
    await d.before(day);
    assert.deepEqual(d.ran(name, "a", 1, 2, 3), [1, 2]);
    await d.past(day);
    await d.ends(third);
    const fourth = await d.one(name, "a", 5);
    await d.before(2 * day);
    assert.deepEqual(d.ran(name, "a", 1, 2, 3, 5), [1, 2, 3]);
    await d.past(2 * day);
    await d.ends(fourth);
  },

  "a run that sleeps for days takes no capacity": async (d) => {
    const name = "concurrency";
    d.addNap(name, { concurrency: { limit: 1 } }, "3d");
    await d.register();
    await d.mark();
    const ids = [await d.nap(name, 1), await d.nap(name, 2)];
    await d.before(3 * day);
    for (const n of [1, 2]) assert.equal(d.count(`${name} ${n}`, "after"), 0);
    await d.past(3 * day);
    for (const id of ids) await d.ends(id);
  },

  "singleton skips while a run sleeps for days": async (d) => {
    const name = "singleton";
    d.addNap(name, { singleton: { key, mode: "skip" } }, "3d");
    await d.register();
    await d.mark();
    const first = await d.nap(name, 1);
    await d.before(3 * day);
    await d.ends(await d.one(name, "g", 2), "Skipped");
    await d.goesOn(first);
    await d.past(3 * day);
    await d.ends(first);
    await d.mark();
    const third = await d.nap(name, 3);
    await d.before(3 * day);
    await d.goesOn(third);
    await d.past(3 * day);
    await d.ends(third);
    assert.equal(d.count(`${name} 2`, "before"), 0);
  },

  "singleton cancels a run that sleeps for days": async (d) => {
    const name = "singleton";
    d.addNap(name, { singleton: { key, mode: "cancel" } }, "3d");
    await d.register();
    await d.mark();
    const first = await d.nap(name, 1);
    await d.before(2 * day);
    await d.goesOn(first);
    await d.mark();
    const second = await d.nap(name, 2);
    await d.ends(first, "Cancelled");
    await d.before(3 * day); // the nap of the first would be over
    for (const n of [1, 2]) assert.equal(d.count(`${name} ${n}`, "after"), 0);
    await d.past(3 * day);
    await d.ends(second);
    assert.equal(d.count(`${name} 1`, "after"), 0);
  },

  "a run of low priority is half a day late": async (d) => {
    const name = "priority";
    d.addSingle(name, { priority: { run: "event.data.priority" } });
    await d.register();
    await d.mark();
    const late = await d.one(name, "g", 1, { priority: -12 * 60 * 60 });
    await d.ends(await d.one(name, "g", 2, { priority: 0 }));
    await d.before(12 * hour);
    assert.deepEqual(d.ran(name, "g", 1, 2), [2]);
    await d.past(12 * hour);
    await d.ends(late);
  },
};
