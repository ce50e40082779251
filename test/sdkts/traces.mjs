// The trace of a run in progress. That of runs that have ended is checked wherever one is awaited.
import assert from "node:assert/strict";
import { eventually } from "./eventually.mjs";
import { named, outline, traceOf } from "./trace.mjs";

export function functions({ add, app, lane, stepOf }) {
  add("traced", { retries: 0 }, async (context) => {
    await stepOf(context, "before", 1);
    await context.step.waitForEvent("wait", { event: `${lane.id}/traced.go`, timeout: "120s", match: "data.key" });
    await context.step.sleep("nap", "1s"); // so that the step that is held is one call's only
    await context.step.run("held", async () => {
      app.noteStep(context, "held");
      await app.gate("traced").opened;
    });
    return stepOf(context, "after", "went on");
  });
}

export function scenarios(world) {
  const { seen, send, settle, start, test, waitMS } = world;

  // Waits until both shapes of the trace of a run in progress show one of the names with the status.
  const shown = (runID, names, status) => eventually(`${names[0]} that is ${status}`, waitMS, async (saw) => {
    const trace = await traceOf(world.server, runID);
    saw(Object.values(trace.shapes).map((root) => outline(root)).join(""));
    if (trace.status !== "RUNNING") return false; // it is read a moment before the trace
    return Object.entries(trace.shapes).every(([shape, root]) => {
      if (named(root, "before").length === 0) return false; // history is written a moment later
      assert.deepEqual([root.status, root.endedAt], ["RUNNING", null], `${shape} root:\n${outline(root)}`);
      assert.ok(root.startedAt, `${shape} root has not begun`);
      const found = names.flatMap((name) => named(root, name));
      return found.length === 1 && found[0].status === status && (found[0].endedAt !== null) === (status === "COMPLETED");
    });
  });

  test("trace of a run while it goes on", async () => {
    const key = "traced";
    const eventID = await start("traced", { key });
    await seen(key, "before");
    const [runID] = world.app.runs(key);
    await shown(runID, ["wait"], "WAITING");
    await send("traced.go", { key });
    await shown(runID, ["wait"], "COMPLETED");
    await seen(key, "held");
    // Nobody has told the server yet which step the call that is in the app works on.
    await shown(runID, ["held", "Execution", "execute"], "RUNNING");
    world.app.gate("traced").open();
    await settle(eventID, key, "Completed", "went on");
  });
}
