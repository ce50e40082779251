// SDK major 4 against a production server: events need their key, calls are signed and checked.
import * as sdk from "inngest-v4";
import { createDefer, metadataMiddleware } from "inngest-v4/experimental";
import { serve } from "inngest-v4/node";
import { endpoints } from "./v4-endpoints.mjs";
import { suite } from "./suite.mjs";

suite({
  id: "ts4keys", major: 4, sdk, serve, createDefer, endpoints, metadataMiddleware, clientOptions: { checkpointing: false }, runComplete: false,
  keys: { signing: "7468697320697320612074657374206b6579", event: "ts-suite-event-key" },
});
