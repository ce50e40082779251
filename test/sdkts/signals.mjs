// Waits for signals, sent over the API or by another run.
import assert from "node:assert/strict";
import { eventually } from "./harness.mjs";

export function functions({ add, stepOf }) {
  add("signal", { retries: 0 }, async (context) => {
    const { signal, timeout = "120s", onConflict = "fail" } = context.event.data;
    const [got] = await Promise.all([
      context.step.waitForSignal("wait", { signal, timeout, onConflict }),
      stepOf(context, "armed", true),
    ]);
    return got;
  });

  // Nobody may wait yet when it starts, so it tries until somebody does.
  add("signal-send", { retries: 0 }, async (context) => {
    for (let i = 0; i < 30; i++) {
      const sent = await context.step.sendSignal(`send ${i}`, { signal: context.event.data.signal, data: { from: "a run" } });
      if (sent.runId) return sent.runId;
      await context.step.sleep(`pause ${i}`, "1s");
    }
    return null;
  });
}

export function scenarios(world) {
  const { seen, settle, start, test, waitMS } = world;
  const post = (body) => world.server.call("POST", "/v1/signals", typeof body === "string" ? body : JSON.stringify(body));
  const waiting = async (key, more = {}) => {
    const eventID = await start("signal", { key, signal: key, ...more });
    await seen(key, "armed");
    return { eventID, run: world.app.runs(key)[0] };
  };
  const deliver = async (signal, data) => {
    const answer = await eventually(`somebody waits for ${signal}`, waitMS, async (saw) => {
      const got = await post({ signal, data });
      saw(`${got.status} ${got.text}`);
      return got.status === 200 && got;
    });
    return JSON.parse(answer.text).data.run_id;
  };

  test("signal over the API", async () => {
    const key = "signal api";
    const { eventID, run } = await waiting(key);
    assert.equal(await deliver(key, { deep: [1, null] }), run);
    await settle(eventID, key, "Completed", { signal: key, data: { deep: [1, null] } });
    assert.equal((await post({ signal: key, data: 2 })).status, 404, "a second signal");
  });

  test("signal from another run", async () => {
    const key = "signal run";
    const { eventID, run } = await waiting(key);
    const sender = await start("signal-send", { key: "signal sender", signal: key });
    await settle(eventID, key, "Completed", { signal: key, data: { from: "a run" } });
    const sent = await world.server.awaitRun(sender, waitMS);
    assert.equal((await world.finished(sent.run_id)).result, run, "the run that the sender was told of");
  });

  test("signal that does not come", async () => {
    const key = "signal timeout";
    const { eventID } = await waiting(key, { timeout: "1s" });
    await settle(eventID, key, "Completed", null);
  });

  test("signal conflict fails the second run", async () => {
    const key = "signal conflict";
    const first = await waiting(key);
    const second = await start("signal", { key: `${key} 2`, signal: key });
    const failed = await world.server.awaitRun(second, waitMS);
    assert.equal(failed.status, "Failed");
    assert.match(JSON.stringify(failed.output), /signal wait already exists for another run/);
    assert.equal(await deliver(key, 1), first.run);
    await settle(first.eventID, key, "Completed", { signal: key, data: 1 });
  });

  test("signal conflict replaces the first wait", async () => {
    const key = "signal replace";
    const first = await waiting(key, { timeout: "15s" });
    const second = await waiting(`${key} 2`, { signal: key, onConflict: "replace" });
    assert.equal(await deliver(key, 2), second.run);
    await settle(second.eventID, `${key} 2`, "Completed", { signal: key, data: 2 });
    // The replaced run is not told: its wait ends by its own timeout (Spec 02 §9.1).
    await settle(first.eventID, key, "Completed", null);
  });

  test("signal for nobody, and no signal", async () => {
    const nobody = await post({ signal: "nobody waits for this", data: 1 });
    assert.equal(nobody.status, 404, nobody.text);
    assert.match(nobody.text, /No signal found/);
    const garbage = await post("{");
    assert.equal(garbage.status, 400, garbage.text);
    assert.match(garbage.text, /Invalid signal data/);
  });

  if (world.lane.keys) {
    test("signal without the signing key is refused", async () => {
      const answer = await fetch(`${world.server.url}/v1/signals`, { method: "POST", body: '{"signal":"x"}' });
      assert.equal(answer.status, 401);
    });
  }
}
