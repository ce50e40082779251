// What a run reaches outside itself: other functions by events, and servers by requests that the server makes for it.
import assert from "node:assert/strict";
import http from "node:http";

const secret = "the provider's key";

/**
 * A server of the outside world: echoes under /echo, a model of OpenAI's shape under /v1. Remembers its requests. The model
 * "slow" says half of its answer and waits.
 */
export async function startProvider() {
  const requests = [];
  const slow = new Map(); // by the content of a question to the slow model: goes on with the answer
  const web = http.createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { pathname } = new URL(request.url, "http://provider");
    const asked = { method: request.method, url: request.url, headers: request.headers, body };
    requests.push(asked);
    const json = (status, value) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (pathname === "/echo") {
      response.writeHead(404, { "x-reply": "yes", "content-type": "text/plain" }).end(`you said ${body}`);
      return;
    }
    if (pathname !== "/v1/chat/completions") {
      json(404, { error: { message: `no ${pathname}` } });
      return;
    }
    const { model, messages } = JSON.parse(body);
    const again = requests.filter((r) => r.body === body).length;
    if (model === "broken" || (model === "flaky" && again === 1)) {
      json(503, { error: { message: "overloaded" } });
      return;
    }
    const answer = (content) => ({
      id: "chatcmpl-1", object: "chat.completion", model, usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
      choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content } }],
    });
    if (model === "slow") {
      const text = JSON.stringify(answer("once upon a time"));
      const half = text.indexOf(" a time");
      response.writeHead(200, { "content-type": "application/json" }).write(text.slice(0, half));
      await new Promise((resolve) => slow.set(messages[0].content, resolve));
      response.end(text.slice(half));
      return;
    }
    json(200, answer(`answer to ${messages[0].content}`));
  });
  await new Promise((resolve) => web.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${web.address().port}`,
    requests,
    /** Lets the slow model end its answer to the question. */
    goOn: (question) => slow.get(question)?.(),
    close: () => new Promise((resolve) => { web.close(resolve); web.closeAllConnections(); }),
  };
}

export function functions({ add, app, lane, stepOf }) {
  add("fetch", { retries: 0 }, async (context) => {
    app.note(context, "call");
    const answer = await context.step.fetch(`${app.provider.url}/echo?of=${lane.id}`, {
      method: "PUT", headers: { "x-test": "yes", "content-type": "text/plain" }, body: "ping",
    });
    return { status: answer.status, header: answer.headers.get("x-reply"), body: await answer.text() };
  });

  add("fetch-dead", { retries: 1 }, async (context) => {
    app.note(context, "call");
    try {
      await context.step.fetch("http://127.0.0.1:1/nobody");
    } catch (error) {
      return { caught: error.message };
    }
    return "answered";
  });

  const asking = (id, model, retries) => add(id, { retries }, async (context) => {
    const { step } = context;
    app.note(context, "call");
    try {
      const answer = await step.ai.infer("ask", {
        model: step.ai.models.openai({ model, apiKey: secret, baseUrl: `${app.provider.url}/v1` }),
        body: { messages: [{ role: "user", content: `a question of ${id}` }] },
      });
      return { said: answer.choices[0].message.content, tokens: answer.usage.total_tokens };
    } catch (error) {
      return { caught: error.message };
    }
  });
  asking("infer", "small", 0);
  asking("infer-flaky", "flaky", 2);
  asking("infer-broken", "broken", 1);

  add("emit", { retries: 0 }, async (context) => {
    const name = `${lane.id}/emitted`;
    const key = `${context.event.data.key}/emitted`;
    const { ids } = await context.step.sendEvent("emit", [{ name, data: { key, n: 1 } }, { name, data: { key, n: 2 } }]);
    await stepOf(context, "after", 1);
    return ids;
  });
  add("emitted", { retries: 0 }, async (context) => {
    app.note(context, `got ${context.event.data.n}`);
    return context.event.data.n;
  });
}

function gateways(world) {
  const { finish, send, settle, test } = world;
  const asked = (part) => world.app.provider.requests.filter((r) => r.body.includes(part));

  test("step.fetch: the server makes the request", async () => {
    await finish("fetch", "Completed", { status: 404, header: "yes", body: "you said ping" });
    const made = world.app.provider.requests.filter((r) => r.url === `/echo?of=${world.lane.id}`);
    assert.equal(made.length, 1);
    assert.equal(made[0].method, "PUT");
    assert.equal(made[0].body, "ping");
    assert.equal(made[0].headers["x-test"], "yes");
    assert.equal(made[0].headers["content-type"], "text/plain");
  });

  test("step.fetch: nobody answers", async () => {
    const eventID = await send("fetch-dead", { key: "fetch-dead" });
    const { result } = await settle(eventID, "fetch-dead", "Completed");
    assert.match(result.caught, /^Error making gateway request: .*connection refused/);
  });

  test("step.ai.infer: the server asks the model", async () => {
    await finish("infer", "Completed", { said: "answer to a question of infer", tokens: 7 });
    const made = asked("a question of infer\"");
    assert.equal(made.length, 1);
    assert.equal(made[0].method, "POST");
    assert.equal(made[0].headers.authorization, `Bearer ${secret}`);
    assert.equal(made[0].headers["content-type"], "application/json");
    assert.equal(JSON.parse(made[0].body).model, "small");
  });

  test("step.ai.infer: a provider that fails is asked again", async () => {
    await finish("infer-flaky", "Completed", { said: "answer to a question of infer-flaky", tokens: 7 });
    assert.equal(asked("a question of infer-flaky\"").length, 2);
  });

  test("step.ai.infer: a provider that always fails", async () => {
    await finish("infer-broken", "Completed", { caught: "Error making AI request: unsuccessful status code: 503" });
    assert.equal(asked("a question of infer-broken\"").length, 2);
  });
}

// A server that others use keeps the requests of their steps off its own network.
function refusals(world) {
  const { finish, send, settle, test } = world;
  test("step.fetch and step.ai.infer do not reach private addresses", async () => {
    const { run } = await finish("fetch", "Failed");
    assert.match(run.output.message, /private IP range/);
    const { result } = await settle(await send("infer", { key: "infer" }), "infer", "Completed");
    assert.match(result.caught, /private IP range/);
    assert.deepEqual(world.app.provider.requests, []);
  });
}

export function scenarios(world) {
  const { finish, sawOnce, test, waitMS } = world;
  if (world.lane.keys) refusals(world);
  else gateways(world);

  test("events sent by a step start their runs once", async () => {
    const key = "emit";
    const { run } = await finish("emit", "Completed");
    sawOnce(key, "after");
    const ids = (await world.finished(run.run_id)).result;
    assert.equal(new Set(ids).size, 2);
    const ends = await Promise.all(ids.map((id) => world.server.awaitRun(id, waitMS)));
    assert.deepEqual(ends.map((end) => end.status), ["Completed", "Completed"]);
    sawOnce(`${key}/emitted`, "got 1", "got 2");
  });
}
