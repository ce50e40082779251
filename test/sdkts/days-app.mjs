// The application of the scenarios over days: its server's time is moved by hand.
import assert from "node:assert/strict";
import { startApp } from "./app.mjs";
import { eventually } from "./harness.mjs";

export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

/** How far before and after a time things are looked at. All that a scenario does in between takes less of real time. */
export const margin = minute;

const waitMS = 90_000; // for one run, on a machine that does many other things

/**
 * An app whose server's time is moved by hand. The SDK and the app stay behind, in the machine's time: what they tell of their
 * own time, such as the time of an event, is as it should be only until the first move.
 */
export class Days {
  #declared = [];
  #begin;

  constructor(lane, server) {
    this.lane = lane;
    this.server = server;
    this.add("probe", {}, (context, app) => { app.note(context, "call"); });
  }

  /** Declares a function, before register; it listens to the event "<lane>/<id>" or to the trigger. */
  add(id, config, handler, trigger = { event: `${this.lane.id}/${id}` }) {
    this.#declared.push({ config: { id, retries: 0, ...config }, trigger, handler });
  }

  /** Declares a function that notes its event's number as "call", under its id and its event's group as well. */
  addSingle(id, config) {
    this.add(id, config, (context, app) => {
      const { group, n } = context.event.data;
      app.note(context, "call");
      app.note(context, n, `${id} ${group}`);
    });
  }

  /** Declares a function that sleeps between two steps. */
  addNap(id, config, nap) {
    this.add(id, config, async (context, app) => {
      await context.step.run("before", () => { app.noteStep(context, "before"); });
      await (typeof nap === "string" ? context.step.sleep("nap", nap) : context.step.sleepUntil("nap", nap));
      await context.step.run("after", () => { app.noteStep(context, "after"); });
    });
  }

  async register() {
    this.app = await startApp(this.lane, this.server, (app, _, create) => this.#declared.map(
      ({ config, trigger, handler }) => create(config, trigger, (context) => handler(context, app)),
    ));
  }

  /** Begins to count time. What is done next counts from here. */
  async mark() {
    this.#begin = await this.server.now();
    return this.#begin;
  }

  /** Moves the time to just before so much has passed since the mark. */
  async before(passed) {
    await this.to(this.#begin + passed - margin);
  }

  /** Moves the time to just after so much has passed since the mark. */
  async past(passed) {
    await this.to(this.#begin + passed + margin);
  }

  /** Moves the time once what was done before it has had its effect, and lets happen what is due. */
  async to(at) {
    await this.quiet();
    const by = at - await this.server.now();
    assert.ok(by >= 0, `the time is past by ${-by} ms: the scenario has taken longer than its margin`);
    await this.server.advance(by);
    await this.quiet();
  }

  /**
   * Resolves when two runs, one after the other, have come from an event to their ends: what was due before is then in the app,
   * or ended.
   */
  async quiet() {
    for (let n = 0; n < 2; n++) {
      const run = await this.server.awaitRun(await this.send("probe", { key: "probe" }), waitMS);
      assert.equal(run.status, "Completed", "probe");
    }
  }

  /** Sends an event through the SDK and returns the id that the server gave it. */
  async send(name, data, more = {}) {
    const { ids } = await this.app.client.send({ name: `${this.lane.id}/${name}`, data, ...more });
    return ids[0];
  }

  /** Sends the n-th event of a group to a function. Its key is "<name> <n>". */
  one(name, group, n, more = {}) {
    return this.send(name, { key: `${name} ${n}`, group, n, ...more });
  }

  /** The same for a function that naps; resolves when its run has begun. */
  async nap(name, n) {
    const id = await this.one(name, "g", n);
    await this.seen(`${name} ${n}`, "before");
    return id;
  }

  async seen(key, what) {
    await eventually(`${what} of ${key}`, waitMS, () => this.count(key, what) > 0);
    return this.app.runs(key);
  }

  count(key, what) {
    return this.app.times(key, what).length;
  }

  /** The numbers of the events of a group that a function ran for, of those asked about. */
  ran(name, group, ...numbers) {
    const times = numbers.map((n) => [n, this.app.times(`${name} ${group}`, n)]);
    for (const [n, at] of times) assert.ok(at.length <= 1, `${name} ran ${at.length} times for ${n}`);
    return times.filter(([, at]) => at.length > 0).map(([n]) => n);
  }

  /** Waits for the end of the one run of an event. */
  async ends(eventID, status = "Completed") {
    const run = await this.server.awaitRun(eventID, waitMS);
    assert.equal(run.status, status, `status of run ${run.run_id}, output ${JSON.stringify(run.output)}`);
    return run;
  }

  async endsRun(runID, status = "Completed") {
    assert.equal((await this.server.awaitRunID(runID, waitMS)).status, status);
  }

  /** Checks that the one run of an event is in progress. */
  async goesOn(eventID) {
    const runs = await this.server.read(`/v1/events/${eventID}/runs`);
    assert.equal(runs.length, 1, `runs of event ${eventID}: ${JSON.stringify(runs)}`);
    assert.ok(!runs[0].ended_at, `run ${runs[0].run_id} is ${runs[0].status}`);
  }

  async startedNothing(eventID) {
    assert.deepEqual(await this.server.read(`/v1/events/${eventID}/runs`), []);
  }
}
