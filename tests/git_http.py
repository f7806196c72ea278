"""Real git over http: `git http-backend` behind a small server, and a proxy that cuts connections."""

from __future__ import annotations

import http.server
import os
import select
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from tests.stores import body_of


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = Path()
    heard: ClassVar[list[str]] = []
    only: ClassVar[str | None] = None

    def log_message(self, *_args: object) -> None:
        pass

    def _serve(self) -> None:
        url = urlsplit(self.path)  # all of it, where git takes us for its proxy
        path, query = url.path, url.query
        self.heard.append(f"{self.command} {self.path}")
        body = body_of(self)
        if self.only and self.headers.get_all("Authorization") != [f"Basic {b64encode(self.only.encode()).decode()}"]:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        env = os.environ | {
            "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "REMOTE_USER": "ada", "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }  # fmt: skip
        out = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=env).stdout
        head, _, content = out.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _serve


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024

    def handle_error(self, *_args: object) -> None:
        """A client that was cut off is no news."""


@contextmanager
def serving(root: Path, heard: list[str] | None = None, *, only: str | None = None) -> Iterator[str]:
    """The address under which the bare repositories below *root* can be read and pushed to by anybody.

    *heard* takes what is asked for, a line a request; *only*: for who brings `name:password`.
    """
    own = {"root": root, "heard": [] if heard is None else heard, "only": only}
    handler = type("Handler", (_Handler,), own)
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Proxy:
    """Passes on what comes for *port*, and cuts everything once so many bytes have gone in one direction."""

    def __init__(self, port: int) -> None:
        self.most: dict[str, int | None] = {"there": None, "back": None}
        self.passed = {"there": 0, "back": 0}
        self._to = port
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def allow(self, *, there: int | None = None, back: int | None = None) -> None:
        """From now on, so many bytes."""
        self.most = {"there": there, "back": back}
        self.passed = {"there": 0, "back": 0}

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._pass, args=(client,))
            self._threads.append(thread)
            thread.start()

    def _pass(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._to))
        ways = {client: ("there", server), server: ("back", client)}
        with client, server, suppress(OSError):
            while True:
                for one in select.select([client, server], [], [], 10)[0]:
                    way, other = ways[one]
                    data = one.recv(4096)
                    most = self.most[way]
                    room = len(data) if most is None else max(0, most - self.passed[way])
                    self.passed[way] += len(data)
                    other.sendall(data[:room])
                    if not data or room < len(data):
                        return
