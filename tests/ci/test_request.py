"""What commits ask for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlgit.ci import request
from mlgit.ci.request import Request, Trailer
from mlgit.errors import ConfigError

NAMES = st.from_regex(r"[a-z][a-z0-9._]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(blacklist_categories=["C", "Z"]) | st.just(" "), max_size=20)


def read(*lines: str) -> Request:
    parted = (line.partition(":") for line in lines)
    trailers = [Trailer(key=key, value=value.strip(), line=n) for n, (key, _, value) in enumerate(parted, 3)]
    return request.read(trailers, source="1a2b3c4")


def test_trailers_ask_for_runs_or_a_sweep() -> None:
    assert read("Signed-off-by: Ada <a@x>", "Mlgit-Run: lr=0.1 epochs=20", "mlgit-run: lr=1") == Request(
        runs=(("lr=0.1", "epochs=20"), ("lr=1",))
    )
    assert read("Mlgit-Sweep: sweeps/lr.yaml") == Request(sweep="sweeps/lr.yaml")
    assert read("Mlgit-Run: yes") == Request(runs=((),))
    assert not read("Mlgit-Result: {}", "a line of prose")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x=$(touch /tmp/pwned)", None),
        ("x='$(touch /tmp/pwned)'", ("x=$(touch /tmp/pwned)",)),
        ("x='${IFS}`id`' y=`id`", ("x=${IFS}`id`", "y=`id`")),
        ("x=1;y=2 z=a\\ b", ("x=1;y=2", "z=a b")),
        ('x=";rm -rf ~;#"', ("x=;rm -rf ~;#",)),
    ],
)
def test_what_looks_like_shell_is_text(text: str, words: tuple[str, ...] | None) -> None:
    if words is None:
        with pytest.raises(ConfigError, match="'/tmp/pwned\\)' gives no value"):
            read(f"Mlgit-Run: {text}")
    else:
        assert read(f"Mlgit-Run: {text}").runs == (words,)


@given(st.lists(st.dictionaries(NAMES, TEXTS, max_size=4), min_size=1, max_size=5))
def test_what_is_asked_for_is_read_as_it_was_written(runs: list[dict[str, str]]) -> None:
    asked = Request(runs=tuple(tuple(f"{name}={value}" for name, value in one.items()) for one in runs))

    assert read(*asked.trailers()) == asked


@pytest.mark.parametrize(
    ("trailers", "problem"),
    [
        (["Mlgit-Run: lr"], "1a2b3c4:3: Mlgit-Run: 'lr' gives no value"),
        (["Mlgit-Run: =1"], "gives no value"),
        (["Reviewed-by: x", "Mlgit-Run: x='a"], "1a2b3c4:4: Mlgit-Run: .* no closing quotation"),
        (["Mlgit-Sweep: a.yaml", "Mlgit-Sweep: b.yaml"], "1a2b3c4:4: Mlgit-Sweep: the commit asks for a.yaml and b"),
        (["Mlgit-Run: x=1", "Mlgit-Sweep: b.yaml"], r"asks for runs \(Mlgit-Run\) and b.yaml"),
        (["Mlgit-Sweep: "], "names no file"),
        (["Mlgit-Run: x=1"] * 257, "257 runs; 256 are the most"),
        (["Mlgit-Run: 'x=a\x1b[2J'"], "holds what stands on no line"),
    ],
)
def test_what_cannot_be_done_is_refused(trailers: list[str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read(*trailers)
