// Metadata of runs and steps: sent along with steps, as a step of its own, and over the API.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";

const hashed = (id) => createHash("sha1").update(id).digest("hex");

export function functions({ add, app, lane, stepOf }) {
  const put = putBy(lane);
  add("metadata", { retries: 1 }, async (context) => {
    await context.step.run("noted", async () => {
      app.noteStep(context, "noted");
      await put(app.client.metadata, { big: 12345678901, text: "<b>é</b>" });
      await put(app.client.metadata.run(), { inside: true }, "inside");
    });
    await put(context.step.metadata("mark"), { marked: 1 }, "marks");
    await context.step.run("flaky", async () => {
      app.noteStep(context, "flaky", `flaky ${context.attempt}`);
      await put(app.client.metadata, { attempt: context.attempt });
      if (context.attempt === 0) throw new Error("not yet");
    });
    return stepOf(context, "last", "noted");
  });
}

// Version 3 can only merge values into those that are there, version 4 replaces them.
const putBy = (lane) => (builder, values, kind) => (lane.major === 3 ? builder.update(values, kind) : builder.set(values, kind));

export function scenarios(world) {
  const { finish, lane, sawOnce, test } = world;
  const put = putBy(lane);

  test("metadata from steps and from outside", async () => {
    const { run } = await finish("metadata", "Completed", "noted");
    sawOnce("metadata", "noted", "flaky 0", "flaky 1", "last");

    // The run has ended; a score may come days later.
    const outside = () => world.app.client.metadata.run(run.run_id);
    await put(outside(), { seen: "by the run" }, "outside");
    await put(outside().step("noted"), { seen: "by the step" }, "outside");
    await put(outside().step("noted", 2), { seen: "by the third" }, "outside");
    await put(outside().step("flaky").attempt(0), { seen: "by the attempt" }, "outside");
    await put(outside().step("flaky").attempt(0).span("00f067aa0ba902b7"), { seen: "by the span" }, "outside");

    const all = await world.server.read(`/v1/runs/${run.run_id}/metadata`);
    const got = Object.fromEntries(all.map(({ scope, step_id = "", step_attempt = "", span_id = "", kind, values }) => (
      [[scope, step_id, step_attempt, span_id, kind].join(" "), values])));
    const noted = hashed("noted");
    const flaky = hashed("flaky");
    assert.deepEqual(got, {
      "run    userland.inside": { inside: true },
      "run    userland.marks": { marked: 1 },
      "run    userland.outside": { seen: "by the run" },
      [`step ${noted}   userland.default`]: { big: 12345678901, text: "<b>é</b>" },
      [`step ${noted}   userland.outside`]: { seen: "by the step" },
      [`step ${hashed("noted:2")}   userland.outside`]: { seen: "by the third" },
      [`step ${flaky} 0  userland.default`]: { attempt: 0 },
      [`step ${flaky}   userland.default`]: { attempt: 1 },
      [`step ${flaky} 0  userland.outside`]: { seen: "by the attempt" },
      [`extended_trace ${flaky} 0 00f067aa0ba902b7 userland.outside`]: { seen: "by the span" },
    });
  });

  test("metadata of a run that there is not", async () => {
    const answer = await world.server.call("POST", "/v1/runs/01J8ZKZ5H4X0V6QK3N8N3W9R7T/metadata", '{"target":{},"metadata":[]}');
    assert.equal(answer.status, 404, answer.text);
    assert.match(answer.text, /Unable to find metadata target/);
  });
}
