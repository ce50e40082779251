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
}

/** Subscribes with the token that the SDK gets; messages: what came. */
async function subscribe(world, channel, topics) {
  const messages = [];
  const { client } = world.app;
  if (world.lane.major === 4) {
    const token = await client.realtime.token({ channel, topics });
    const subscription = await client.realtime.subscribe({ ...token, onMessage: (message) => messages.push(message) });
    return { messages, close: () => subscription.close() };
  }
  // The subscriber of major 3 is a package of its own that brings a second SDK; the protocol is the same.
  const { key } = await client.realtime.getSubscriptionToken({ channel, topics });
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
