// What SDK major 4 has for durable endpoints, in the one place that knows where it is.
import { getAsyncCtx } from "inngest-v4/experimental";
import { stream } from "inngest-v4/experimental/durable-endpoints";
import { fetchWithStream } from "inngest-v4/experimental/durable-endpoints/client";
import { endpointAdapter, serveEndpoint } from "inngest-v4/node";

export const endpoints = { endpointAdapter, fetchWithStream, getAsyncCtx, serveEndpoint, stream };
