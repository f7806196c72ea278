"""Tables, for who watches and for who pipes."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

from mlgit.cli import output

Rows = Sequence[Sequence[str]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`shown(60, columns, rows)`: the lines of a table on a terminal that wide."""

    def show(width: int, columns: Sequence[str], rows: Rows, **more: Sequence[str]) -> list[str]:
        screen = Terminal()
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setattr(sys, "stdout", screen)
        output.table(columns, rows, **more)
        return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()).splitlines()]

    return show


def test_numbers_stand_under_one_another(shown) -> None:
    assert shown(60, ("run", "loss"), [("a", "0.5"), ("b", "12")], right=("loss",)) == [
        "run   loss",
        "──────────",
        "a      0.5",
        "b       12",
    ]


def test_what_looks_like_markup_stands_as_it_is(shown, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(60, ("run", "a[/b] :smile:"), [("[red]c", "[/d]")])[::2] == ["run      a[/b] :smile:", "[red]c   [/d]"]
    monkeypatch.setattr(sys, "stderr", Terminal())
    with output.progress("runs", 1) as tell:
        tell(1, "e[/f]")
    assert "e[/f]" in sys.stderr.getvalue()


def test_few_rows_of_many_columns_are_turned_on_their_side(shown) -> None:
    columns = ("run", *(f"metric_{number}" for number in range(9)))

    lines = shown(60, columns, [(name, *(["0.5"] * 9)) for name in ("a", "b")])

    assert lines[0].split() == ["run", "a", "b"]
    assert [line.split()[0] for line in lines[2:]] == list(columns[1:])


def test_what_has_no_room_is_left_out_and_named(shown, capsys: pytest.CaptureFixture[str]) -> None:
    columns = ("run", *(f"metric_{number}" for number in range(9)))

    lines = shown(60, columns, [(f"run-{row}", *(["0.12345"] * 9)) for row in range(20)])

    assert max(map(len, lines)) <= 60
    assert not any("…" in line for line in lines)
    assert lines[0].split() == list(columns[:5])
    assert capsys.readouterr().err == "no room for metric_4, metric_5, metric_6, metric_7, metric_8\n"


def test_long_words_fold_before_a_column_goes(shown, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(f"#{row}", "a title of many words that goes on and on", "open") for row in range(9)]

    lines = shown(40, ("number", "title", "state"), rows)

    assert lines[0].split() == ["number", "title", "state"]
    assert max(map(len, lines)) <= 40
    assert capsys.readouterr().err == ""


def test_a_long_text_is_folded_before_a_table_is_turned_on_its_side(shown) -> None:
    rows = [
        (
            f"#{row}",
            "Learn with a rate that a sweep of forty trials over two nights found",
            "feature/lr",
            "main",
            "open",
        )
        for row in range(2)
    ]

    lines = shown(70, ("number", "title", "branch", "into", "state"), rows)

    assert lines[0].split() == ["number", "title", "branch", "into", "state"]
    assert max(map(len, lines)) <= 70
    assert all("feature/lr" in line and "open" in line for line in lines if line.startswith("#"))


def test_what_can_be_spared_goes_before_the_last_column(shown, capsys: pytest.CaptureFixture[str]) -> None:
    columns = ("run", "state", "loss", "acc", "lr")
    rows = [(f"run-number-{row}", "finished", "0.12345", "0.12345", "0.12345") for row in range(20)]

    lines = shown(46, columns, rows, right=("loss", "acc", "lr"), spare=("acc", "loss"))

    assert lines[0].split() == ["run", "state", "loss", "lr"]
    assert capsys.readouterr().err == "no room for acc\n"


def test_what_is_firm_stays_and_the_first_column_is_shortened(shown, capsys: pytest.CaptureFixture[str]) -> None:
    columns = ("run", "state", "loss", "acc")
    rows = [(f"a-run-of-a-long-name-{row:02}-k3f9a2", "finished", "0.12345", "0.12345") for row in range(20)]

    wide = shown(44, columns, rows, right=("loss", "acc"), spare=("loss",), firm=("acc",))
    narrow = shown(30, columns, rows, right=("loss", "acc"), spare=("loss",), firm=("acc",))

    assert wide[0].split() == ["run", "state", "acc"]
    assert wide[2].split() == ["a-run-of-a-…e-00-k3f9a2", "finished", "0.12345"]
    assert narrow[2].split() == ["a-run-of-…-00-k3f9a2", "0.12345"]
    assert capsys.readouterr().err == "no room for loss\nno room for state, loss\n"


def test_a_pipe_gets_all_of_it_with_tabs(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("run", "note"), [("a", "two\nlines\tand \x1b[31mred")])

    assert capsys.readouterr().out == "run\tnote\na\ttwo lines and red\n"


def test_nothing_is_said_beside_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("run",), [], empty="No runs yet.")

    assert capsys.readouterr() == ("", "No runs yet.\n")


def test_a_line_beside_the_result_stands_where_it_was_said_in_a_log_of_both() -> None:
    said = "from mlgit.cli import output; output.say('one'); output.note('two'); output.say('three')"

    done = subprocess.run([sys.executable, "-c", said], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    assert done.stdout.split() == ["one", "two", "three"]


def test_wide_letters_have_the_room_that_they_take(shown) -> None:
    lines = shown(80, ("name", "n"), [("学習率の探索", "1")])

    assert lines[-1] == "学習率の探索   1"
