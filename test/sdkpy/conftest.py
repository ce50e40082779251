"""All tests run against a development server and one with keys; the scenarios share nothing but it and the app."""

import collections.abc

import pytest

from app import App
from harness import Keys, Server

KEYS = Keys(signing="7468697320697320612074657374206b6579", event="py-suite-event-key")


@pytest.fixture(scope="session", params=["dev", "start"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> collections.abc.Iterator[Server]:
    if request.param == "dev":
        server = Server("--retry-interval", "1")
    else:
        folder = str(tmp_path_factory.mktemp("server"))
        server = Server("--retry-interval", "1", keys=KEYS, folder=folder)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def app(server: Server) -> collections.abc.Iterator[App]:
    app = App(server.url, server.keys)
    yield app
    app.close()


@pytest.fixture(autouse=True)
def server_log(request: pytest.FixtureRequest, server: Server) -> collections.abc.Iterator[None]:
    """Print the last output of the server; pytest shows it for failed tests only."""
    yield
    print("last output of the server:")
    print(server.log())
