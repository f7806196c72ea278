"""The lines of a file that grows."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from mlgit.launch import following


def test_a_large_file_is_never_held_whole(tmp_path: Path):
    (tmp_path / "log").write_bytes(
        b"x" * 99 + b"\n" + b"y" * 3_000_000 + b"\n" + (b"z" * 99 + b"\n") * 300_000 + b"end"
    )
    tracemalloc.start()
    found = following.lines(tmp_path / "log", lambda: True)

    sizes = [len(next(found)), len(next(found)), *(len(line) for line in found)]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (sizes[:3], sizes[-2:], len(sizes)) == ([99, 3_000_000, 99], [99, 3], 300_003)
    assert most < 20_000_000


def test_what_is_added_while_it_is_read_is_left_for_the_next_look(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("one\n")
    found = following.lines(log, lambda: True)
    first = next(found)
    log.write_text("one\ntwo\n")

    assert (first, [*found]) == ("one", [])


def test_lines_that_are_added_come_as_soon_as_they_are_whole(tmp_path: Path):
    log = tmp_path / "log"
    steps = iter(("", "on", "e\ntw", "o\nthree"))

    def more() -> bool:
        step = next(steps, None)
        if step:
            with log.open("a") as file:
                file.write(step)
        return step is None

    assert [*following.lines(log, more)] == ["one", "two", "three"]
