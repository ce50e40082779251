// What takes days. Each scenario has an app and a server of its own, since all that is on a server shares its time, which is
// moved by hand.
import { describe, it } from "node:test";
import { Days } from "./days-app.mjs";
import { flowScenarios } from "./days-flow.mjs";
import { timeScenarios } from "./days-time.mjs";
import { startServer } from "./harness.mjs";

const suiteMS = 240_000;
const atOnce = 4; // servers

/** Declares the scenarios for a lane, see suite.mjs. */
export function days(lane) {
  describe(`${lane.id}, over days`, { concurrency: atOnce, timeout: suiteMS }, () => {
    for (const [name, scenario] of Object.entries({ ...flowScenarios, ...timeScenarios })) {
      it(name, async () => {
        const server = await startServer({ clock: true });
        const d = new Days(lane, server);
        try {
          await scenario(d);
        } catch (error) {
          error.message += `\nlast output of the server:\n${server.log.slice(-4000)}`;
          throw error;
        } finally {
          await d.app?.close();
          await server.stop();
        }
      });
    }
  });
}
