// Runs that are cancelled, by an event, by the API one by one or many at once, by their time being up; and functions that are
// paused.
import assert from "node:assert/strict";
import { eventually } from "./harness.mjs";

export function functions({ add, app, lane, stepOf }) {
  add("cancellable", {
    retries: 0, cancelOn: [{ event: `${lane.id}/cancel.now`, if: "async.data.key == event.data.key" }],
  }, async (context) => {
    const [got] = await Promise.all([
      context.step.waitForEvent("wait", { event: `${lane.id}/cancel.go`, timeout: "120s", match: "data.key" }),
      stepOf(context, "armed", true),
    ]);
    return stepOf(context, "after", got.name);
  });

  add("cancel-inflight", { retries: 3 }, async (context) => {
    await context.step.run("held", async () => {
      app.noteStep(context, "held");
      await app.gate(context.event.data.key).opened;
      return "late";
    });
    return stepOf(context, "after", 1);
  });

  add("start-timeout", { retries: 0, timeouts: { start: "1s" } }, async (context) => stepOf(context, "one", 1));

  add("finish-timeout", { retries: 0, timeouts: { finish: "15s" } }, async (context) => {
    await stepOf(context, "before", 1);
    await context.step.sleep("nap", "60s");
    return stepOf(context, "after", 1);
  });

  add("bulk", { retries: 0 }, async (context) => {
    const [got] = await Promise.all([
      context.step.waitForEvent("wait", { event: `${lane.id}/bulk.go`, timeout: "120s", match: "data.key" }),
      stepOf(context, "armed", true),
    ]);
    return stepOf(context, "after", got.name);
  });

  const paused = add("paused", { retries: 0 }, async (context) => {
    app.note(context, "call");
    return "ran";
  });
  add("invoke-paused", { retries: 0 }, async (context) => {
    app.note(context, "call");
    try {
      return await context.step.invoke("call", { function: paused, data: { key: "paused/child" } });
    } catch (error) {
      return error.message;
    }
  });
}

export function scenarios(world) {
  const { finish, sawOnce, seen, send, settle, start, test, waitMS } = world;

  test("an event cancels the run that it is meant for", async () => {
    const keys = ["cancellable a", "cancellable b"];
    const ids = await Promise.all(keys.map((key) => start("cancellable", { key })));
    await Promise.all(keys.map((key) => seen(key, "armed")));
    await send("cancel.now", { key: keys[0] });
    await settle(ids[0], keys[0], "Cancelled");
    // The other one is alive, and for the cancelled one the event comes too late.
    await Promise.all(keys.map((key) => send("cancel.go", { key })));
    await settle(ids[1], keys[1], "Completed", `${world.lane.id}/cancel.go`);
    sawOnce(keys[1], "after");
    assert.equal(world.app.times(keys[0], "after").length, 0, "the cancelled run went on");
  });

  test("cancelled over the API while a step runs: its late answer is ignored", async () => {
    const key = "cancel-inflight";
    const eventID = await start(key, { key });
    await seen(key, "held");
    const [run] = world.app.runs(key);
    await world.server.cancel(run);
    await settle(eventID, key, "Cancelled");
    const answered = world.app.answered(run);
    world.app.gate(key).open();
    await answered;
    // A whole other run goes through meanwhile: time enough for a server that would take the answer.
    await finish("sleep", "Completed", "rested", { key: `${key} other` });
    assert.equal((await world.server.read(`/v1/runs/${run}`)).status, "Cancelled");
    sawOnce(key, "held");
    assert.equal(world.app.times(key, "after").length, 0, "the cancelled run went on");
    await world.server.cancel(run); // an ended run: nothing to do (Spec 04 §7.2)
  });

  test("cancelled when the time to start is up", async () => {
    const key = "start-timeout";
    // It is to start when its event says, which is too late.
    const run = await world.server.awaitRun(await start(key, { key }, Date.now() + 30_000), waitMS);
    assert.equal(run.status, "Cancelled");
    assert.equal((await world.finished(run.run_id))._inngest.status, "Cancelled");
    assert.deepEqual(world.app.runs(key), [], "it was called");
    await finish(key, "Completed", 1, { key: `${key} in time` });
  });

  test("cancelled when the time to finish is up", async () => {
    const key = "finish-timeout";
    const started = Date.now();
    const eventID = await start(key, { key });
    await settle(eventID, key, "Cancelled");
    const took = Date.now() - started;
    assert.ok(took >= 15_000 && took < 75_000, `cancelled after ${took} ms`);
    sawOnce(key, "before");
    assert.equal(world.app.times(key, "after").length, 0, "the cancelled run went on");
  });

  test("an unknown run cannot be cancelled", async () => {
    const answer = await world.server.call("DELETE", "/v1/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert.equal(answer.status, 404, answer.text);
  });

  test("many runs are cancelled at once, by time and by their event", async () => {
    const begin = async (key, n) => {
      const id = await start("bulk", { key, n });
      await seen(key, "armed");
      return { key, id };
    };
    // A moment that no run is of: their IDs tell time in milliseconds.
    const moment = async () => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      const at = new Date().toISOString();
      await new Promise((resolve) => setTimeout(resolve, 5));
      return at;
    };
    const early = await begin("bulk early", 1);
    const started_after = await moment();
    const meant = await begin("bulk meant", 1);
    const unlike = await begin("bulk unlike", 2);
    const started_before = await moment();
    const late = await begin("bulk late", 1);

    const order = { app_id: world.lane.id, function_id: `${world.lane.id}-bulk`, started_after, started_before, if: "event.data.n == 1" };
    const answer = await world.server.call("POST", "/v1/cancellations", JSON.stringify(order));
    assert.equal(answer.status, 200, answer.text);
    const { data: created } = JSON.parse(answer.text);
    assert.equal(created.function_id, order.function_id);
    await settle(meant.id, meant.key, "Cancelled");
    await Promise.all([early, unlike, late].map(async ({ key, id }) => {
      await send("bulk.go", { key });
      await settle(id, key, "Completed", `${world.lane.id}/bulk.go`);
    }));
    assert.equal(world.app.times(meant.key, "after").length, 0, "the cancelled run went on");
    await eventually("end of the cancellation", waitMS, async (saw) => {
      const [last] = await world.server.read("/v1/cancellations");
      saw(JSON.stringify(last));
      return last.id === created.id && last.state === "completed" && last.cancelled === 1;
    });
    assert.equal((await world.server.call("DELETE", `/v1/cancellations/${created.id}`)).status, 200);
    assert.deepEqual(await world.server.read("/v1/cancellations"), []);
  });

  test("a paused function starts no run until it is resumed", async () => {
    const path = `/v1/apps/${world.lane.id}/functions/${world.lane.id}-paused`;
    const paused = await world.server.call("POST", `${path}/pause`);
    assert.equal(paused.status, 200, paused.text);
    const skipped = await world.server.awaitRun(await send("paused", { key: "paused" }), waitMS);
    assert.equal(skipped.status, "Skipped");
    assert.deepEqual(skipped.output, { skipReason: "FunctionPaused" });
    const { run } = await finish("invoke-paused", "Completed");
    assert.match((await world.finished(run.run_id)).result, /the function is paused/);
    const resumed = await world.server.call("POST", `${path}/resume`);
    assert.equal(resumed.status, 200, resumed.text);
    await finish("paused", "Completed", "ran", { key: "resumed" });
    for (const key of ["paused", "paused/child"]) assert.equal(world.app.times(key, "call").length, 0, `${key} ran`);
  });
}
