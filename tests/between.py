"""What stands between a client and a server of http here: it hears each request, and may hold, cut or answer it."""

from __future__ import annotations

import http.client
import http.server
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is said instead of the server."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Cut(Enum):
    """The connection ends."""

    UPLOAD = "in the midst of what is sent to the server"
    DOWNLOAD = "in the midst of what the server answers"


Client = tuple[str, int]
"""The address of one end of a connection."""
Rule = Callable[[Asked], "Answer | Cut | None"]
"""None: the request goes on to the server as it is."""


def _let_pass(_asked: Asked) -> None:
    return None


@dataclass
class Between:
    """It, while it runs."""

    url: str
    rule: Rule = _let_pass
    heard: list[Asked] = field(default_factory=list)
    clients: frozenset[Client] = frozenset()
    """Whoever is connected."""
    _under_way: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)

    @contextmanager
    def hearing(self, asked: Asked) -> Iterator[None]:
        with self._changed:
            self.heard.append(asked)
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def connected(self, client: Client, *, is_there: bool) -> None:
        with self._changed:
            self.clients = self.clients | {client} if is_there else self.clients - {client}
            self._changed.notify_all()

    def see_off(self, others: frozenset[Client]) -> None:
        """Wait until nobody is connected but *others*, when whoever was besides has ended: the last word is heard."""
        port = int(self.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as last, self._changed:  # they come in their order
            assert self._changed.wait_for(lambda: last.getsockname() in self.clients, timeout=60)
        with self._changed:
            assert self._changed.wait_for(lambda: self.clients <= others, timeout=60)

    def settle(self) -> None:
        """From now on all goes on as it is, and nothing is under way that was asked before."""
        self.rule = _let_pass
        with self._changed:
            assert self._changed.wait_for(lambda: not self._under_way, timeout=60)

    def sent(self) -> list[str]:
        """The objects that were put, by hash, whatever became of it."""
        return [hash_of(one) for one in self.heard if one.method == "PUT"]

    def fetched(self) -> list[str]:
        return [hash_of(one) for one in self.heard if one.method == "GET" and "/files/md5/" in one.path]


def hash_of(asked: Asked) -> str:
    """The hash of the object that is *asked* for."""
    return "".join(asked.path.partition("?")[0].split("/")[-2:])


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    between: Between
    port: int

    def log_message(self, *_args: object) -> None:
        pass

    def _pass(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # who asked was killed meanwhile, and the server would wait for the rest
            self.close_connection = True
            return
        asked = Asked(self.command, self.path, body)
        with self.between.hearing(asked), suppress(ConnectionError):  # who asked may have been killed meanwhile
            told = self.between.rule(asked)
            if isinstance(told, Answer):
                self._say(told.status, told.headers | {"Content-Length": str(len(told.body))}, told.body)
            else:
                self._ask(body, told)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass

    def _ask(self, body: bytes, cut: Cut | None) -> None:
        server = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():  # as they were signed
                server.putheader(name, value)
            server.endheaders(body[: len(body) // 2] if cut is Cut.UPLOAD else body)
            if cut is Cut.UPLOAD:
                self.close_connection = True
                server.sock.shutdown(socket.SHUT_WR)
                while server.sock.recv(1 << 16):  # until it has done with that half, which the next try would meet
                    pass
                return
            answer = server.getresponse()
            content = answer.read()
            headers = {name: value for name, value in answer.getheaders() if name != "Transfer-Encoding"}
            if self.command != "HEAD":
                headers["Content-Length"] = str(len(content))
            self._say(answer.status, headers, content[: len(content) // 2] if cut else content)
            self.close_connection = self.close_connection or cut is not None
        finally:
            server.close()

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    between: Between

    def process_request(self, request: Any, client_address: Any) -> None:
        self.between.connected(client_address, is_there=True)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.between.connected(client_address, is_there=False)

    def handle_error(self, *_args: object) -> None:
        """Say nothing of clients that went away."""
        if not isinstance(sys.exception(), ConnectionError):
            raise


@contextmanager
def between(port: int) -> Iterator[Between]:
    """Before the server at *port* of this machine."""
    handler = type("Handler", (_Handler,), {"port": port})
    server = _Server(("127.0.0.1", 0), handler)
    server.between = handler.between = Between(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.between
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
