"""Real stores on free ports of this machine, for DVC's remotes: S3 that checks signatures, and http with PUT."""

from __future__ import annotations

import configparser
import http.server
import importlib.util
import shutil
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEY, SECRET = "AKIDTEST", "s3cret-of-the-tests"


def has_s3() -> bool:
    """Whether this machine has the server, and what speaks with it."""
    return _rclone() is not None and importlib.util.find_spec("s3fs") is not None


def _rclone() -> str | None:
    return shutil.which("rclone", path=sysconfig.get_path("scripts")) or shutil.which("rclone")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class S3:
    """An S3 server whose buckets are the folders of *place*."""

    place: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *options: str) -> None:
        """Return when it answers; *options* of `rclone serve s3`. What is on disk it learns here, and not later."""
        words = [str(_rclone()), "serve", "s3", "--auth-key", f"{KEY},{SECRET}", "--addr", f"127.0.0.1:{self.port}",
                 "--config", "/dev/null", *options, f":local:{self.place}"]  # fmt: skip
        self.run(words)

    def run(self, words: list[str]) -> None:
        """Return when what *words* start answers."""
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None, f"{words} ended by itself"
            time.sleep(0.05)
        raise AssertionError(f"{words} does not answer")

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def objects(self, bucket: str = "bucket") -> dict[str, Path]:
        """What the remote at the root of *bucket* has: hash → file."""
        return held(self.place / bucket)

    @contextmanager
    def away(self) -> Iterator[None]:
        """While it is down: what lies on its disk may be changed."""
        self.stop()
        yield
        self.start()


def held(root: Path) -> dict[str, Path]:
    """What a remote kept at *root* has: hash → file."""
    return {path.parent.name + path.name: path for path in (root / "files/md5").glob("??/*")}


@contextmanager
def s3(place: Path, *options: str, buckets: tuple[str, ...] = ("bucket",)) -> Iterator[S3]:
    for bucket in buckets:
        (place / bucket).mkdir(parents=True)
    server = S3(place)
    server.start(*options)
    try:
        yield server
    finally:
        server.stop()


def has_versions() -> bool:
    """Whether this machine has an S3 server whose buckets keep versions."""
    return importlib.util.find_spec("moto") is not None and importlib.util.find_spec("s3fs") is not None


@contextmanager
def versioned(top: Path, name: str = "versions", bucket: str = "kept") -> Iterator[Any]:
    """s3fs on an S3 server of its own, whose *bucket* keeps versions; the DVC remote *name* of *top* leads there."""
    import s3fs

    server = S3(top)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(server.port)]
    server.run(command)
    try:
        how = {"endpoint_url": server.url, "key": KEY, "secret": SECRET}
        store = s3fs.S3FileSystem(**how, version_aware=True, skip_instance_cache=True)
        store.mkdir(bucket)
        store.make_bucket_versioned(bucket)
        configure_s3(top, server, name, bucket=bucket)
        yield store
    finally:
        server.stop()


_SSHD = """
import asyncio, sys
import asyncssh

port, place, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]

class Server(asyncssh.SSHServer):
    def password_auth_supported(self):
        return True

    def validate_password(self, username, said):
        return said == password

async def main():
    keys = [asyncssh.generate_private_key("ssh-ed25519")]
    root = lambda channel: asyncssh.SFTPServer(channel, chroot=place)
    server = await asyncssh.listen("127.0.0.1", port, server_host_keys=keys, server_factory=Server, sftp_factory=root)
    await server.wait_closed()

asyncio.run(main())
"""


def has_ssh() -> bool:
    """Whether DVC can speak SFTP here; asyncssh, which it uses, has a server too."""
    return importlib.util.find_spec("sshfs") is not None


def has_webdav() -> bool:
    """Whether DVC can speak WebDAV here, and somebody answers."""
    return importlib.util.find_spec("webdav4") is not None and _rclone() is not None


@contextmanager
def reached(kind: str, top: Path, place: Path, *, password: str = SECRET, below: str = "") -> Iterator[None]:
    """The folder *place* as the default remote of *top*, by `ssh` or `webdav`, or what is *below* it.

    Another *password* is refused.
    """
    place.mkdir(exist_ok=True)
    server = S3(place)
    if kind == "ssh":
        server.run([sys.executable, "-c", _SSHD, str(server.port), str(place), SECRET])
    else:
        server.run([str(_rclone()), "serve", "webdav", "--addr", f"127.0.0.1:{server.port}", "--user", "ada", "--pass",
                    SECRET, "--config", "/dev/null", f":local:{place}"])  # fmt: skip
    try:
        configure(top, "store", f"{kind}://127.0.0.1:{server.port}{below}", user="ada", password=password)
        yield
    finally:
        server.stop()


def configure(top: Path, name: str, url: str, *, default: bool = True, local: bool = False, **settings: str) -> None:
    """Set a remote up, in DVC's files: where it is reached goes to git, the credentials do not."""
    secret = {key: value for key, value in settings.items() if local or "key" in key or "password" in key}
    _write(top / ".dvc/config.local", name, secret | ({"url": url} if local else {}), {})
    shown = {key: value for key, value in settings.items() if key not in secret}
    _write(top / ".dvc/config", name, shown | ({} if local else {"url": url}), {"remote": name} if default else {})


def _write(path: Path, name: str, settings: dict[str, str], core: dict[str, str]) -> None:
    known = configparser.ConfigParser(interpolation=None)
    known.read(path)
    for section, some in ((f"'remote \"{name}\"'", settings), ("core", core)):
        if some:
            known.read_dict({section: some})
    with path.open("w") as file:
        known.write(file)


def configure_s3(
    top: Path, server: S3, name: str = "store", *, secret: str = SECRET, bucket: str = "bucket", url: str = ""
) -> None:
    """Let *name* lead to *server*, by another *url* where something stands in between."""
    configure(top, name, f"s3://{bucket}", endpointurl=url or server.url, access_key_id=KEY, secret_access_key=secret)


def dvc(*args: str, cwd: Path) -> str:
    """Stock DVC."""
    done = subprocess.run([sys.executable, "-m", "dvc", *args], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"dvc {args}: {done.stdout}{done.stderr}"
    return done.stdout


def body_of(request: http.server.BaseHTTPRequestHandler) -> bytes:
    """What was sent with *request*, in one piece or in chunks."""
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length") or 0))
    parts = []
    while size := int(request.rfile.readline().split(b";")[0], 16):
        parts.append(request.rfile.read(size))
        request.rfile.readline()
    request.rfile.readline()
    return b"".join(parts)


class Shelf(http.server.BaseHTTPRequestHandler):
    """A folder that can be read and written by http, as DVC's http remote does."""

    protocol_version = "HTTP/1.1"
    root = Path()
    lie: Callable[[str, bytes], bytes | None] | None = None
    """What is kept of what is sent; None: nothing."""
    password = ""
    readonly = False

    def log_message(self, *_args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(send=False)

    def do_GET(self) -> None:
        self._answer(send=True)

    def _is_let_in(self) -> bool:
        import base64

        wanted = f"Basic {base64.b64encode(f'ada:{self.password}'.encode()).decode()}"
        if self.password and self.headers.get("Authorization") != wanted:
            self._say(401)
            return False
        return True

    def _answer(self, *, send: bool) -> None:
        if self._is_let_in():
            path = self.root / self.path.lstrip("/")
            self._say(200, path.read_bytes(), send=send) if path.is_file() else self._say(404)

    def do_POST(self) -> None:
        body = body_of(self)
        if not self._is_let_in():
            return
        if self.readonly:
            self._say(405)
            return
        kept = self.lie(self.path, body) if self.lie else body
        if kept is not None:
            path = self.root / self.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(kept)
        self._say(200)

    do_PUT = do_POST

    def _say(self, status: int, content: bytes = b"", *, send: bool = True) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if send:
            self.wfile.write(content)


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024


@contextmanager
def shelf(root: Path, **how: object) -> Iterator[tuple[str, type[Shelf]]]:
    """(address, the handler: its fields may be changed) of an http server of the folder *root*."""
    root.mkdir(parents=True, exist_ok=True)
    handler = type("Handler", (Shelf,), {"root": root, **how})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def silent(port: int = 0) -> Iterator[str]:
    """The address of a server that lets everybody in, and never says a word."""
    came: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", port), backlog=64) as server:

        def let_in() -> None:
            with suppress(OSError):  # it is closed
                while True:
                    came.append(server.accept()[0])

        thread = threading.Thread(target=let_in, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for one in came:
                one.close()
