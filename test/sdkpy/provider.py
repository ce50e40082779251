"""A server of the outside world: echoes under /echo, a model of OpenAI's shape under /v1."""

import json
import threading
import typing

import flask
import werkzeug.serving


class Asked(typing.NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: str


class Provider:
    """Serves until close and remembers its requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: list[Asked] = []
        web = flask.Flask("provider")
        web.post("/v1/chat/completions")(self._complete)
        self._web = werkzeug.serving.make_server("127.0.0.1", 0, web, threaded=True)
        self._web.daemon_threads = True
        threading.Thread(target=self._web.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._web.server_port}"

    def close(self) -> None:
        self._web.shutdown()

    def asked(self, part: str) -> list[Asked]:
        """The requests whose body contains the text."""
        with self._lock:
            return [r for r in self._requests if part in r.body]

    def _complete(self) -> tuple[dict[str, typing.Any], int]:
        request = flask.request
        body = request.get_data(as_text=True)
        with self._lock:
            self._requests.append(Asked(request.method, request.path, dict(request.headers), body))
        model = json.loads(body)["model"]
        if model == "broken" or (model == "flaky" and len(self.asked(f'"{model}"')) == 1):
            return {"error": {"message": "overloaded"}}, 503
        message = {"role": "assistant", "content": "an answer"}
        return {"object": "chat.completion", "model": model, "choices": [{"index": 0, "message": message}]}, 200
