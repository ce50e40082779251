// Runs that are started again: from the beginning, from one of their steps, with other arguments.
import assert from "node:assert/strict";

export function functions({ add, app, stepOf }) {
  add("rerun", { retries: 0 }, async (context) => {
    const doubled = await context.step.run("double", (n) => { app.noteStep(context, "double", `double ${n}`); return n * 2; }, 21);
    await context.step.sleep("nap", "100ms");
    return stepOf(context, "last", doubled + 1);
  });

  add("rerun-fails", { retries: 0 }, async (context) => {
    const first = await stepOf(context, "first", 1);
    return context.step.run("second", () => {
      app.noteStep(context, "second");
      if (app.times(context.event.data.key, "second").length === 1) throw new Error("the first time");
      return first + 1;
    });
  });
}

export function scenarios(world) {
  const { finish, sawOnce, test, waitMS } = world;

  // Starts a run again and returns its end.
  const again = async (run, body) => {
    const answer = await world.server.call("POST", `/api/v2/runs/${run.run_id}/rerun`, JSON.stringify(body));
    assert.equal(answer.status, 200, answer.text);
    return world.server.awaitRunID(JSON.parse(answer.text).data.runId, waitMS);
  };

  test("rerun, and rerun from a step with other arguments", async () => {
    const key = "rerun";
    const { run, eventID } = await finish(key, "Completed", 43);
    const whole = await again(run, {});
    assert.deepEqual([whole.status, whole.output, whole.original_run_id], ["Completed", 43, run.run_id]);
    assert.equal(world.app.times(key, "double 21").length, 2);
    const last = await again(run, { fromStep: { stepId: "last" } });
    assert.deepEqual([last.status, last.output], ["Completed", 43]);
    assert.equal(world.app.times(key, "double 21").length, 2, "a step before the one that was named ran again");
    assert.equal(world.app.times(key, "last").length, 3);
    const other = await again(last, { fromStep: { stepId: "double", input: [50] } });
    assert.deepEqual([other.status, other.output, other.original_run_id], ["Completed", 101, run.run_id]);
    sawOnce(key, "double 50");
    assert.equal((await world.server.read(`/v1/events/${eventID}/runs`)).length, 4);
  });

  test("rerun from the step that failed", async () => {
    const key = "rerun-fails";
    const { run } = await finish(key, "Failed");
    const repaired = await again(run, { fromStep: { stepId: "second" } });
    assert.deepEqual([repaired.status, repaired.output], ["Completed", 2]);
    sawOnce(key, "first");
  });

  test("rerun of what is not there", async () => {
    const rerun = (run, body) => world.server.call("POST", `/api/v2/runs/${run}/rerun`, body);
    const unknown = await rerun("01ARZ3NDEKTSV4RRFFQ69G5FAV", "");
    assert.equal(unknown.status, 404, unknown.text);
    const { run } = await finish("sleep", "Completed", "rested", { key: "rerun nothing" });
    const step = await rerun(run.run_id, JSON.stringify({ fromStep: { stepId: "no such step" } }));
    assert.equal(step.status, 400, step.text);
    assert.match(step.text, /Step not found in original run/);
  });
}
