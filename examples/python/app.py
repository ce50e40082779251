"""A small app: one durable function, served over HTTP."""

import datetime
import logging

import flask
import inngest
import inngest.flask

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("example")

client = inngest.Inngest(app_id="example-python", logger=log)


@client.create_function(
    fn_id="welcome",
    name="Welcome a new user",
    trigger=inngest.TriggerEvent(event="user/signed.up"),
)
def welcome(ctx: inngest.ContextSync) -> str:
    """Greet, wait, and ask how it goes. Each step runs once, whatever happens to this process in between."""
    email = ctx.event.data["email"]

    def greet() -> str:
        log.info("greeting %s", email)
        return f"Welcome, {email}"

    def ask() -> str:
        log.info("asking %s", email)
        return f"{greeting}. How is it going?"

    greeting = ctx.step.run("greet", greet)
    ctx.step.sleep("let them look around", datetime.timedelta(seconds=2))
    return ctx.step.run("ask", ask)


app = flask.Flask(__name__)
inngest.flask.serve(app, client, [welcome])

if __name__ == "__main__":
    app.run(port=8000)
