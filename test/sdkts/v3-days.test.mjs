// SDK major 3 with its defaults, over days.
import * as sdk from "inngest-v3";
import { metadataMiddleware } from "inngest-v3/experimental";
import { serve } from "inngest-v3/node";
import { days } from "./days.mjs";

days({ id: "ts3", major: 3, sdk, serve, metadataMiddleware, clientOptions: {} });
