"""The first process of a container, here without one: its command's end is its own, whatever comes meanwhile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest

from mlgit.reproduce import leash

LEASH = (sys.executable, "-I", "-S", leash.__file__)


def held(*words: str) -> int:
    """The exit code of *words*, while somebody holds the standard input."""
    with subprocess.Popen([*LEASH, *words], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        return process.wait(60)


def test_a_signal_that_comes_as_the_command_ends_does_not_hide_how_that_ended():
    ends = ("sh", "-c", "trap '' TERM; kill -TERM $PPID; exit 3")

    assert [held(*ends) for _ in range(8)] == [3] * 8


@pytest.mark.parametrize(
    ("words", "code"),
    [(("sh", "-c", "kill -9 $$"), 137), (("sh", "-c", "(exit 5) & exit 4"), 4), (("/no/such",), 127), (("/",), 126)],
)
def test_its_exit_code_is_what_a_shell_would_say(words: Sequence[str], code: int):
    assert held(*words) == code


def test_the_command_ends_with_whoever_holds_the_input():
    with subprocess.Popen([*LEASH, "sleep", "100"], stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.close()

        assert process.wait(60) == 143
