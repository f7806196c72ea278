"""What commits ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.ci.request import Request, read
from mlgit.errors import UsageError

NAMES = st.from_regex(r"[a-z][a-z0-9._]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20)


def test_trailers_ask_for_runs_or_a_sweep() -> None:
    assert read(["Signed-off-by: Ada <a@x>", "Mlgit-Run: lr=0.1 epochs=20", "mlgit-run: lr=1"]) == Request(
        runs=(("lr=0.1", "epochs=20"), ("lr=1",))
    )
    assert read(["Mlgit-Sweep: sweeps/lr.yaml"]) == Request(sweep="sweeps/lr.yaml")
    assert read(["Mlgit-Run: yes"]) == Request(runs=((),))
    assert not read(["Mlgit-Result: {}", "a line of prose"])


@pytest.mark.parametrize("text", ["x=$(touch /tmp/pwned)", 'x=";rm -rf ~;#', "x='${IFS}`id`'", "x=a\\ b"])
def test_what_looks_like_shell_is_text(text: str) -> None:
    if text.count('"') % 2:
        with pytest.raises(UsageError, match="no closing quotation"):
            read([f"Mlgit-Run: {text}"])
    else:
        ((word,),) = read([f"Mlgit-Run: {text}"]).runs if " " not in text or "'" in text else ((text,),)
        assert word.startswith("x=")


@given(st.lists(st.dictionaries(NAMES, TEXTS, max_size=4), min_size=1, max_size=5))
def test_what_is_asked_for_is_read_as_it_was_written(runs: list[dict[str, str]]) -> None:
    asked = Request(runs=tuple(tuple(f"{name}={value}" for name, value in one.items()) for one in runs))

    assert read(asked.trailers()) == asked


@pytest.mark.parametrize(
    ("trailers", "problem"),
    [
        (["Mlgit-Run: lr"], "'lr' gives no value"),
        (["Mlgit-Run: =1"], "gives no value"),
        (["Mlgit-Run: x='a"], "no closing quotation"),
        (["Mlgit-Sweep: a.yaml", "Mlgit-Sweep: b.yaml"], "asks for a.yaml and b.yaml"),
        (["Mlgit-Run: x=1", "Mlgit-Sweep: b.yaml"], "asks for Mlgit-Run and b.yaml"),
        (["Mlgit-Sweep: "], "names no file"),
        (["Mlgit-Run: x=1"] * 257, "257 runs; 256 are the most"),
    ],
)
def test_what_cannot_be_done_is_refused(trailers: list[str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        read(trailers)
