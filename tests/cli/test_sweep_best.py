"""`mlgit sweep report`, `best` and `apply`, over runs that are recorded as a sweep's are."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlgit.core.run import Run
from mlgit.core.sweep import Sweep
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import place
from mlgit.sweeps import record
from mlgit.tracking import begin
from mlgit.tracking.run.active import ActiveRun
from mlgit.tracking.run.journal import Journal
from mlgit.tracking.wish import Wish

FILE = """\
name: search
method: random
metric: {name: loss}
command: [python, train.py]
parameters:
  lr: {distribution: log_uniform_values, min: 1.0e-5, max: 0.1}
  batch: {values: [16, 32]}
  model: {parameters: {depth: {min: 1, max: 9}}}
"""
PARAMS = "# what we train with\nlr: 0.1      # the step\nbatch: 64\nmodel:\n  name: net\n  depth: 2  # layers\n"


class Swept:
    """A repository with a sweep in it, and trials of it on demand."""

    def __init__(self, repo: Repo) -> None:
        assert repo.work_tree
        self.repo, self.folder = repo, repo.work_tree
        (self.folder / "mlgit.yaml").write_text("project: toy\nrun: {params: params.yaml}\n")
        (self.folder / "params.yaml").write_text(PARAMS)
        repo.git("add", "-A")
        repo.git("commit", "-q", "-m", "train")
        self.sweep(FILE)

    def sweep(self, text: str) -> None:
        self.about = Sweep(
            id=f"sweep{len(self.repo.refs('refs/mlgit/sweeps/'))}xx", name="search", project="toy", method="random",
            metric="loss", created=float(len(self.repo.refs("refs/mlgit/sweeps/"))), command=("python", "train.py"),
            file=text,
        )  # fmt: skip
        record.keep(self.repo, self.about)
        self.count = 0

    def trial(
        self, params: dict[str, Any], *, exit_code: int = 0, given: bool = True, model: bytes = b"", **metrics: float
    ) -> Run:  # fmt: skip
        home = place.find(self.folder)
        assert home
        self.count += 1
        names = tuple(name for name, value in params.items() if not isinstance(value, dict))
        wish = Wish(name=f"search-{self.count}", sweep=self.about.id, given=names if given else ())
        opened, run = begin.begin(home, wish, params, ("python", "train.py"), self.folder)
        active = ActiveRun(Journal(home, opened, run), fixed=frozenset())
        if metrics:
            active.log(metrics)
        if model:
            path = self.repo.own / "net.bin"
            path.write_bytes(model)
            active.log_artifact(path, name="net", type="model")
        active.finish(exit_code)
        return query.find(self.repo, run.id)


@pytest.fixture
def swept(inside: Repo) -> Swept:
    return Swept(inside)


@pytest.fixture
def three(swept: Swept) -> list[Run]:
    return [
        swept.trial({"lr": lr, "batch": 32, "model": {"depth": depth}}, loss=loss)
        for lr, depth, loss in ((0.01, 2, 0.5), (0.001, 4, 0.1), (1e-4, 6, 0.3))
    ]


Call = Callable[..., Any]


def test_the_best_trial_is_told_to_people_and_to_scripts(swept: Swept, three: list[Run], mlgit: Call) -> None:
    shown = mlgit("sweep", "best", cwd=swept.folder)
    told = json.loads(mlgit("sweep", "best", "search", "--json", cwd=swept.folder).stdout)
    params = mlgit("sweep", "best", "latest", "--params-only", cwd=swept.folder).stdout
    table = mlgit("sweep", "best", "--top", "2", cwd=swept.folder).stdout.splitlines()

    assert "trial        search-2\nloss         0.1\nlr           0.001\n" in shown.stdout
    assert f"mlgit reproduce {three[1].id}" in shown.stderr
    assert (told["run"], told["metrics"]) == (three[1].id, {"loss": 0.1})
    assert yaml.safe_load(params) == {"lr": 0.001, "batch": 32, "model": {"depth": 4}}
    assert table[0] == "trial\tloss\tlr\tbatch\tmodel.depth\trun"
    assert [line.split("\t")[0] for line in table[1:]] == ["search-2", "search-3"]


def test_where_no_trial_counts_the_best_is_an_error_that_says_why(swept: Swept, mlgit: Call) -> None:
    assert (
        "has no trials yet.\nTo fix: mlgit sweep agent" in mlgit("sweep", "best", cwd=swept.folder, check=False).stderr
    )
    swept.trial({"lr": 0.1}, accuracy=1.0)

    done = mlgit("sweep", "best", cwd=swept.folder, check=False)
    written = mlgit("sweep", "report", cwd=swept.folder)

    assert done.returncode == 1
    assert "it logged no metric 'loss', but accuracy" in done.stderr
    assert "nothing to tell the best by, after 1 trial" in written.stdout


def test_of_a_trial_that_failed_the_last_word_of_its_program_is_told(swept: Swept, mlgit: Call) -> None:
    (swept.folder / "failing.yaml").write_text(
        "method: grid\nmetric: {name: loss}\nparameters: {lr: {value: 1}}\n"
        """command: [python, -c, "raise SystemExit('a first line\\\\nno room for @all')"]\n"""
    )
    mlgit("sweep", "run", "failing.yaml", cwd=swept.folder)

    best = mlgit("sweep", "best", cwd=swept.folder, check=False)
    report = mlgit("sweep", "report", cwd=swept.folder)

    assert "no room for @all" in best.stderr
    assert re.search(r"^\| failing-1 \| failed \| no room for .*all \|$", report.stdout, re.MULTILINE)


def test_of_a_trial_that_failed_without_a_word_its_exit_code_is_told(swept: Swept, mlgit: Call) -> None:
    (swept.folder / "silent.yaml").write_text(
        "method: grid\nmetric: {name: loss}\nparameters: {lr: {value: 1}}\ncommand: [sh, -c, exit 7]\n"
    )

    ran = mlgit("sweep", "run", "silent.yaml", cwd=swept.folder)

    assert "silent-1: failed (lr=1): exit code 7" in ran.stdout
    assert "\nexit code 7\n" in mlgit("sweep", "best", cwd=swept.folder, check=False).stderr


def test_a_sweep_whose_file_another_version_wrote_hides_no_other(swept: Swept, mlgit: Call) -> None:
    swept.sweep(FILE.replace("method: random", "method: quantum"))

    listed = mlgit("sweep", "ls", cwd=swept.folder)
    there = json.loads(mlgit("sweep", "ls", "--json", cwd=swept.folder).stdout)

    assert [line.split("\t")[5] for line in listed.stdout.splitlines()] == ["metric", "loss", "loss (minimize)"]
    assert "sweep1xx cannot be read here: " in listed.stderr
    assert "method: expected one of grid, random" in there[0]["problem"]
    assert [one["state"] for one in there] == ["running", "running"]


def test_a_sweep_that_is_not_there_is_said(swept: Swept, mlgit: Call) -> None:
    for verb in ("best", "report", "apply"):
        done = mlgit("sweep", verb, "nowhere", cwd=swept.folder, check=False)
        assert done.returncode == 1
        assert "There is no sweep 'nowhere'" in done.stderr


def test_a_shell_completes_the_sweep_and_the_trial(swept: Swept, three: list[Run], mlgit: Call) -> None:
    def completed(*words: str) -> str:
        typed = {"COMP_WORDS": " ".join(("mlgit", *words)), "COMP_CWORD": str(len(words))}
        asked = os.environ | typed | {"_MLGIT_COMPLETE": "bash_complete"}
        return str(mlgit(cwd=swept.folder, env=asked).stdout)

    for verb in ("best", "report", "apply"):
        assert swept.about.id in completed("sweep", verb, swept.about.id[:3])
    assert three[2].ref.rpartition("/")[2] in completed("sweep", "apply", "--trial", "search-3")


def test_a_report_is_printed_written_and_posted(swept: Swept, three: list[Run], mlgit: Call, tmp_path: Path) -> None:
    printed = mlgit("sweep", "report", cwd=swept.folder).stdout
    mlgit("sweep", "report", "-o", str(tmp_path / "found.md"), cwd=swept.folder)
    mlgit("sweep", "report", "-o", str(tmp_path / "found.html"), cwd=swept.folder)
    data = json.loads(mlgit("sweep", "report", "--json", cwd=swept.folder).stdout)

    assert "### search: loss 0.1 after 3 trials" in printed
    assert "```mermaid" in printed
    markdown = (tmp_path / "found.md").read_text()
    links = [line.partition("](")[2].rstrip(")") for line in markdown.splitlines() if line.startswith("![")]
    assert links == ["found-history.png", "found-parallel.png", "found-slices.png"]
    assert all((tmp_path / link).read_bytes().startswith(b"\x89PNG") for link in links)
    page = (tmp_path / "found.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert page.count("search: loss 0.1 after 3 trials") == 2, "as its title and its one heading"
    assert data["best"]["run"] == three[1].id
    assert len(data["trials"]) == 3
    assert data["importance"][0]["doubts"]

    mlgit("pr", "open", three[0].id, cwd=swept.folder)
    for _ in range(2):
        mlgit("sweep", "report", "--pr", "1", cwd=swept.folder)
    own = [one for one in FolderForge(swept.repo).comments(1) if "mlgit:sweep-" in one.body]
    assert len(own) == 1
    assert "loss 0.1 after 3 trials" in own[0].body


def test_the_best_params_become_a_pull_request_that_leaves_the_rest_of_the_file(
    swept: Swept, three: list[Run], mlgit: Call
) -> None:
    foreseen = mlgit("sweep", "apply", "--dry-run", cwd=swept.folder).stdout
    assert not swept.repo.refs("refs/heads/run/")
    assert "   lr: 0.001    # the step" in foreseen

    pull = json.loads(mlgit("sweep", "apply", "--json", cwd=swept.folder).stdout)

    written = PARAMS.replace("lr: 0.1  ", "lr: 0.001").replace("batch: 64", "batch: 32").replace("depth: 2", "depth: 4")
    assert (swept.repo.read(pull["head"], "params.yaml") or b"").decode() == written
    assert pull["title"] == "search: take the params of search-2, loss 0.1"
    assert "### search: loss 0.1 after 3 trials" in pull["body"]
    assert "![" in pull["body"]
    assert any("mlgit:report" in one.body for one in FolderForge(swept.repo).comments(1))
    assert (swept.folder / "params.yaml").read_text() == PARAMS

    again = mlgit("sweep", "apply", cwd=swept.folder)
    assert "#1 is already open" in again.stderr
    assert len(FolderForge(swept.repo).pulls()) == 1

    mlgit("pr", "merge", "1", cwd=swept.folder)
    assert (swept.folder / "params.yaml").read_text() == written


def test_another_trial_can_be_taken_and_what_is_open_is_said(swept: Swept, three: list[Run], mlgit: Call) -> None:
    mlgit("sweep", "apply", cwd=swept.folder)

    done = mlgit("sweep", "apply", "--trial", "3", "--draft", cwd=swept.folder)

    assert "#1 proposes search-2 of the same sweep" in done.stderr
    assert "#2 search: take the params of search-3, loss 0.3" in done.stdout
    assert "a draft" in done.stdout
    assert "| taken | search-3 |" in FolderForge(swept.repo).get(2).body
    named = mlgit("sweep", "apply", "--trial", three[2].id, "--dry-run", "--json", cwd=swept.folder)
    assert json.loads(named.stdout)["trial"] == "search-3"


def test_a_trial_that_tells_nothing_is_not_applied(swept: Swept, mlgit: Call) -> None:
    run = swept.trial({"lr": 0.1}, exit_code=1)

    failed = mlgit("sweep", "apply", "--trial", "1", cwd=swept.folder, check=False)
    unknown = mlgit("sweep", "apply", "--trial", "77", cwd=swept.folder, check=False)

    assert (failed.returncode, unknown.returncode) == (2, 1)
    assert f"mlgit pr open {run.id} proposes it all the same" in failed.stderr
    assert "has no trial '77'" in unknown.stderr


def test_params_that_a_function_was_called_with_are_written_too(swept: Swept, mlgit: Call) -> None:
    swept.trial({"lr": 0.01, "batch": 16, "model": {"depth": 3}, "dropout": 0.5}, given=False, loss=1.0)
    swept.repo.git("rm", "-q", "params.yaml")
    (swept.folder / "mlgit.yaml").write_text("project: toy\n")
    swept.repo.git("commit", "-q", "-a", "-m", "no params file")
    swept.trial({"lr": 0.001, "batch": 16, "model": {"depth": 3}, "dropout": 0.5}, given=False, loss=0.5)

    pull = json.loads(mlgit("sweep", "apply", "--json", cwd=swept.folder).stdout)

    written = yaml.safe_load(swept.repo.read(pull["head"], "params.yaml") or b"")
    assert written == {"lr": 0.001, "batch": 16, "model": {"depth": 3}}  # what the sweep searched, and no more
    assert b"params.yaml" in (swept.repo.read(pull["head"], "mlgit.yaml") or b"")


def test_seeds_are_judged_by_their_mean(swept: Swept, mlgit: Call) -> None:
    swept.sweep(FILE + "seeds: 2\n")
    for lr, losses in ((0.01, (0.1, 0.9)), (0.001, (0.3, 0.4))):
        for seed, loss in enumerate(losses):
            swept.trial({"lr": lr, "batch": 32, "model": {"depth": 2}, "seed": seed}, loss=loss)

    shown = mlgit("sweep", "best", "latest", cwd=swept.folder).stdout

    assert "loss         0.35 ± 0.6353 (2 seeds)" in shown
    assert "lr           0.001" in shown


def test_the_best_of_a_sweep_is_registered_by_the_sweeps_own_metric(swept: Swept, mlgit: Call) -> None:
    best = swept.trial({"lr": 0.001}, model=b"good", loss=0.1)
    swept.trial({"lr": 0.01}, model=b"bad", loss=0.5)

    made = json.loads(mlgit("model", "register", "--sweep", "search", "--json", cwd=swept.folder).stdout)

    assert (made["run"], made["metrics"]["loss"]) == (best.id, 0.1)
