// Waits for events.
import assert from "node:assert/strict";

const long = "120s"; // longer than a test lasts

export function functions({ add, lane, stepOf }) {
  const event = `${lane.id}/wait.go`;

  add("wait-alone", { retries: 0 }, async (context) => {
    const got = await context.step.waitForEvent("wait", { event, timeout: long, match: "data.key" });
    return stepOf(context, "after", { name: got.name, key: got.data.key });
  });

  // The step beside the wait runs only once the server keeps the wait (Spec 02 §8.1): from then on events count.
  add("wait-if", { retries: 0 }, async (context) => {
    const [got, beside] = await Promise.all([
      context.step.waitForEvent("wait", {
        event, timeout: long, if: "async.data.key == event.data.key && async.data.n > event.data.least",
      }),
      stepOf(context, "armed", "beside"),
    ]);
    return { n: got.data.n, beside };
  });

  add("wait-many", { retries: 0 }, async (context) => {
    const [got] = await Promise.all([
      context.step.waitForEvent("wait", { event, timeout: long, match: "data.group" }),
      stepOf(context, "armed", 1),
    ]);
    return got.data.n;
  });

  // Whichever comes first; major 4 has to be told that the others need not be awaited. The wait is short because that
  // major reports it once more beside the next step, and the two are then waited for together (Spec 02 §8.1).
  add("wait-race", { retries: 0 }, async (context) => {
    const { group, step } = context;
    const race = () => Promise.race([
      step.waitForEvent("wait", { event, timeout: "5s", match: "data.key" }).then(() => "event"),
      step.sleep("nap", "1s").then(() => "nap"),
    ]);
    const first = lane.major === 4 ? await group.parallel({ mode: "race" }, race) : await race();
    return stepOf(context, `after ${first}`, first);
  });

  add("wait-timeout", { retries: 0 }, async (context) => {
    await stepOf(context, "before", 1);
    const got = await context.step.waitForEvent("wait", { event, timeout: "1s", match: "data.key" });
    return stepOf(context, "after", { got });
  });
}

export function scenarios(world) {
  const { finish, nudge, sawOnce, seen, send, settle, start, test } = world;

  test("wait for an event", async () => {
    const key = "wait-alone";
    const eventID = await start("wait-alone", { key });
    // Nothing tells the app when the wait is kept: until then, events are not for it.
    await nudge(eventID, () => send("wait.go", { key }));
    await settle(eventID, key, "Completed", { name: `${world.lane.id}/wait.go`, key });
    sawOnce(key, "after");
  });

  test("wait for an event beside a step: those that do not match are ignored", async () => {
    const key = "wait-if";
    const eventID = await start("wait-if", { key, least: 5 });
    await seen(key, "armed");
    await send("wait.go", { key: "of another run", n: 7 });
    await send("wait.go", { key, n: 5 });
    await send("wait.other", { key, n: 8 });
    await send("wait.go", { key, n: 9 });
    await settle(eventID, key, "Completed", { n: 9, beside: "beside" });
    sawOnce(key, "armed");
  });

  test("one event resumes every run that waits for it", async () => {
    const keys = Array.from({ length: 20 }, (_, i) => `wait-many ${i}`);
    const ids = await Promise.all(keys.map((key) => start("wait-many", { key, group: "g" })));
    const other = await start("wait-many", { key: "wait-many other", group: "h" });
    await Promise.all([...keys, "wait-many other"].map((key) => seen(key, "armed")));
    await send("wait.go", { key: "nobody", group: "g", n: 1 });
    await Promise.all(keys.map((key, i) => settle(ids[i], key, "Completed", 1)));
    await send("wait.go", { key: "nobody", group: "h", n: 2 });
    await settle(other, "wait-many other", "Completed", 2);
  });

  test("a race with an event that loses it", async () => {
    const { run } = await finish("wait-race", "Completed", "nap");
    sawOnce("wait-race", "after nap");
    // What was waited for comes after the end, and is for nobody.
    await send("wait.go", { key: "wait-race" });
    await finish("simple", "Completed", undefined, { key: "wait-race other" });
    assert.equal((await world.server.read(`/v1/runs/${run.run_id}`)).status, "Completed");
    assert.equal(world.app.times("wait-race", "after event").length, 0);
  });

  test("wait for an event that does not come", async () => {
    await finish("wait-timeout", "Completed", { got: null });
    sawOnce("wait-timeout", "before", "after");
    const waited = world.app.times("wait-timeout", "after")[0] - world.app.times("wait-timeout", "before")[0];
    assert.ok(waited >= 1000, `waited only ${waited} ms`);
  });
}
