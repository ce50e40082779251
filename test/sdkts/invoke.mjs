// Functions that invoke functions. The child's key is the parent's with "/child".
import assert from "node:assert/strict";
import { eventually } from "./harness.mjs";

export function functions({ add, app, lane, stepOf }) {
  const { NonRetriableError, referenceFunction } = lane.sdk;
  const data = (context) => ({ key: `${context.event.data.key}/child`, n: 42 });
  const parent = (id, options) => add(id, { retries: 0 }, async (context) => {
    app.note(context, "call");
    try {
      return { result: await context.step.invoke("call", { data: data(context), ...options }) };
    } catch (error) {
      return { caught: error.message };
    }
  });

  const child = add("invoke-child", { retries: 0 }, async (context) => {
    app.note(context, "call");
    return { doubled: 2 * await context.step.run("n", () => context.event.data.n) };
  });
  parent("invoke-object", { function: child });
  parent("invoke-id", { function: referenceFunction({ appId: lane.id, functionId: "invoke-child" }) });
  parent("invoke-unknown", { function: referenceFunction({ appId: lane.id, functionId: "no-such-function" }) });

  parent("invoke-nothing", { function: add("invoke-child-nothing", { retries: 0 }, async (context) => { app.note(context, "call"); }) });

  parent("invoke-throws", {
    function: add("invoke-child-throws", { retries: 3 }, async (context) => {
      app.note(context, "call");
      throw new NonRetriableError("the child says no");
    }),
  });

  parent("invoke-slow", {
    timeout: "1s",
    function: add("invoke-child-slow", { retries: 0 }, async (context) => {
      await context.step.sleep("nap", "4s");
      return stepOf(context, "after", "too late");
    }),
  });

  parent("invoke-cancelled", {
    function: add("invoke-child-waits", { retries: 0 }, async (context) => {
      await stepOf(context, "up", 1);
      await context.step.sleep("nap", "120s");
    }),
  });
}

export function scenarios(world) {
  const { finish, sawOnce, seen, settle, start, test, waitMS } = world;
  const childEnds = async (key, status) => {
    const [run, ...others] = world.app.runs(`${key}/child`);
    assert.deepEqual(others, [], "more than one child");
    assert.equal((await world.server.awaitRunID(run, waitMS)).status, status, "status of the child");
    return run;
  };

  for (const how of ["object", "id"]) {
    test(`invoke a function by its ${how}`, async () => {
      const key = `invoke-${how}`;
      const { run } = await finish(key, "Completed", { result: { doubled: 84 } });
      const child = await childEnds(key, "Completed");
      const event = (await world.finished(child)).event;
      assert.equal(event.name, "inngest/function.invoked");
      assert.equal(event.data.n, 42);
      assert.ok(event.data._inngest.correlation_id.startsWith(`${run.run_id}.`), "correlation id of the child's event");
    });
  }

  test("invoke a function that returns nothing", async () => {
    await finish("invoke-nothing", "Completed", { result: null });
    sawOnce("invoke-nothing/child", "call");
  });

  test("invoke a function that fails", async () => {
    await finish("invoke-throws", "Completed", { caught: "the child says no" });
    await childEnds("invoke-throws", "Failed");
    sawOnce("invoke-throws/child", "call");
  });

  test("invoke an unknown function", async () => {
    await finish("invoke-unknown", "Completed", { caught: `could not find function with ID: ${world.lane.id}-no-such-function` });
  });

  test("invoke a function that takes too long", async () => {
    await finish("invoke-slow", "Completed", { caught: "Timed out waiting for invoked function to complete" });
    // The child goes on for itself.
    await seen("invoke-slow/child", "after");
    await childEnds("invoke-slow", "Completed");
  });

  test("invoke a function that is cancelled", async () => {
    const key = "invoke-cancelled";
    const eventID = await start(key, { key });
    await seen(`${key}/child`, "up");
    await world.server.cancel(world.app.runs(`${key}/child`)[0]);
    const { result } = await settle(eventID, key, "Completed");
    assert.match(result.caught, /cancelled/);
    await childEnds(key, "Cancelled");
    await eventually("the child's end is told", waitMS, () => world.app.finished.get(world.app.runs(`${key}/child`)[0]));
  });
}
