// Checkpointing, asked for by the function itself so that every lane has it.
import assert from "node:assert/strict";

const stepCount = 5;
const slowMS = 300;

export function functions({ add, app, stepOf }) {
  const stepping = (id, checkpointing, { retries = 0, between = async () => {} } = {}) => {
    add(id, { retries, checkpointing }, async (context) => {
      app.note(context, "call");
      let sum = 0;
      for (let i = 0; i < stepCount; i++) {
        sum += await stepOf(context, `step ${i}`, i);
        await between(context, i);
      }
      return sum;
    });
  };
  stepping("checkpoint-each", true);
  stepping("checkpoint-buffered", { bufferedSteps: 3, maxInterval: "60s" });
  stepping("checkpoint-returned", false);

  stepping("checkpoint-500", true, {
    retries: 2,
    between: (context, i) => (i === 1 && context.attempt === 0 && app.breakAnswer(context.runId)),
  });

  add("checkpoint-runtime", { retries: 0, checkpointing: { maxRuntime: 2 * slowMS } }, async (context) => {
    app.note(context, "call");
    for (let i = 0; i < stepCount; i++) {
      await context.step.run(`step ${i}`, async () => {
        app.noteStep(context, `step ${i}`);
        await new Promise((resolve) => setTimeout(resolve, slowMS));
      });
    }
    return "all";
  });

  add("checkpoint-sleep", { retries: 0, checkpointing: { bufferedSteps: 10, maxInterval: "60s" } }, async (context) => {
    app.note(context, "call");
    await stepOf(context, "step 0", 0);
    await stepOf(context, "step 1", 1);
    await context.step.sleep("nap", "1s");
    return stepOf(context, "step 2", 2);
  });
}

export function scenarios(world) {
  const { finish, sawOnce, test } = world;
  const steps = Array.from({ length: stepCount }, (_, i) => `step ${i}`);
  const sum = (stepCount * (stepCount - 1)) / 2;
  // Runs it, and returns how often the function was called and what the server answered to its checkpoints.
  const through = async (name, result, seen = steps) => {
    const { run } = await finish(name, "Completed", result, { key: name }, { byOp: true });
    sawOnce(name, ...seen);
    return {
      calls: world.app.times(name, "call").length,
      checkpoints: world.app.answers.filter((a) => a.url.includes(`/v1/checkpoint/${run.run_id}/async`)).map((a) => a.status),
    };
  };

  test("checkpoint each step: one call does the whole run", async () => {
    const { calls, checkpoints } = await through("checkpoint-each", sum);
    assert.equal(calls, 1);
    assert.ok(checkpoints.length >= stepCount - 1, `${checkpoints.length} checkpoints`);
    assert.deepEqual(checkpoints.filter((status) => status !== 200), [], "checkpoints refused");
  });

  test("checkpoint buffered steps", async () => {
    const { calls, checkpoints } = await through("checkpoint-buffered", sum);
    assert.equal(calls, 1);
    assert.ok(checkpoints.length >= 1 && checkpoints.length < stepCount, `${checkpoints.length} checkpoints`);
    assert.deepEqual(checkpoints.filter((status) => status !== 200), [], "checkpoints refused");
  });

  test("checkpoint until the time of a call is up, then go on in another", async () => {
    const { calls } = await through("checkpoint-runtime", "all");
    assert.ok(calls > 1 && calls <= stepCount + 1, `${calls} calls`);
  });

  test("checkpoint buffered steps before a sleep", async () => {
    await through("checkpoint-sleep", 2, ["step 0", "step 1", "step 2"]);
  });

  test("the app answers 500 once after a checkpoint: no step runs again", async () => {
    const { calls } = await through("checkpoint-500", sum);
    assert.ok(calls > 1, "the function was called once");
  });

  test("no checkpoint: every step is returned", async () => {
    const { calls, checkpoints } = await through("checkpoint-returned", sum);
    assert.equal(calls, stepCount + 1);
    assert.deepEqual(checkpoints, []);
  });
}
