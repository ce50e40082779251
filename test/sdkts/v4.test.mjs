// SDK major 4 with its defaults: it checkpoints steps, and falls back to returning them where the server refuses.
import * as sdk from "inngest-v4";
import { createDefer, metadataMiddleware } from "inngest-v4/experimental";
import { serve } from "inngest-v4/node";
import { endpoints } from "./v4-endpoints.mjs";
import { suite } from "./suite.mjs";

suite({ id: "ts4", major: 4, sdk, serve, createDefer, endpoints, metadataMiddleware, clientOptions: {}, runComplete: true });
