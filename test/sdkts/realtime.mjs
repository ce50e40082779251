// What functions publish and what the server tells of their runs, and subscribers that get it over a WebSocket.
import assert from "node:assert/strict";
import { eventually } from "./harness.mjs";

// The reference to a topic: major 4 has them made from a channel, major 3 takes names.
const topicOf = (lane, channel, topic) => (lane.major === 4 ? lane.sdk.realtime.channel({ name: channel, topics: { [topic]: {} } })[topic] : { channel, topic });

export function functions({ add, app, lane, stepOf }) {
  const { NonRetriableError } = lane.sdk;

  add("followed", { retries: 0 }, async (context) => {
    await stepOf(context, "one", { n: 1 });
    await context.step.sleep("nap", "1s");
    try {
      await context.step.run("fails", () => { throw new NonRetriableError("not this one"); });
    } catch {
      return { went: "on" };
    }
    return null;
  });

  // Not in the types of the SDKs, which pass on what they do not know.
  add("infer-published", { retries: 0 }, async (context) => {
    const { step } = context;
    const { channel } = context.event.data;
    app.note(context, "call");
    const answer = await step.ai.infer("ask", {
      model: step.ai.models.openai({ model: "slow", apiKey: "key", baseUrl: `${app.provider.url}/v1` }),
      body: { messages: [{ role: "user", content: channel }] },
      publish: { channel, topic: "answer" },
    });
    return answer.choices[0].message.content;
  });

  add("publish", { retries: 0 }, async (context) => {
    const { channel } = context.event.data;
    app.note(context, "call");
    const durable = (id, ref, data) => (lane.major === 4
      ? context.step.realtime.publish(id, ref, data)
      : context.step.realtime.publish(id, { ...ref, data }));
    const now = (ref, data) => (lane.major === 4 ? app.client.realtime.publish(ref, data) : app.client.realtime.publish({ ...ref, data }));
    const status = topicOf(lane, channel, "status");
    await durable("first", status, { n: 1, text: "héllo" });
    await durable("elsewhere", topicOf(lane, `${channel} of others`, "status"), { n: 2 });
    await durable("unasked", topicOf(lane, channel, "unasked"), { n: 3 });
    await context.step.run("from a step", () => now(status, { n: 4 }).then(() => null));
    return "published";
  });

  // A stream is published as it comes; major 3 cannot.
  if (lane.major !== 4) return;
  add("publish-stream", { retries: 0 }, async (context) => context.step.run("stream", async () => {
    app.note(context, "call");
    const encoder = new TextEncoder();
    const parts = ["one ", "two ", "three"];
    const stream = new ReadableStream({
      async pull(controller) {
        const part = parts.shift();
        if (part === undefined) {
          controller.close();
          return;
        }
        controller.enqueue(encoder.encode(part));
        await new Promise((resolve) => setTimeout(resolve, 50));
      },
    });
    await app.client.realtime.publish(topicOf(lane, context.event.data.channel, "status"), stream);
    return "streamed";
  }));
}

/** Subscribes with the subscriber that the SDK has, or the package for major 3; messages: what came. */
async function subscribe(world, channel, topics) {
  const messages = [];
  if (world.lane.major === 3) {
    const stream = await world.lane.subscribe({ app: world.app.client, channel, topics }, (message) => messages.push(message));
    return { messages, close: () => stream.cancel() }; // its connection ends with the server
  }
  const { realtime } = world.app.client;
  const token = await realtime.token({ channel, topics });
  const subscription = await realtime.subscribe({ ...token, onMessage: (message) => messages.push(message) });
  return { messages, close: () => subscription.close() };
}

/** Subscribes over a WebSocket of its own with the token that the SDK gets. */
async function connect(world, channel, topics) {
  const messages = [];
  const { realtime } = world.app.client;
  const { key } = await (world.lane.major === 3 ? realtime.getSubscriptionToken({ channel, topics }) : realtime.token({ channel, topics }));
  const socket = new WebSocket(`${world.server.url.replace("http", "ws")}/v1/realtime/connect?token=${encodeURIComponent(key)}`);
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    messages.push({ ...message, runId: message.run_id });
  };
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error("the WebSocket broke")); });
  return { messages, close: () => socket.close() };
}

export function scenarios(world) {
  const { finish, send, settle, test, waitMS } = world;

  test("realtime: a subscriber gets what a run publishes", async () => {
    const channel = `user:${world.lane.id}`;
    const subscription = await subscribe(world, channel, ["status"]);
    try {
      const { run } = await finish("publish", "Completed", "published", { key: "publish", channel });
      await eventually("both messages", waitMS, (saw) => {
        saw(JSON.stringify(subscription.messages));
        return subscription.messages.some((message) => message.data.n === 4);
      });
      const got = subscription.messages.map(({ kind, channel, topic, data, runId }) => ({ kind, channel, topic, data, runId }));
      const expected = (data) => ({ kind: "data", channel, topic: "status", data, runId: run.run_id });
      assert.deepEqual(got, [expected({ n: 1, text: "héllo" }), expected({ n: 4 })]);
    } finally {
      subscription.close();
    }
  });

  test("realtime: a subscriber follows a run and its steps", async () => {
    const key = "followed";
    const eventID = await send(key, { key }, Date.now() + 8000); // time to subscribe before the run starts
    const [{ run_id: runID }] = await eventually("the run that will start", waitMS, async () => {
      const runs = await world.server.read(`/v1/events/${eventID}/runs`);
      return runs.length > 0 && runs;
    });
    const all = await connect(world, runID, ["$run", "$step", "fails"]);
    // The subscriber of major 4 hands on what it is told of runs, the others nothing that no app has published.
    const own = world.lane.major === 4 && await subscribe(world, runID, ["$run"]);
    try {
      await settle(eventID, key, "Completed", { went: "on" });
      await eventually("the end of the run", waitMS, (saw) => {
        saw(JSON.stringify(all.messages));
        return all.messages.some(({ kind, data }) => kind === "run" && data.status === "Completed");
      });
      for (const message of all.messages) {
        assert.equal(message.channel, runID);
        assert.equal(message.runId, runID);
        assert.equal(message.fn_slug, `${world.lane.id}-followed`);
      }
      const failed = (topic) => ["step", topic, "fails", "Failed", "not this one"];
      assert.deepEqual(all.messages.map(({ kind, topic, data }) => (
        [kind, topic, ...(kind === "step" ? [data.name] : []), data.status, data.output?.message ?? data.output]
      )), [
        ["run", "$run", "Running", undefined],
        ["step", "$step", "one", "Completed", { n: 1 }],
        ["step", "$step", "nap", "Completed", null],
        failed("$step"),
        failed("fails"),
        ["run", "$run", "Completed", { went: "on" }],
      ]);
      if (!own) return;
      await eventually("the end of the run, in the SDK", waitMS, () => own.messages.length === 2);
      assert.deepEqual(own.messages.map(({ kind, runId, data }) => ({ kind, runId, data })), [
        { kind: "run", runId: runID, data: { status: "Running" } },
        { kind: "run", runId: runID, data: { status: "Completed", output: { went: "on" } } },
      ]);
    } finally {
      all.close();
      if (own) own.close();
    }
  });

  test("realtime: a subscriber hears of a cancellation", async () => {
    const key = "cancel-followed";
    const eventID = await send("simple", { key }, Date.now() + 60_000);
    const [{ run_id: runID }] = await eventually("the run that will start", waitMS, async () => {
      const runs = await world.server.read(`/v1/events/${eventID}/runs`);
      return runs.length > 0 && runs;
    });
    const subscription = await connect(world, runID, ["$run"]);
    try {
      await world.server.cancel(runID);
      await eventually("the message", waitMS, () => subscription.messages.length > 0);
      assert.deepEqual(subscription.messages.map(({ kind, data }) => ({ kind, data })), [{ kind: "run", data: { status: "Cancelled" } }]);
    } finally {
      subscription.close();
    }
  });

  if (!world.lane.keys) {
    test("realtime: a subscriber reads the answer of a model while it is still speaking", async () => {
      const channel = `answer:${world.lane.id}`;
      const subscription = await connect(world, channel, ["answer"]);
      const { messages } = subscription;
      const text = () => messages.filter(({ kind }) => kind === "chunk").map(({ data }) => data).join("");
      try {
        const eventID = await send("infer-published", { key: "infer-published", channel });
        await eventually("the first half", waitMS, (saw) => {
          saw(JSON.stringify(messages));
          return text().includes("once upon");
        });
        assert.ok(!text().includes("a time"), "the model has not said that yet");
        world.app.provider.goOn(channel);
        await settle(eventID, "infer-published", "Completed", "once upon a time");
        await eventually("the end of the stream", waitMS, () => messages.at(-1).kind === "datastream-end");
        assert.equal(messages[0].kind, "datastream-start");
        assert.equal(JSON.parse(text()).choices[0].message.content, "once upon a time");
        assert.equal(messages.filter(({ kind }) => kind !== "chunk").length, 2, JSON.stringify(messages));
      } finally {
        world.app.provider.goOn(channel);
        subscription.close();
      }
    });
  }

  if (world.lane.major === 4) {
    test("realtime: a subscriber gets a stream in its parts", async () => {
      const channel = `stream:${world.lane.id}`;
      // The subscriber of 4.24.0 throws at the start of every stream.
      const subscription = await connect(world, channel, ["status"]);
      try {
        await finish("publish-stream", "Completed", "streamed", { key: "publish-stream", channel });
        await eventually("the end of the stream", waitMS, (saw) => {
          saw(JSON.stringify(subscription.messages));
          return subscription.messages.some(({ kind }) => kind === "datastream-end");
        });
        const kinds = subscription.messages.map(({ kind }) => kind);
        assert.equal(kinds[0], "datastream-start");
        assert.equal(kinds.at(-1), "datastream-end");
        const chunks = subscription.messages.filter(({ kind }) => kind === "chunk");
        assert.equal(chunks.length, kinds.length - 2);
        assert.equal(chunks.map(({ data }) => data).join(""), "one two three");
      } finally {
        subscription.close();
      }
    });
  }

  test("realtime: no connection without a token", async () => {
    const answer = await fetch(`${world.server.url}/v1/realtime/sse`);
    assert.equal(answer.status, 401, await answer.text());
  });

  if (world.lane.keys) {
    test("realtime: no token and no publishing without the signing key", async () => {
      for (const path of ["/v1/realtime/token", "/v1/realtime/publish?channel=c&topic=t"]) {
        const answer = await fetch(`${world.server.url}${path}`, { method: "POST", body: "[]" });
        assert.equal(answer.status, 401, path);
      }
    });
  }
}
