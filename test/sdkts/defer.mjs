// Functions that a run leaves to be run after it. Only lanes with createDefer have them.
import assert from "node:assert/strict";
import { eventually } from "./harness.mjs";

export function functions({ add, all, app, lane, stepOf }) {
  if (!lane.createDefer) return;
  const { NonRetriableError } = lane.sdk;
  const later = lane.createDefer(app.client, { id: "later", retries: 0 }, async (context) => stepOf(context, "done", {
    n: context.event.data.n, parent: context.parents[0],
  }));
  all.push(later);
  const key = (context, of) => `${context.event.data.key}/${of}`;

  add("defer", { retries: 0 }, async (context) => {
    context.defer("kept", { function: later, data: { key: key(context, "kept"), n: 7 } });
    await stepOf(context, "one", 1);
    const aborted = context.defer("aborted", { function: later, data: { key: key(context, "aborted"), n: 8 } });
    await stepOf(context, "two", 2);
    aborted.abort();
    await context.step.sleep("nap", "1s");
    return stepOf(context, "three", 3);
  });

  add("defer-failing", { retries: 0 }, async (context) => {
    context.defer("kept", { function: later, data: { key: key(context, "kept"), n: 9 } });
    await stepOf(context, "one", 1);
    throw new NonRetriableError("fails all the same");
  });
}

export function scenarios(world) {
  if (!world.lane.createDefer) return;
  const { finish, sawOnce, test, waitMS } = world;
  const deferred = async (key, parent, slug, n) => {
    const [run] = await eventually(`deferred run of ${key}`, waitMS, () => {
      const runs = world.app.runs(key);
      return runs.length > 0 && runs;
    });
    const end = await world.server.awaitRunID(run, waitMS);
    assert.equal(end.status, "Completed");
    assert.deepEqual(world.app.runs(key), [run], "runs of the deferred function");
    sawOnce(key, "done");
    assert.deepEqual((await world.finished(run)).result, { n, parent: { fnSlug: slug, runId: parent.run_id } });
    return end;
  };

  test("defer: the function runs once, after its parent", async () => {
    const { run } = await finish("defer", "Completed", 3);
    sawOnce("defer", "one", "two", "three");
    await deferred("defer/kept", run, `${world.lane.id}-defer`, 7);
    assert.ok(world.app.times("defer/kept", "done")[0] >= world.app.times("defer", "three")[0], "ran before its parent ended");
    assert.deepEqual(world.app.runs("defer/aborted"), [], "the aborted one ran");
  });

  test("defer: of a run that fails", async () => {
    const { run } = await finish("defer-failing", "Failed");
    await deferred("defer-failing/kept", run, `${world.lane.id}-defer-failing`, 9);
  });
}
