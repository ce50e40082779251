// Runs that are cancelled: by an event, by the API, by their time being up.
import assert from "node:assert/strict";

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
      app.note(context, "held");
      await app.gate(context.event.data.key).opened;
      return "late";
    });
    return stepOf(context, "after", 1);
  });

  add("start-timeout", { retries: 0, timeouts: { start: "1s" } }, async (context) => stepOf(context, "one", 1));

  add("finish-timeout", { retries: 0, timeouts: { finish: "5s" } }, async (context) => {
    await stepOf(context, "before", 1);
    await context.step.sleep("nap", "60s");
    return stepOf(context, "after", 1);
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
    assert.ok(took >= 5000 && took < 55_000, `cancelled after ${took} ms`);
    sawOnce(key, "before");
    assert.equal(world.app.times(key, "after").length, 0, "the cancelled run went on");
  });

  test("an unknown run cannot be cancelled", async () => {
    const answer = await world.server.call("DELETE", "/v1/runs/01ARZ3NDEKTSV4RRFFQ69G5FAV");
    assert.equal(answer.status, 404, answer.text);
  });
}
