// SDK major 3 with its defaults.
import { subscribe } from "@inngest/realtime";
import * as sdk from "inngest-v3";
import { metadataMiddleware } from "inngest-v3/experimental";
import { serve } from "inngest-v3/node";
import { suite } from "./suite.mjs";

suite({ id: "ts3", major: 3, sdk, serve, metadataMiddleware, subscribe, clientOptions: {}, runComplete: false });
