// SDK major 3 against a production server: events need their key, calls are signed and checked.
import { subscribe } from "@inngest/realtime";
import * as sdk from "inngest-v3";
import { metadataMiddleware } from "inngest-v3/experimental";
import { serve } from "inngest-v3/node";
import { suite } from "./suite.mjs";

suite({
  id: "ts3keys", major: 3, sdk, serve, metadataMiddleware, subscribe, clientOptions: {}, runComplete: false,
  keys: { signing: "7468697320697320612074657374206b6579", event: "ts-suite-event-key" },
});
