"""What is left on a terminal when a program has ended."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.core.terminal import WIDTH, render


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("plain\ntext\n", "plain\ntext\n"),
        ("over\r\nthe wire\r\n", "over\nthe wire\n"),
        ("  0%\r 50%\r100%\n", "100%\n"),
        ("a longer line\rshort\n", "shortger line\n"),
        ("a longer line\r\x1b[Kshort\n", "short\n"),
        ("a longer line\x1b[2K\rshort\n", "short\n"),
        ("half done\r", "half done"),
        ("abc\b\bX\n", "aXc\n"),
        ("\b\b\bx\n", "x\n"),
        ("\x1b[31mred\x1b[0m \x1b[1;38;5;9mbold\x1b[m\n", "red bold\n"),
        ("\x1b]0;a title\x07text\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "textlink\n"),
        ("one\ntwo\n\x1b[2A\x1b[2KONE\n\n", "ONE\ntwo\n"),
        ("a\nb\x1b[1Fc\n", "c\nb"),
        ("a\x1b[4Cb\x1b[3Gc\n", "a c  b\n"),
        ("12345\x1b[3D\x1b[PX\n", "12X5\n"),
        ("12345\r\x1b[2XX\n", "X 345\n"),
        ("12345\r\x1b[2@X\n", "X 12345\n"),
        ("\x1b[?25lhidden cursor\x1b[?25h\n", "hidden cursor\n"),
        ("epoch 1\n\x1b[H\x1b[2Jepoch 2\n\x1b[2J\x1b[Hepoch 3\n", "epoch 1\nepoch 2\nepoch 3\n"),
        ("one\ntwo\nthree\x1b[2F\x1b[J1\n", "1\n"),
        ("\x1b7mark\x1b8M\n", "Mark\n"),
        ("trailing   \n", "trailing\n"),
        ("tab\there\n", "tab\there\n"),
        ("bell\x07 null\x00 torn\x1b[", "bell null torn["),
        ("\u202eevil\n", "evil\n"),
        ("", ""),
    ],
)
def test_it_is_left_as_a_terminal_leaves_it(said: str, left: str):
    assert render(said) == left


def test_nested_progress_bars_leave_each_its_last_state():
    tqdm = pytest.importorskip("tqdm").tqdm
    screen = io.StringIO()
    for _ in tqdm(range(3), desc="outer", file=screen, position=0, ascii=True, mininterval=0):
        for _ in tqdm(range(5), desc="inner", file=screen, position=1, ascii=True, mininterval=0, leave=False):
            pass
    screen.write("done\n")

    left = render(screen.getvalue()).split("\n")
    assert len([line for line in left if "outer" in line]) == 1
    assert "3/3" in next(line for line in left if "outer" in line)
    assert not any("inner" in line for line in left)


def test_a_bar_of_rich_leaves_one_line():
    progress = pytest.importorskip("rich.progress")
    console = pytest.importorskip("rich.console").Console(
        file=(screen := io.StringIO()), force_terminal=True, width=60, legacy_windows=False
    )
    for _ in progress.track(range(50), description="train", console=console, update_period=0):
        pass

    (line,) = [line for line in render(screen.getvalue()).split("\n") if line]
    assert line.startswith("train")
    assert "100%" in line


def test_a_million_moves_take_no_more_room_than_the_screen():
    assert len(render("\x1b[99999C\x1b[99999A\x1b[99999Bx\x1b[99999@" * 20_000)) <= 20_000 + WIDTH
    assert render("x" * 1_000_000 + "\r\x1b[32mgreen\x1b[0m" * 50_000) == "green" + "x" * 999_995


@given(st.text(alphabet=st.sampled_from("ab\r\n\b\x1b[;0129ABCDHJKfmsuPX@\u00e9\x9b\x85"), max_size=200))
def test_whatever_is_said_leaves_plain_text(said: str):
    left = render(said)

    assert not any(char < " " and char not in "\t\n" for char in left)
    assert render(left) == left
