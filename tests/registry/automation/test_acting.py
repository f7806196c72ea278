from __future__ import annotations

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from mlgit.errors import MlgitError, UsageError
from mlgit.registry.automation import acting, webhook
from mlgit.registry.automation.events import Event
from mlgit.registry.automation.file import Automation, Command, Dispatch, On, Webhook

EVENT = Event(
    id="net#production#2", on=On.PROMOTED, model="net", stage="production", version="v1.1.0", instead="v1.0.0",
    when=1_800_000_000, by="ann", tag="net#production#2", digest="d" * 32,
)  # fmt: skip


class Receiver(http.server.BaseHTTPRequestHandler):
    """Who is told: it notes what it hears, and answers as its server says."""

    heard: list[tuple[Mapping[str, str], bytes]]
    status: int
    leave: threading.Event

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "/elsewhere")
        if self.status == 503:  # and then no word
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.leave.wait(60)
        self.end_headers()
        self.wfile.write(b"thanks\x1b[31m\nmore, sesame")

    def do_GET(self) -> None:
        self.heard.append(({}, b"a redirect was followed"))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@contextmanager
def receiver(status: int = 200) -> Iterator[tuple[str, list[tuple[Mapping[str, str], bytes]]]]:
    handler = type("Handler", (Receiver,), {"heard": [], "status": status, "leave": threading.Event()})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/hook", handler.heard  # type: ignore[attr-defined]
        finally:
            handler.leave.set()  # type: ignore[attr-defined]
            server.shutdown()
            thread.join()


def act(do: Any, **hands: Any) -> str:
    refused = pytest.fail
    given = {"environ": {"KEY": "sesame"}, "serves": lambda *_: "v1.2.0", "dispatch": refused, "run": refused} | hands
    return acting.act(acting.Hands(**given), Automation(name="tell", on=On.PROMOTED, do=do), EVENT)


def test_a_webhook_is_told_what_happened_and_what_serves_by_now_signed():
    with receiver() as (url, heard):
        said = act(Webhook(webhook=url, secret="KEY"))

    ((headers, body),) = heard
    assert said == "200 thanks more, ***"
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("model.promoted", "2027-01-15T08:00:00Z")
    assert told["data"]["version"] == "v1.1.0"
    assert (told["data"]["instead"], told["data"]["serves_now"]) == ("v1.0.0", "v1.2.0")
    assert headers["webhook-id"] == hashlib.sha256(b"tell net#production#2").hexdigest()[:32]
    assert headers["webhook-signature"] == webhook.signature(
        headers["webhook-id"], body, secret="sesame", moment=int(headers["webhook-timestamp"])
    )


@pytest.mark.parametrize(
    ("status", "what"), [(500, "answered 500"), (404, "answered 404"), (302, "leads to /elsewhere")]
)
def test_what_is_no_success_fails(status: int, what: str):
    with receiver(status) as (url, heard), pytest.raises(MlgitError, match=what):
        act(Webhook(webhook=url))
    assert len(heard) == 1


def test_who_refuses_and_never_says_why_has_refused():
    with receiver(503) as (url, heard), pytest.raises(MlgitError, match="answered 503"):
        act(Webhook(webhook=url, seconds=0.5))
    assert len(heard) == 1


def test_who_is_not_there_fails_and_without_a_secret_nothing_is_sent():
    with receiver() as (url, heard):
        with pytest.raises(UsageError, match="no OTHER, so nothing that is sent could be signed"):
            act(Webhook(webhook=url, secret="OTHER"))
        assert heard == []
    with pytest.raises(MlgitError, match="did not answer"):
        act(Webhook(webhook=url, seconds=1))


def test_a_workflow_is_started_with_what_its_inputs_name():
    started: list[Any] = []

    def dispatch(*asked: Any) -> str:
        started.append(asked)
        return "https://github.example/runs/1"

    do = Dispatch(dispatch="deploy.yml", ref="main", inputs={"what": "{model}@{version} of {digest}", "plain": "x"})
    assert act(do, dispatch=dispatch) == "https://github.example/runs/1"
    assert started == [("deploy.yml", "main", {"what": f"net@v1.1.0 of {'d' * 32}", "plain": "x"})]


def test_a_command_finds_the_event_on_its_input():
    ran: list[bytes] = []

    def run(_: Command, content: bytes) -> str:
        ran.append(content)
        return "done"

    assert act(Command(command=("deploy",)), run=run) == "done"
    assert json.loads(ran[0])["data"]["model"] == "net"
