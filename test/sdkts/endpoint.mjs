// Durable endpoints: runs that begin inside a client's request, and that the server leads on when they have to wait.
import assert from "node:assert/strict";
import { eventually } from "./harness.mjs";

/** The endpoints of a lane by path, served by a client of their own; only major 4 has them. */
export function endpoints(app, lane, clientOptions) {
  if (!lane.endpoints) return {};
  const { endpointAdapter, serveEndpoint, getAsyncCtx, stream } = lane.endpoints;
  const { step } = lane.sdk;
  const served = {};
  // The adapter keeps its options for all endpoints that are made of it later.
  const add = (name, handler, options) => {
    endpointAdapter.withOptions({ asyncResponse: "redirect", asyncRedirectUrl: undefined, retries: 3, functionId: undefined, ...options });
    const client = new lane.sdk.Inngest({ ...clientOptions, id: `${lane.id}-endpoints`, endpointAdapter });
    served[`/endpoint/${name}`] = serveEndpoint(client.endpoint(async (request) => {
      const { events: [event], runId } = (await getAsyncCtx()).execution.ctx;
      const key = `endpoint ${name}`;
      const note = (what) => app.note({ runId }, what, key);
      note("call");
      // The SDK reads the request's body before, so a handler finds it in the event only.
      const asked = { query: new URL(request.url).search, body: event.data.body && JSON.parse(event.data.body) };
      return handler({ asked, note, stepOf: (id, value) => step.run(id, () => { note(id); return value; }) });
    }));
    if (options?.asyncRedirectUrl) served[options.asyncRedirectUrl] = client.endpointProxy();
  };

  add("sync", async ({ asked, stepOf }) => {
    const steps = [await stepOf("one", { n: 1 }), await stepOf("two", "two")];
    return new Response(JSON.stringify({ steps, ...asked }), {
      status: 201, headers: { "content-type": "application/json", "x-mine": "1" },
    });
  });

  add("plain", async ({ stepOf }) => ({ one: await stepOf("one", 1) }));

  const sleeping = async ({ asked, stepOf }) => {
    const before = await stepOf("before", { n: 1 });
    await step.sleep("nap", "1s");
    return { before, after: await stepOf("after", "rested"), ...asked };
  };
  add("sleep", sleeping);
  add("token", sleeping, { asyncResponse: "token", functionId: "named" });
  add("proxied", sleeping, { asyncRedirectUrl: "/endpoint/proxy" });

  add("wait", async ({ note }) => {
    const event = await step.waitForEvent("wait", { event: `${lane.id}/endpoint.go`, timeout: "1m", if: "async.data.key == event.data.query_params" });
    note("go on");
    return { got: event?.data ?? null };
  });

  add("invoke", async ({ stepOf }) => {
    const twice = await step.invoke("child", { function: lane.sdk.referenceFunction({ appId: lane.id, functionId: "endpoint-child" }), data: { n: 21 } });
    return stepOf("after", twice);
  });

  add("parallel", async ({ stepOf }) => Promise.all([stepOf("a", 1), stepOf("b", 2), step.sleep("nap", "500ms")]));

  add("flaky", async ({ note, stepOf }) => {
    await stepOf("kept", 1);
    return step.run("flaky", () => {
      note("try");
      if (app.times("endpoint flaky", "try").length < 3) throw new Error("not yet");
      return "came";
    });
  });

  add("caught", async ({ note, stepOf }) => {
    try {
      await step.run("no", () => { note("no"); throw new lane.sdk.NonRetriableError("not in this step"); });
    } catch (error) {
      return stepOf("handled", `caught: ${error.message}`);
    }
    return "not reached";
  });

  add("throws", async ({ stepOf }) => {
    await stepOf("kept", 1);
    throw new Error("the endpoint fails");
  }, { retries: 2 }); // which the SDK takes for the number of attempts, the server for what it says

  add("stream", async ({ stepOf }) => {
    await step.run("fill", async () => { // a push outside of steps is made again with each call
      stream.push("first");
      stream.push({ second: 2 });
      return stream.pipe((async function* () { yield "th"; yield "ird"; })());
    });
    await step.sleep("nap", "1s");
    const filled = await stepOf("after", "rested");
    stream.push({ fourth: filled });
    return { done: true };
  });

  add("quiet", sleeping);
  return served;
}

export function functions({ add, app, lane }) {
  if (!lane.endpoints) return;
  add("endpoint-child", { retries: 0 }, async ({ event, step }) => step.run("twice", () => {
    app.note({ runId: "child" }, "twice", "endpoint child");
    return event.data.n * 2;
  }));
}

export function scenarios(world) {
  const { lane, test, waitMS, sawOnce } = world;
  if (!lane.endpoints) return;
  const { fetchWithStream } = lane.endpoints;

  const url = (name, query = "") => new URL(`/endpoint/${name}${query}`, world.app.url).href;
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ hi: "héllo", n: 1 }) };
  const runOf = (name) => {
    const runs = world.app.runs(`endpoint ${name}`);
    assert.equal(runs.length, 1, `runs of ${name}: ${runs}`);
    return runs[0];
  };
  const ended = async (name, status, output) => {
    const run = await world.server.awaitRunID(runOf(name), waitMS);
    assert.equal(run.status, status, JSON.stringify(run.output));
    if (output !== undefined) assert.deepEqual(run.output, output);
    return run;
  };

  test("endpoint: answers at once, and its run is recorded", async () => {
    const answer = await fetch(url("sync", "?x=1"), post);
    assert.equal(answer.status, 201);
    assert.equal(answer.headers.get("x-mine"), "1");
    assert.deepEqual(await answer.json(), { steps: [{ n: 1 }, "two"], query: "?x=1", body: { hi: "héllo", n: 1 } });
    sawOnce("endpoint sync", "call", "one", "two");
    await ended("sync", "Completed", null); // the SDK reports no body of a Response
  });

  test("endpoint: a value is answered and is the run's output", async () => {
    const answer = await fetch(url("plain"));
    assert.deepEqual([answer.status, await answer.json()], [200, { one: 1 }]);
    await ended("plain", "Completed", { one: 1 });
  });

  test("endpoint: redirects a client that has to wait, and reads its request again after", async () => {
    const answer = await fetch(url("sleep", "?x=1&y=%C3%A9"), post);
    assert.ok(answer.redirected && answer.url.startsWith(world.server.url), answer.url);
    assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "application/json"]);
    const expected = { before: { n: 1 }, after: "rested", query: "?x=1&y=%C3%A9", body: { hi: "héllo", n: 1 } };
    assert.deepEqual(await answer.json(), expected);
    sawOnce("endpoint sleep", "before", "after");
    const slept = world.app.times("endpoint sleep", "after")[0] - world.app.times("endpoint sleep", "before")[0];
    assert.ok(slept >= 1000, `slept only ${slept} ms`);
    await ended("sleep", "Completed", expected);
  });

  test("endpoint: gives a token instead of a redirect", async () => {
    const { run_id: run, token } = await (await fetch(url("token"), { ...post, redirect: "error" })).json();
    assert.equal(run, runOf("token"));
    for (const prefix of ["/v1/http/runs", "/v1/checkpoint"]) {
      const answer = await fetch(`${world.server.url}${prefix}/${run}/output?token=${token}`);
      assert.deepEqual([answer.status, (await answer.json()).after], [200, "rested"]);
    }
    const refused = await fetch(`${world.server.url}/v1/http/runs/${run}/output?token=${token}x`);
    assert.equal(refused.status, 401);
  });

  test("endpoint: a proxy of the app's fetches the answer", async () => {
    const answer = await fetch(url("proxied"), post);
    assert.ok(answer.url.startsWith(url("proxy")), answer.url);
    assert.equal((await answer.json()).after, "rested");
  });

  test("endpoint: waits for an event", async () => {
    const waiting = fetch(url("wait", "?k=1"));
    await eventually("the wait", waitMS, () => world.app.times("endpoint wait", "call").length > 0);
    let answer;
    waiting.then((got) => { answer = got; });
    await eventually("the answer", waitMS, async () => {
      await world.app.client.send({ name: `${lane.id}/endpoint.go`, data: { key: "k=2" } });
      await world.app.client.send({ name: `${lane.id}/endpoint.go`, data: { key: "k=1", n: 5 } });
      return answer;
    });
    assert.deepEqual(await answer.json(), { got: { key: "k=1", n: 5 } });
    sawOnce("endpoint wait", "go on");
  });

  test("endpoint: invokes a function", async () => {
    const answer = await fetch(url("invoke"));
    assert.deepEqual([answer.status, await answer.json()], [200, 42]);
    sawOnce("endpoint child", "twice");
    sawOnce("endpoint invoke", "after");
  });

  test("endpoint: parallel steps", async () => {
    const answer = await fetch(url("parallel"));
    assert.deepEqual(await answer.json(), [1, 2, null]);
    sawOnce("endpoint parallel", "a", "b");
  });

  test("endpoint: a step that fails is tried again by the server", async () => {
    const answer = await fetch(url("flaky"));
    assert.deepEqual([answer.status, await answer.json()], [200, "came"]);
    sawOnce("endpoint flaky", "kept");
    assert.equal(world.app.times("endpoint flaky", "try").length, 3);
    await ended("flaky", "Completed", "came");
  });

  test("endpoint: catches the error of a step", async () => {
    const answer = await fetch(url("caught"));
    assert.deepEqual([answer.status, await answer.json()], [200, "caught: not in this step"]);
    sawOnce("endpoint caught", "no", "handled");
  });

  test("endpoint: one that throws fails its run and answers 500", async () => {
    const answer = await fetch(url("throws"));
    assert.equal(answer.status, 500);
    assert.equal((await answer.json()).message, "the endpoint fails");
    sawOnce("endpoint throws", "kept");
    assert.equal(world.app.times("endpoint throws", "call").length, 3);
    assert.equal((await ended("throws", "Failed")).output.message, "the endpoint fails");
  });

  test("endpoint: streams to its client, also after a wait", async () => {
    const data = [];
    let metadata;
    const answer = await fetchWithStream(url("stream"), {
      onData: ({ data: one }) => data.push(one), onMetadata: ({ runId }) => { metadata = runId; },
    });
    assert.deepEqual(data, ["first", { second: 2 }, "th", "ird", { fourth: "rested" }]);
    assert.equal(metadata, runOf("stream"));
    assert.deepEqual([answer.status, await answer.json()], [200, { done: true }]);
    sawOnce("endpoint stream", "after");
    await ended("stream", "Completed", { done: true });
  });

  test("endpoint: a client that asks for a stream gets an answer of one that streams nothing", async () => {
    const answer = await fetchWithStream(url("quiet", "?x=1"), { fetchOpts: post });
    assert.deepEqual(await answer.json(), { before: { n: 1 }, after: "rested", query: "?x=1", body: { hi: "héllo", n: 1 } });
    await ended("quiet", "Completed");
  });

  if (lane.keys) {
    test("endpoint: the SDK takes a call that is not signed for nobody's", async () => {
      const answer = await fetch(url("plain"), { headers: { "x-run-id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "x-inngest-signature": "t=1&s=2" } });
      assert.equal(answer.status, 401);
    });
  }
}
