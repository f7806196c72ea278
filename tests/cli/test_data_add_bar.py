from __future__ import annotations

from collections.abc import Callable

from mlgit.git.repo import Repo


def test_who_adds_many_files_sees_how_many_and_how_much(terminal: Callable[..., tuple[int, str]], inside: Repo):
    (inside.folder / "many").mkdir()
    for number in range(5_001):
        (inside.folder / "many" / str(number)).write_text("x" * 100)

    code, shown = terminal("data", "add", "many")

    assert code == 0
    assert " of 5,001 files" in shown
    assert "/500.1 kB" in shown
