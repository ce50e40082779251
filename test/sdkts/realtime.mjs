// Messages that functions publish, and a subscriber that gets them over a WebSocket.
import assert from "node:assert/strict";
import { eventually } from "./harness.mjs";

// The reference to a topic: major 4 has them made from a channel, major 3 takes names.
const topicOf = (lane, channel, topic) => (lane.major === 4 ? lane.sdk.realtime.channel({ name: channel, topics: { [topic]: {} } })[topic] : { channel, topic });

export function functions({ add, app, lane }) {
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

/** Subscribes with the subscriber of major 4; messages: what came. */
async function subscribe(world, channel, topics) {
  if (world.lane.major === 3) return connect(world, channel, topics); // its subscriber is a package with a second SDK in it
  const messages = [];
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
  const { finish, test, waitMS } = world;

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
