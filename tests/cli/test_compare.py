import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo

Cli = Callable[..., subprocess.CompletedProcess[str]]

TRAIN = """\
import mlgit
for name, lr, accuracies in (("a", 0.1, [0.5, 0.9]), ("b", 0.2, [0.6, 0.95]), ("c", 0.3, [])):
    mlgit.init(name=name, config={"lr": lr, "epochs": 2})
    for accuracy in accuracies:
        mlgit.log({"accuracy": accuracy, "loss": 2 - accuracy, "steps": 5})
    mlgit.finish(exit_code=0 if accuracies else 1)
"""


@pytest.fixture
def three_runs(inside: Repo, python: Cli) -> Repo:
    """Runs a and b, and c, which failed before it logged anything."""
    python("-c", TRAIN)
    return inside


def rows(done: subprocess.CompletedProcess[str]) -> list[list[str]]:
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_runs_stand_side_by_side_with_the_best_of_each_metric(three_runs: Repo, mlgit: Cli) -> None:
    head, *body = rows(mlgit("compare", "a", "b", "c"))

    assert head == ["run", "state", "accuracy", "loss", "steps", "lr", "best in"]
    assert body == [
        ["a", "finished", "0.9", "1.1", "5", "0.1", ""],
        ["b", "finished", "0.95", "1.05", "5", "0.2", "accuracy, loss"],
        ["c", "failed", "—", "—", "—", "0.3", ""],
    ]


def test_sorting_puts_the_best_first_and_the_wordless_last(three_runs: Repo, mlgit: Cli) -> None:
    def order(key: str) -> list[str]:
        return [row[0] for row in rows(mlgit("compare", "c", "a", "b", "--sort", key))[1:]]

    assert order("accuracy") == ["b", "a", "c"]
    assert order("loss") == ["b", "a", "c"]
    assert order("-lr") == ["c", "b", "a"]


def test_only_the_metrics_asked_for_are_shown(three_runs: Repo, mlgit: Cli) -> None:
    assert rows(mlgit("compare", "a", "b", "-m", "steps"))[0] == ["run", "state", "steps", "lr", "best in"]


def test_a_script_reads_json(three_runs: Repo, mlgit: Cli) -> None:
    told = json.loads(mlgit("compare", "a", "b", "--json").stdout)

    assert [run["name"] for run in told["runs"]] == ["a", "b"]
    assert told["differing_params"] == ["lr"]
    assert told["best"] == dict.fromkeys(["accuracy", "loss"], told["runs"][1]["id"])


def test_a_chart_is_written(three_runs: Repo, mlgit: Cli, tmp_path: Path) -> None:
    curves, bars = tmp_path / "curves.png", tmp_path / "bars.png"

    mlgit("compare", "a", "b", "--png", str(curves))
    mlgit("compare", "a", "c", "-m", "accuracy", "--json", "--png", str(bars))

    assert curves.read_bytes().startswith(b"\x89PNG")
    assert bars.read_bytes().startswith(b"\x89PNG")


def test_runs_are_compared_by_what_holds_of_them(three_runs: Repo, mlgit: Cli) -> None:
    told = json.loads(mlgit("compare", "c", "--where", "accuracy > 0", "--sort", "accuracy", "--json").stdout)

    assert sorted(run["name"] for run in told["runs"]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "or give --where CONDITION"),
        (("--where", "accuracy > 1e9"), "No run fits"),
        (("a",), "name two runs or more"),
        (("a", "a"), "name two runs or more"),
        (("a", "b", "-m", "acuracy"), "they logged accuracy, loss, steps"),
        (("a", "b", "-s", "-acuracy"), "did you mean 'accuracy'?"),
    ],
)
def test_what_cannot_be_compared_is_said(three_runs: Repo, mlgit: Cli, words: tuple[str, ...], said: str) -> None:
    done = mlgit("compare", *words, check=False)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_listing_by_what_no_run_has_is_refused(three_runs: Repo, mlgit: Cli) -> None:
    for words in (("-s", "-acuracy"), ("-w", "acuracy>1"), ("-w", "acuracy>1", "--json")):
        done = mlgit("ls", *words, check=False)

        assert done.returncode == 2
        assert "No run has 'acuracy'" in done.stderr
    assert len(rows(mlgit("ls", "-w", "created>2000-01-01", "-w", "duration<1d"))) == 4


def test_table_and_chart_are_one_page_that_needs_nothing_beside_it(
    three_runs: Repo, mlgit: Cli, tmp_path: Path
) -> None:
    mlgit("rename", "a", "<script>alert(1)</script> | a")

    done = mlgit("compare", "<script>alert(1)</script> | a", "b", "--html", str(tmp_path / "page.html"))

    text = (tmp_path / "page.html").read_text()
    assert '<td style="text-align:right"><strong>0.95</strong></td>' in text
    assert '<td style="text-align:right">0.9</td>' in text
    assert 'src="data:image/png;base64,' in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; | a</td>" in text
    assert "<script" not in text
    assert done.stderr == f"wrote {tmp_path / 'page.html'}\n"
