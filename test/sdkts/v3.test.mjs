// SDK major 3 with its defaults.
import { subscribe } from "@inngest/realtime";
import * as sdk from "inngest-v3";
import { serve } from "inngest-v3/node";
import { suite } from "./suite.mjs";

suite({ id: "ts3", major: 3, sdk, serve, subscribe, clientOptions: {}, runComplete: false });
