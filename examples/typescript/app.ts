// A small app: one durable function, served over HTTP.
import { createServer } from "node:http";
import { Inngest } from "inngest";
import { serve } from "inngest/node";

const inngest = new Inngest({ id: "example-typescript" });

// Greets, waits, and asks how it goes. Each step runs once, whatever happens to this process in between.
const welcome = inngest.createFunction(
  { id: "welcome", name: "Welcome a new user", triggers: [{ event: "user/signed.up" }] },
  async ({ event, step }) => {
    const greeting = await step.run("greet", () => {
      console.log("greeting", event.data.email);
      return `Welcome, ${event.data.email}`;
    });
    await step.sleep("let them look around", "2s");
    return step.run("ask", () => {
      console.log("asking", event.data.email);
      return `${greeting}. How is it going?`;
    });
  },
);

createServer(serve({ client: inngest, functions: [welcome] })).listen(3000, () => {
  console.log("serving on http://localhost:3000/api/inngest");
});
