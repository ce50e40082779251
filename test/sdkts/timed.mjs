// A function that the clock starts. It returns its event, and is known by its id.
import assert from "node:assert/strict";
import { eventually } from "./harness.mjs";

const cron = "* * * * *";
const minuteMS = 60_000;

export function functions({ all, app, create }) {
  all.push(create({ id: "timed", retries: 0 }, { cron }, (context) => {
    app.note(context, "call", "timed");
    return context.event;
  }));
}

export function scenarios(world) {
  const { finished, test, waitMS } = world;
  test("a function on a schedule", async () => {
    const { app, server } = world;
    const [runID] = await eventually("tick", waitMS + minuteMS, () => app.runs("timed").length > 0 && app.runs("timed"));
    const [called] = app.times("timed", "call");
    const run = await server.awaitRunID(runID, waitMS);
    assert.equal(run.status, "Completed");
    assert.equal(run.cron, cron);
    const { result } = await finished(runID);
    const at = result.data.scheduledAt;
    assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:00Z$/);
    assert.deepEqual(result, { id: at, name: "inngest/scheduled.timer", data: { cron, fireAt: at, scheduledAt: at }, ts: Date.parse(at), user: {} });
    assert.ok(called >= Date.parse(at) && called < Date.parse(at) + 10_000, `called at ${new Date(called).toISOString()} for ${at}`);
    const kept = await server.read(`/v1/events/${run.event_id}`);
    assert.deepEqual([kept.id, kept.name, kept.data], [at, "inngest/scheduled.timer", result.data]);
  });
}
