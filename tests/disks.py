"""Disks with little room."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import need


@contextmanager
def small(place: Path, *, megabytes: int) -> Iterator[Callable[[int], None]]:
    """A disk at the folder *place*; what gives it another size."""

    def mount(option: str, megabytes: int) -> bool:
        words = ["mount", "-t", "tmpfs", "-o", f"{option}size={megabytes}m", "tmpfs", str(place)]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def grow(megabytes: int) -> None:
        assert mount("remount,", megabytes)

    place.mkdir(parents=True, exist_ok=True)
    need("mount", mount("", megabytes))
    try:
        yield grow
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def bound(place: Path) -> Iterator[None]:
    """The folder *place* is mounted where it is."""
    need("mount", subprocess.run(["mount", "--bind", place, place], capture_output=True, check=False).returncode == 0)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    """The folder *place* may only be read."""
    with bound(place):
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        yield
