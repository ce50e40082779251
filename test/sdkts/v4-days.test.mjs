// SDK major 4 with its defaults, over days.
import * as sdk from "inngest-v4";
import { metadataMiddleware } from "inngest-v4/experimental";
import { serve } from "inngest-v4/node";
import { days } from "./days.mjs";

days({ id: "ts4", major: 4, sdk, serve, metadataMiddleware, clientOptions: {} });
