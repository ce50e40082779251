// The trace of a run, as GraphQL tells of it in both shapes (Spec 05 §8.8, §9.2).
import assert from "node:assert/strict";
import { eventually } from "./eventually.mjs";

const limitMS = 30_000; // how much later than the run itself its trace ends: it is written in groups

// Calls have steps, steps have attempts, and attempts have what the app traced itself.
const query = `query($run:String!){run(runID:$run){status new:trace(preview:true){...tree} legacy:trace(preview:false){...tree}}}
fragment one on RunTraceSpan{name status runID spanID parentSpanID isRoot isUserland stepOp stepID outputID queuedAt startedAt endedAt stepInfo{__typename}}
fragment tree on RunTraceSpan{...one childrenSpans{...one childrenSpans{...one childrenSpans{...one childrenSpans{...one}}}}}`;
const outputQuery = "query($id:String!){output:runTraceSpanOutputByID(outputID:$id){input data error{message name stack cause}}}";

// What there is to say of steps, by their ops.
const infos = {
  RUN: "RunStepInfo", SLEEP: "SleepStepInfo", WAIT_FOR_EVENT: "WaitForEventStepInfo", INVOKE: "InvokeStepInfo", WAIT_FOR_SIGNAL: "WaitForSignalStepInfo",
};
const ended = ["COMPLETED", "FAILED", "CANCELLED", "SKIPPED"];

/** The status of a run and its trace: { status, shapes: { new, legacy } }. */
export async function traceOf(server, runID) {
  const { run } = await server.query(query, { run: runID });
  assert.ok(run?.new && run.legacy, `run ${runID} has no trace`);
  return { status: run.status, shapes: { new: run.new, legacy: run.legacy } };
}

/** The children with the name. */
export const named = (span, name) => span.childrenSpans.filter((child) => child.name === name);

const children = (span) => span.childrenSpans ?? [];
const all = (span) => [span, ...children(span).flatMap(all)];
const began = (span) => Date.parse(span.startedAt ?? span.queuedAt);

/** The tree as text, for people. */
export const outline = (span, indent = "  ") => `${indent}${span.name} ${span.status} ${span.stepOp ?? ""} ${span.stepID ?? ""}\n`
  + children(span).map((child) => outline(child, `${indent}  `)).join("");

// The legacy shape does not tell the op of a step that failed, nor of a request that the server makes.
const opless = (span, shape) => shape === "legacy" && !span.stepOp && (span.status === "FAILED" || /fetch/.test(span.name));

// What is wrong with one span of a run that has ended.
function* faultsOf(span, runID, shape, isRoot) {
  if (span.runID !== runID) yield `is of run ${span.runID}`;
  if (!span.name || span.name === "Unknown step") yield "has no name";
  if (span.isRoot !== isRoot) yield `isRoot is ${span.isRoot}`;
  if (!ended.includes(span.status)) yield `is ${span.status}`;
  if (!span.endedAt && span.status !== "SKIPPED") yield "has ended, nobody knows when";
  if (span.endedAt && Date.parse(span.endedAt) < began(span)) yield `ended at ${span.endedAt}, before it began`;
  if (span.stepID && !span.stepOp && !opless(span, shape)) yield "has no op";
  if (span.stepInfo && span.stepInfo.__typename !== infos[span.stepOp]) yield `of op ${span.stepOp} has a ${span.stepInfo.__typename}`;
  const times = children(span).map(began);
  if (times.some((at, i) => i > 0 && at < times[i - 1])) yield "has children that are not in the order of time";
}

async function outputFault(server, span) {
  if (!span.outputID) return undefined;
  const { output } = await server.query(outputQuery, { id: span.outputID });
  if ((output.data === null) === (output.error === null)) return "has an output with neither data nor error, or both";
  // A wait that timed out counts as completed, that for a function too.
  if (output.error && span.status === "COMPLETED" && span.stepOp !== "INVOKE") return `completed with the error ${JSON.stringify(output.error)}`;
  return undefined;
}

/**
 * Checks that the trace of a run that has ended, in both shapes, is the one of that end. Each of the steps, by name, is in it once; in a
 * run that did not complete one may be missing, as nobody need have heard of it.
 */
export async function checkTrace(server, run, steps = []) {
  const want = run.status.toUpperCase();
  const { shapes } = await eventually(`trace of run ${run.run_id}`, limitMS, async (saw) => {
    const trace = await traceOf(server, run.run_id);
    saw(`GraphQL says it is ${trace.status}, want ${want}`);
    return trace.status === want && trace;
  });
  for (const [shape, root] of Object.entries(shapes)) {
    const wrong = [];
    if (root.status !== want) wrong.push(`the root is ${root.status}, want ${want}`);
    const ids = root.childrenSpans.map((child) => child.stepID).filter(Boolean);
    if (new Set(ids).size !== ids.length) wrong.push("a step is there again");
    for (const span of all(root)) {
      for (const fault of faultsOf(span, run.run_id, shape, span === root)) wrong.push(`"${span.name}" ${fault}`);
      const fault = await outputFault(server, span);
      if (fault) wrong.push(`"${span.name}" ${fault}`);
    }
    for (const name of steps) {
      const found = named(root, name);
      if (found.length > 1 || (found.length === 0 && want === "COMPLETED")) wrong.push(`step "${name}" is there ${found.length} times`);
      for (const step of found) if (step.stepOp !== "RUN" && !opless(step, shape)) wrong.push(`step "${name}" has the op ${step.stepOp}`);
    }
    assert.deepEqual(wrong, [], `${shape} trace of run ${run.run_id}:\n${outline(root)}`);
  }
}
