// Sleeps, waits, timeouts and schedules over days.
import assert from "node:assert/strict";
import { day, hour, margin } from "./days-app.mjs";

const zone = "Europe/Berlin";

/** How far the zone is ahead of UTC, in ms. */
function offset(at) {
  const parts = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" }).formatToParts(at);
  const [, hours, minutes] = /^GMT\+(\d\d):(\d\d)$/.exec(parts.find(({ type }) => type === "timeZoneName").value);
  return (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** Half past nine in the zone, so many days after the day of UTC. The clocks change early in the morning. */
function morning(at, after) {
  const local = Math.floor(at / day) * day + after * day + 9.5 * hour;
  return local - offset(local);
}

/** The morning of the next change of clocks that is more than a week away. */
function changeOfClocks(now) {
  for (let after = 8; after < 374; after++) {
    const at = morning(now, after);
    if (offset(at) !== offset(morning(now, after - 1))) return at;
  }
  throw new Error("the clocks do not change any more");
}

/** A schedule ticks on one day and on the next, counted from a change of clocks, not before either and not in between. */
const ticks = async (d, cron, days, apart) => {
  d.add("timed", {}, (context, app) => { app.note(context, context.event.data.scheduledAt, "timed"); }, { cron });
  await d.register();
  const change = changeOfClocks(await d.server.now());
  const [first, second] = days.map((after) => morning(change, after));
  assert.ok(apart.includes(second - first), `the ticks are ${second - first} ms apart`);
  const text = (at) => new Date(at).toISOString().replace(".000", "");
  await d.to(first - margin); // of the ticks that were missed on the way the latest comes late
  assert.equal(d.count("timed", text(first)), 0);
  await d.to(first + margin);
  await d.seen("timed", text(first));
  const before = d.app.runs("timed").length;
  await d.to(second - margin);
  assert.equal(d.app.runs("timed").length, before, "ticks in between");
  await d.to(second + margin);
  await d.seen("timed", text(second));
  await d.quiet();
  assert.equal(d.app.runs("timed").length, before + 1, "ticks");
  for (const at of [first, second]) assert.equal(d.count("timed", text(at)), 1);
};

export const timeScenarios = {
  "a schedule of every day over a change of clocks": (d) => ticks(d, `TZ=${zone} 30 9 * * *`, [-1, 0], [23 * hour, 25 * hour]),

  // The clocks change on Sundays.
  "a schedule of every week, over the same": (d) => ticks(d, `TZ=${zone} 30 9 * * 1`, [-6, 1], [7 * day - hour, 7 * day + hour]),

  "an event with a time in a month": async (d) => {
    const name = "planned";
    d.addSingle(name, {});
    await d.register();
    const begin = await d.mark();
    const id = await d.send(name, { key: name, group: "g", n: 1 }, { ts: begin + 30 * day });
    await d.before(30 * day);
    assert.deepEqual(d.ran(name, "g", 1), []);
    await d.past(30 * day);
    await d.ends(id);
    assert.deepEqual(d.ran(name, "g", 1), [1]);
  },

  "sleep for a year, and until a day in a year": async (d) => {
    const begin = await d.mark();
    d.addNap("sleep", {}, "365d");
    d.addNap("sleep-until", {}, new Date(begin + 365 * day));
    await d.register();
    const ids = [await d.nap("sleep", 1), await d.nap("sleep-until", 1)];
    await d.before(365 * day);
    for (const id of ids) await d.goesOn(id);
    for (const key of ["sleep 1", "sleep-until 1"]) assert.equal(d.count(key, "after"), 0);
    await d.past(365 * day);
    for (const id of ids) await d.ends(id);
    for (const key of ["sleep 1", "sleep-until 1"]) assert.deepEqual([d.count(key, "before"), d.count(key, "after")], [1, 1]);
  },

  "wait for an event for a month": async (d) => {
    const name = "wait";
    d.add(name, {}, async (context, app) => {
      const { step } = context;
      await step.run("before", () => { app.noteStep(context, "before"); });
      const got = await step.waitForEvent("wait", {
        event: `${d.lane.id}/wait.go`, timeout: "30d", if: "async.data.key == event.data.key",
      });
      await step.run("after", () => { app.note(context, `after ${got?.data.key}`); });
    });
    await d.register();
    await d.mark();
    const first = await d.nap(name, 1);
    const second = await d.nap(name, 2);
    await d.before(30 * day);
    await d.goesOn(first);
    await d.goesOn(second);
    await d.send("wait.go", { key: "wait 2" });
    await d.ends(second);
    assert.equal(d.count("wait 2", "after wait 2"), 1);
    await d.goesOn(first);
    await d.past(30 * day);
    await d.ends(first);
    assert.equal(d.count("wait 1", "after undefined"), 1);
  },

  "invoke with a timeout of a month": async (d) => {
    const name = "invoke";
    const child = d.lane.sdk.referenceFunction({ appId: d.lane.id, functionId: "child" });
    d.addNap("child", {}, "60d");
    d.add(name, {}, async (context, app) => {
      let got = "in time";
      try {
        await context.step.invoke("call", { function: child, data: { key: "child" }, timeout: "30d" });
      } catch {
        got = "too late";
      }
      await context.step.run("got", () => { app.note(context, got); });
    });
    await d.register();
    await d.mark();
    const id = await d.send(name, { key: name });
    const [run] = await d.seen("child", "before");
    await d.before(30 * day);
    await d.goesOn(id);
    await d.past(30 * day);
    await d.ends(id);
    assert.deepEqual([d.count(name, "too late"), d.count(name, "in time")], [1, 0]);
    await d.before(60 * day);
    assert.equal(d.count("child", "after"), 0);
    await d.past(60 * day); // the child goes on without its parent
    await d.endsRun(run);
  },

  "an event cancels for so many days": async (d) => {
    const name = "cancellable";
    const event = `${d.lane.id}/cancel.now`;
    d.addNap(name, { cancelOn: [{ event, if: "async.data.key == event.data.key", timeout: "3d" }] }, "10d");
    await d.register();
    await d.mark();
    const first = await d.nap(name, 1);
    const second = await d.nap(name, 2);
    await d.before(3 * day);
    await d.send("cancel.now", { key: `${name} 1` });
    await d.ends(first, "Cancelled");
    await d.past(3 * day);
    await d.send("cancel.now", { key: `${name} 2` });
    await d.quiet();
    await d.goesOn(second);
    await d.before(10 * day);
    await d.goesOn(second);
    await d.past(10 * day);
    await d.ends(second);
    assert.equal(d.count(`${name} 1`, "after"), 0);
  },

  "cancelled when it has not started for days": async (d) => {
    const name = "start-timeout";
    d.addSingle(name, { timeouts: { start: "2d" }, throttle: { limit: 1, period: "4d" } });
    await d.register();
    await d.mark();
    await d.ends(await d.one(name, "g", 1));
    const second = await d.one(name, "g", 2);
    await d.before(2 * day);
    await d.goesOn(second);
    await d.past(2 * day);
    await d.ends(second, "Cancelled");
    await d.past(5 * day);
    assert.deepEqual(d.ran(name, "g", 1, 2), [1]);
  },

  "cancelled when it has gone on for days": async (d) => {
    const name = "finish-timeout";
    d.addNap(name, { timeouts: { finish: "3d" } }, "10d");
    await d.register();
    await d.mark();
    const id = await d.nap(name, 1);
    await d.before(3 * day);
    await d.goesOn(id);
    await d.past(3 * day);
    await d.ends(id, "Cancelled");
    await d.past(11 * day);
    assert.equal(d.count(`${name} 1`, "after"), 0);
  },

  "step asks for a retry in a day": async (d) => {
    const name = "retry";
    d.add(name, { retries: 3 }, (context, app) => context.step.run("later", () => {
      app.note(context, "later");
      if (context.attempt === 0) throw new d.lane.sdk.RetryAfterError("tomorrow", "24h");
    }));
    await d.register();
    await d.mark();
    const id = await d.send(name, { key: name });
    await d.seen(name, "later");
    await d.before(day);
    await d.goesOn(id);
    assert.equal(d.count(name, "later"), 1);
    await d.past(day);
    await d.ends(id);
    assert.equal(d.count(name, "later"), 2);
  },
};
