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
    const keys = ["wait-if a", "wait-if b"];
    const ids = await Promise.all(keys.map((key) => start("wait-if", { key, least: 0 })));
    await Promise.all(keys.map((key) => seen(key, "armed")));
    await Promise.all(keys.map((key) => send("wait.go", { key, n: key.length })));
    await Promise.all(keys.map((key, i) => settle(ids[i], key, "Completed", { n: key.length, beside: "beside" })));
  });

  test("wait for an event that does not come", async () => {
    await finish("wait-timeout", "Completed", { got: null });
    sawOnce("wait-timeout", "before", "after");
    const waited = world.app.times("wait-timeout", "after")[0] - world.app.times("wait-timeout", "before")[0];
    assert.ok(waited >= 1000, `waited only ${waited} ms`);
  });
}
