"""A docker daemon of the tests' own, and an image that nobody has to download: this machine's Python and git."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

IMAGE = "local/python:1"
_LEFT_OUT = re.compile(r"/(?:test|tests|site-packages|__pycache__|idlelib|ensurepip|tkinter|config-[^/]+)(?:/|$)")


def is_here() -> bool:
    """Whether this machine can run one."""
    return os.geteuid() == 0 and all(map(shutil.which, ("dockerd", "containerd", "runc")))


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """The address of a daemon that keeps everything in *folder*, and makes no networks.

    Its sockets lie there: their paths may have 104 characters, which leaves *folder* 60 or so.
    """
    address = f"unix://{folder}/d.sock"
    words = ("dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "-H", address,
             "--pidfile", f"{folder}/pid", "--group", "root", "--iptables=false", "--ip6tables=false",
             "--ip-masq=false", "--bridge=none")  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            _wait(address, process, folder / "log")
            yield address
        finally:
            process.terminate()
            process.wait()
            for left in (
                *(folder / "exec/netns").glob("*"),
                folder / "data",
            ):  # may be left mounted: nobody could remove it
                subprocess.run(["umount", str(left)], capture_output=True, check=False)


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until somebody listens at *address*. docker's library would leave a socket open for each try in vain."""
    until = time.monotonic() + 120
    while not _is_open(address.removeprefix("unix://")):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


def _is_open(path: str) -> bool:
    """Whether it answers: it listens a moment before, and may still hang up on who comes as early."""
    with socket.socket(socket.AF_UNIX) as one:
        try:
            one.settimeout(10)
            one.connect(path)
            one.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return one.recv(64).startswith(b"HTTP/1.")
        except OSError:
            return False


def client(address: str) -> Any:
    """docker's own client of the daemon there; what it asks first is answered when the daemon is ready."""
    import docker

    return docker.DockerClient(base_url=address, timeout=120)


def make_image(address: str, others: Iterable[str] = (), installed: Iterable[str] = ()) -> None:
    """Make `IMAGE`: Python, git and a shell, and what they and *others* load, from this very machine.

    Its Python has the distributions *installed*.
    """
    programs = [str(Path(shutil.which(name) or name).resolve()) for name in ("git", "sh", "env", "timeout")]
    home = Path(sys.base_prefix)
    python = home / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = home / "lib" / python.name
    modules = [path for path in library.rglob("*") if path.is_file() and not _LEFT_OUT.search(str(path))]
    loaded = _loaded([*programs, *others, str(python), *(str(path) for path in modules if path.suffix == ".so")])
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", dereference=True) as tar:
        for path in dict.fromkeys((*programs, str(python), *map(str, modules), *loaded)):
            tar.add(path)
        for name, target in {"/usr/bin/python3": python, "/bin/sh": programs[1], "/usr/bin/git": programs[0]}.items():
            _link(tar, name, str(target))
        for name in installed:
            for path in metadata.files(name) or ():
                if ".." not in path.parts and path.suffix != ".pyc":
                    tar.add(str(path.locate()), library / "site-packages" / path)
        made = tarfile.TarInfo("tmp")
        made.type, made.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(made)
    with contextlib.closing(client(address)) as one:
        repository, _, tag = IMAGE.partition(":")
        one.api.import_image_from_data(
            content.getvalue(), repository=repository, tag=tag, changes=[f"ENV PATH={python.parent}:/usr/bin:/bin"]
        )


def _loaded(programs: Iterable[str]) -> set[str]:
    """The libraries that *programs* load, and the loader."""
    said = subprocess.run(("ldd", *programs), capture_output=True, text=True, check=False).stdout
    found = re.findall(r"(?:=> |^\t)(/\S+) \(0x", said, re.MULTILINE)
    return {path for name in found if not _LEFT_OUT.search(path := os.path.normpath(name))}


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    if name != target:
        link = tarfile.TarInfo(name.lstrip("/"))
        link.type, link.linkname = tarfile.SYMTYPE, target
        tar.addfile(link)
