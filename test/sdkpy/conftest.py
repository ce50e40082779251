"""One server and one app for all tests: the scenarios share nothing but them."""

import collections.abc

import pytest

from app import App
from harness import Server


@pytest.fixture(scope="session")
def server() -> collections.abc.Iterator[Server]:
    server = Server("--retry-interval", "1")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def app(server: Server) -> collections.abc.Iterator[App]:
    app = App(server.url)
    yield app
    app.close()


@pytest.fixture(autouse=True)
def server_log(request: pytest.FixtureRequest, server: Server) -> collections.abc.Iterator[None]:
    """Print the last output of the server; pytest shows it for failed tests only."""
    yield
    print("last output of the server:")
    print(server.log())
