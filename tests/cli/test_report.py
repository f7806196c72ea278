import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.store import place as places
from mlgit.wiring import forge, reporting

Cli = Callable[..., subprocess.CompletedProcess[str]]

TRAIN = """\
import mlgit, sys
accuracy = float(sys.argv[1])
with mlgit.init(name=sys.argv[2], config={"lr": float(sys.argv[3])}) as run:
    for step in range(3):
        run.log({"accuracy": accuracy - 0.1 * (2 - step), "loss": 1 - accuracy + 0.1 * (2 - step)})
"""


@pytest.fixture
def two_runs(inside: Repo, python: Cli) -> Repo:
    """A run on main, another one on the branch `idea`, which is checked out."""
    Path("train.py").write_text(TRAIN)
    Path("mlgit.yaml").write_text("project: digits\n")
    inside.git("add", "-A")
    inside.git("commit", "-q", "-m", "A project")
    python("train.py", "0.9", "noble-river-3", "0.1")
    inside.git("switch", "-q", "-c", "idea")
    Path("train.py").write_text(f"{TRAIN}# idea\n")
    inside.git("commit", "-q", "-am", "An idea")
    python("train.py", "0.95", "radiant-glade-12", "0.5")
    return inside


def test_without_a_pull_request_the_current_commit_is_compared_with_main(two_runs: Repo, mlgit: Cli) -> None:
    done = mlgit("report")

    assert done.stdout.startswith("### accuracy 0.95, \\+0.05 better than main's noble-river-3.")
    assert "| lr | 0.1 | **0.5** |" in done.stdout


def test_two_runs_are_compared_by_their_names(two_runs: Repo, mlgit: Cli, tmp_path: Path) -> None:
    file = tmp_path / "report.md"

    mlgit("report", "--base", "radiant-glade-12", "--head", "noble-river-3", "--output", str(file))

    text = file.read_text()
    assert text.startswith("### accuracy 0.9, −0.05 worse than radiant-glade-12.")
    assert "| metric | radiant-glade-12 | noble-river-3 | Δ | |" in text
    assert "![Learning curves](report-curves.png)" in text
    assert (tmp_path / "report-curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_script_reads_json(two_runs: Repo, mlgit: Cli) -> None:
    told = json.loads(mlgit("report", "--json").stdout)

    assert (told["evidence"], told["distance"]) == (True, 0)
    assert told["metrics"][0] | {"base": 0, "delta": 0} == {
        "name": "accuracy", "base": 0, "head": 0.95, "delta": 0, "direction": "better", "goal": "maximize",
        "base_over": None, "head_over": None, "p": None, "test": None, "insufficient": False,
    }  # fmt: skip
    assert (told["seeds"], told["production"], told["sweep"]) == ({"base": 1, "head": 1}, None, None)
    assert told["params"] == [{"key": "lr", "base": 0.1, "head": 0.5}]


def test_one_report_is_had_as_markdown_as_a_page_and_as_data(two_runs: Repo, mlgit: Cli, tmp_path: Path) -> None:
    for name in ("report.md", "report.html", "report.json"):
        mlgit("report", "-o", str(tmp_path / name))

    page = (tmp_path / "report.html").read_text()
    assert sorted(path.name for path in tmp_path.glob("report*")) == [
        "report-curves.png", "report.html", "report.json", "report.md",
    ]  # fmt: skip
    assert "accuracy 0.95, +0.05 better than main&#39;s noble-river-3." in page
    assert '<img src="data:image/png;base64,' in page
    assert page.strip() == mlgit("report", "--format", "html").stdout.strip()
    assert json.loads((tmp_path / "report.json").read_text()) == json.loads(mlgit("report", "--json").stdout)
    assert mlgit("report", "--format", "md", "-o", str(tmp_path / "odd.html")).returncode == 0
    assert (tmp_path / "odd.html").read_text().startswith("### accuracy")


def test_a_projects_own_templates_and_blocks_are_taken_before_ours(two_runs: Repo, mlgit: Cli) -> None:
    folder = Path("templates/report")
    folder.mkdir(parents=True)
    (folder / "metrics.md.j2").write_text(
        "Only {{ view.metrics[0].name }}: {{ view.metrics[0].head }} <b>`{{ '@team' }}\n\n"
    )
    (folder / "comment.md.j2").write_text(
        '{% extends "mlgit/comment.md.j2" %}\n'
        "{% block cost %}**{{ view.head.params.lr }} by {{ 'x' | safe }}**\n\n{{ super() }}{% endblock %}\n"
        "{% block evidence %}{% endblock %}\n"
    )

    text = mlgit("report").stdout

    assert "### accuracy 0.95" in text
    assert "Only accuracy: 0.95 <b>`@&#8203;team\n" in text
    assert "**0.5 by x**\n\nMachine time: " in text
    assert "Where this comes from" not in text

    (folder / "metrics.md.j2").write_text("fine\n{{ view.nothing }}\n")
    done = mlgit("report", check=False)
    assert done.returncode == 2
    assert (
        "templates/report/metrics.md.j2:2: 'mlgit.report.view.View object' has no attribute 'nothing'." in done.stderr
    )
    (folder / "metrics.md.j2").write_text("fine\n\n{% if %}\n")
    assert "templates/report/metrics.md.j2:3: " in mlgit("report", check=False).stderr
    (folder / "metrics.md.j2").write_text("{{ view.__class__.__mro__ }}")
    assert "templates/report/metrics.md.j2:1: access to attribute '__class__'" in mlgit("report", check=False).stderr


def test_a_pull_request_is_reported_on_by_the_templates_of_its_base(two_runs: Repo, mlgit: Cli) -> None:
    from mlgit.forge.folder import FolderForge

    number = str(FolderForge(two_runs).open(head="idea", base="main", title="An idea").number)
    folder = Path("templates/report")
    folder.mkdir(parents=True)
    (folder / "metrics.md.j2").write_text("All is well.\n\n")

    assert "All is well." in mlgit("report").stdout
    assert "All is well." not in mlgit("report", number, "--dry-run").stdout


def test_a_pull_request_is_reported_on_once_and_tried_dry(two_runs: Repo, mlgit: Cli) -> None:
    from mlgit.forge.folder import FolderForge

    forge = FolderForge(two_runs)
    number = forge.open(head="idea", base="main", title="An idea").number

    assert mlgit("report", "--dry-run").stdout == mlgit("report").stdout
    dry = mlgit("report", str(number), "--dry-run")
    assert dry.stdout.startswith("### accuracy 0.95")
    assert forge.comments(number) == []

    for _ in range(2):
        posted = mlgit("report", str(number))
    assert posted.stdout.startswith("accuracy 0.95")
    assert len(forge.comments(number)) == 1


def test_main_alone_is_compared_with_what_came_before(two_runs: Repo, mlgit: Cli) -> None:
    two_runs.git("switch", "-q", "main")

    assert "No base to compare with: no run speaks for main, one commit back or for a commit before it." in mlgit(
        "report"
    ).stdout.replace("\\", "")


def test_a_commit_without_a_run_is_told_how_to_make_one(two_runs: Repo, mlgit: Cli) -> None:
    two_runs.git("commit", "-q", "--allow-empty", "-m", "same code")
    assert "better than main's" in mlgit("report").stdout

    Path("train.py").write_text("other")
    two_runs.git("commit", "-q", "-am", "other code")
    assert "git switch idea\n" in mlgit("report").stdout
    assert f"git switch --detach {two_runs.resolve('HEAD')}\n" in mlgit("report", "--head", "idea^{commit}").stdout
    assert json.loads(mlgit("report", "--json").stdout)["evidence"] is False


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("report", "99"), 1, "99"),
        (("report", "idea"), 2, "'idea' is no pull request: mlgit pr ls lists them; mlgit report --head takes runs."),
        (("pr", "show", "0"), 2, "'0' is no pull request"),
        (("report", "1", "--base", "main"), 2, "leave --base and --head out"),
        (("report", "--head", "nowhere"), 1, "There is no run 'nowhere'"),
        (("report", "-o", "/nowhere/x.md"), 1, "cannot be written"),
    ],
)
def test_what_cannot_be_is_said(two_runs: Repo, mlgit: Cli, words: tuple[str, ...], code: int, said: str) -> None:
    done = mlgit(*words, check=False)

    assert done.returncode == code
    assert said in done.stderr


def test_a_trial_is_told_with_what_its_sweep_has_found(inside: Repo, mlgit: Cli, tmp_path: Path) -> None:
    Path("mlgit.yaml").write_text("project: digits\n")
    Path("trial.py").write_text(
        "import mlgit\nwith mlgit.init() as run:\n    run.log({'loss': run.config['x'] ** 2 + run.config['y'] / 99})\n"
    )
    Path("search.yaml").write_text(
        "name: search\nmethod: grid\ncommand: [python, trial.py]\nmetric: {name: loss, goal: minimize}\n"
        "parameters:\n  x: {values: [0.1, 0.5, 0.9]}\n  y: {values: [0.1, 0.7]}\n"
    )
    inside.git("add", "-A")
    inside.git("commit", "-q", "-m", "A search")
    mlgit("sweep", "run", "search.yaml")
    best = json.loads(mlgit("sweep", "report", "--json").stdout)["best"]

    mlgit("report", "-o", str(tmp_path / "report.md"))  # on the code that only its trials ran

    text = (tmp_path / "report.md").read_text()
    assert f"| {best['name']} | `exp/digits/" in text
    assert "One of 6 trials in the sweep `search`, the best by loss." in text
    assert "<summary>What drove loss: 6 trials</summary>" in text
    assert {path.name for path in tmp_path.glob("report-*")} >= {"report-history.png", "report-parallel.png"}


def test_a_sweep_of_code_that_a_run_speaks_for_is_told_beside_its_report(inside: Repo, mlgit: Cli) -> None:
    Path("mlgit.yaml").write_text("project: digits\nforge: {kind: folder}\n")
    Path("trial.py").write_text(
        "import mlgit\nwith mlgit.init(config={'x': 0.5}) as run:\n    run.log({'loss': run.config['x']})\n"
    )
    Path("search.yaml").write_text(
        "name: search\nmethod: grid\ncommand: [python, trial.py]\nmetric: {name: loss}\n"
        "parameters: {x: {values: [0.1, 0.9]}}\n"
    )
    inside.git("switch", "-q", "-c", "idea")
    inside.git("add", "-A")
    inside.git("commit", "-q", "-m", "A search")
    mlgit("sweep", "run", "search.yaml")
    place = places.find(inside.folder)
    assert place
    number = reporting.propose(place, None, base="main").pull.number
    pull = forge(place).get(number)

    alone = reporting.searches(place, pull)
    mlgit("run", "--", sys.executable, "trial.py")
    (beside,) = reporting.searches(place, pull)
    told = reporting.post_findings(place, beside, number)

    assert alone == []
    assert "### search: loss 0.1 after 2 trials" in told
    assert told in forge(place).comments(number)[-1].body


def test_hostile_names_are_text_in_every_form(inside: Repo, mlgit: Cli, python: Cli) -> None:
    hostile = "a|b @team #1 <!-- <b>x</b> --> `c` \x1b[31m\u202e"
    Path("mlgit.yaml").write_text("project: digits\n")
    Path("train.py").write_text(
        f"import mlgit\nwith mlgit.init(name={hostile!r}, config={{{hostile!r}: {hostile!r}}}) as run:\n"
        f"    run.log({{{hostile!r}: 1.0}})\n"
    )
    inside.git("add", "-A")
    inside.git("commit", "-q", "-m", "A project")
    python("train.py")

    told = {kind: mlgit("report", "--format", kind).stdout for kind in ("md", "html", "json")}

    assert not [
        kind for kind, text in told.items() if "\x1b" in text or ("<b>x" in text.replace("\\", "") and kind != "json")
    ]
    assert "\u202e" not in told["md"] + told["html"]
    assert "@team" not in told["md"].split("```sh")[0].replace("`", "")
    assert "<!--" not in told["md"].split("```sh")[0]
    assert "@\u200bteam" in told["html"]
    assert json.loads(told["json"])["metrics"][0]["name"].startswith("a|b @team #1 <!-- <b>")
