// SDK major 4 with checkpointing switched off: every step is returned.
import * as sdk from "inngest-v4";
import { createDefer, metadataMiddleware } from "inngest-v4/experimental";
import { serve } from "inngest-v4/node";
import { endpoints } from "./v4-endpoints.mjs";
import { suite } from "./suite.mjs";

suite({ id: "ts4nc", major: 4, sdk, serve, createDefer, endpoints, metadataMiddleware, clientOptions: { checkpointing: false }, runComplete: false });
