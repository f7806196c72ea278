from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from tests.registry.conftest import Trained
from tests.registry.conftest import trained as trained

Mlgit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def live(inside: Repo, trained: Trained, mlgit: Mlgit) -> Repo:
    """digits v1.0.0, then v1.1.0, in production, as commands make it."""
    policy = b"stages: {production: {gates: [{metric: accuracy, min: 0.5}]}}\n"
    inside.git("reset", "-q", "--hard", inside.commit(inside.resolve("main"), {"registry/policy.yaml": policy}, "p"))
    for number, name in enumerate(("one", "two")):
        trained(name, accuracy=0.8 + number / 10)
        mlgit("model", "register", name, "--name", "digits")
        mlgit("promote", f"digits@v1.{number}.0", "production")
        mlgit("pr", "merge", str(number + 1))
    return inside


def by_hand(repo: Repo, text: str) -> None:
    made = repo.commit(repo.resolve("main"), {"registry/digits/production.yaml": text.encode()}, "=1+1|\x1b[31mred")
    repo.git("reset", "-q", "--hard", made)


def test_log_tells_the_history_and_what_was_live(live: Repo, mlgit: Mlgit):
    told = json.loads(mlgit("registry", "log", "--model", "digits", "--stage", "production", "--json").stdout)
    listed = mlgit("registry", "log", "--limit", "1")
    now = json.loads(mlgit("registry", "log", "--at", "2100-01-01", "--json").stdout)
    before = mlgit("registry", "log", "--at", "2001-01-01")

    assert [(one["what"], one["version"], one["instead"]) for one in told] == [
        ("promoted", "v1.1.0", "v1.0.0"), ("promoted", "v1.0.0", None),
    ]  # fmt: skip
    assert told[0]["pull"] == 2
    assert [(gate["gate"], gate["outcome"], gate["inputs"]["value"]) for gate in told[0]["gates"]] == [
        ("accuracy ≥ 0.5", "pass", 0.9)
    ]
    assert listed.stdout.splitlines()[1].split("\t")[1:5] == ["promoted", "digits", "production", "v1.1.0"]
    assert "more: --limit 0 for all" in listed.stderr
    assert [(one["stage"], one["version"], one["digest"]) for one in now] == [
        ("production", "v1.1.0", told[0]["digest"])
    ]
    assert "Nothing was live then." in before.stderr


def test_a_shallow_clone_is_told_to_be_none_that_knows(live: Repo, mlgit: Mlgit, tmp_path: Path):
    clone = tmp_path / "clone"
    live.git("clone", "-q", "--depth=1", f"file://{live.folder}", str(clone))

    for words in (("log",), ("log", "--at", "2100-01-01"), ("verify",), ("status",)):
        told = mlgit("registry", *words, cwd=clone, check=False)
        assert (told.returncode, told.stdout) == (1, "")
        assert "git fetch --unshallow --tags" in told.stderr

    live.git("-C", str(clone), "fetch", "-q", "--unshallow", "--tags")
    assert mlgit("registry", "verify", cwd=clone).stdout == "1 stage: all as recorded.\n"


def test_log_as_csv_holds_no_formula_and_no_escape_reaches_a_terminal(live: Repo, mlgit: Mlgit):
    by_hand(live, "version: v1.0.0\n")

    rows = list(csv.DictReader(io.StringIO(mlgit("registry", "log", "--limit", "0", "--csv").stdout)))
    listed = mlgit("registry", "log").stdout

    (refused,) = [row for row in rows if row["what"] == "merged, never served"]
    assert refused["why"] == "'=1+1|red"
    assert [row["gates"] for row in rows if row["what"] == "promoted"] == ["accuracy ≥ 0.5: pass"] * 2
    assert "\x1b" not in listed


def test_verify_says_what_does_not_hold(live: Repo, mlgit: Mlgit):
    well = mlgit("registry", "verify", "--bytes")
    by_hand(live, "version: v1.0.0\n")
    ill = mlgit("registry", "verify", "digits", "--json", check=False)

    assert well.stdout == "1 stage: all as recorded.\n"
    assert ill.returncode == 4
    found = json.loads(ill.stdout)
    assert not found["holds"]
    assert [one["what"] for one in found["findings"]] == [
        "registry/digits/production.yaml says v1.0.0, and the tag lets it serve v1.1.0"
    ]


def test_verify_with_bytes_notices_bytes_that_are_gone(live: Repo, mlgit: Mlgit):
    for path in live.folder.rglob("*"):
        if path.is_file() and path.read_bytes().startswith(b"weights of"):
            path.unlink()

    assert mlgit("registry", "verify").returncode == 0
    assert mlgit("registry", "verify", "--bytes", check=False).returncode == 4


def test_what_targets_run_is_compared_with_what_they_should(live: Repo, mlgit: Mlgit):
    mlgit("registry", "observe", "eu", "digits@production", "--version", "v1.1.0")
    well = mlgit("registry", "status", "--max-age", "1h")
    mlgit("registry", "observe", "us", "digits@production", "--digest", "sha256:" + "f" * 64, "--by", "the canary")
    ill = mlgit("registry", "status", "--json", check=False)

    assert well.stdout.splitlines()[1].split("\t")[:6] == ["digits", "production", "eu", "Synced", "v1.1.0", "v1.1.0"]
    assert ill.returncode == 4
    assert [(one["target"], one["state"]) for one in json.loads(ill.stdout)] == [("eu", "Synced"), ("us", "OutOfSync")]
    assert "digits production on us" in ill.stderr


def test_a_stage_that_nobody_observed_is_unknown_and_only_a_bound_makes_that_a_failure(live: Repo, mlgit: Mlgit):
    assert mlgit("registry", "status").stdout.splitlines()[1].split("\t")[3] == "Unknown"
    assert mlgit("registry", "status", "--max-age", "1d", check=False).returncode == 4


def test_what_cannot_be_observed_is_refused(live: Repo, mlgit: Mlgit):
    for words in (
        ("eu", "digits@production"), ("eu", "digits", "--version", "v1.0.0"),
        ("e/../u", "digits@production", "--version", "v1.0.0"), ("eu", "digits@production", "--digest", "abc"),
        ("eu", "digits@../x", "--version", "v1.0.0"),
    ):  # fmt: skip
        assert mlgit("registry", "observe", *words, check=False).returncode == 2, words
    assert mlgit("registry", "observe", "eu", "none@production", "--digest", "a" * 64, check=False).returncode == 1
    assert mlgit("registry", "log", "--at", "soon", check=False).returncode == 2
    assert live.refs("refs/mlgit/observed/") == {}


def test_reconcile_lets_a_stage_serve_what_its_file_says(live: Repo, mlgit: Mlgit):
    by_hand(live, "version: v1.0.0\n")

    foretold = mlgit("registry", "reconcile", "--dry-run")
    done = mlgit("registry", "reconcile")

    assert foretold.stdout == "production would serve digits v1.0.0.\n"
    assert done.stdout == "production serves digits v1.0.0 (tag digits#production#3).\n"
    assert mlgit("registry", "verify").returncode == 0
    told = json.loads(mlgit("registry", "log", "--json").stdout)
    assert [(one["what"], one["version"], one["by"]) for one in told[:1]] == [("rolled back", "v1.0.0", "Ada")]


def test_reconcile_does_what_the_file_of_automations_says_and_tells_it(live: Repo, mlgit: Mlgit, trained: Trained):
    text = b"""
automations: [{name: note, on: rolled_back, do: {command: [sh, -c, "cat >/dev/null; echo noted"]}},
              {name: broken, on: rolled_back, do: {command: [sh, -c, "exit 3"]}}]
advance: [{stage: production}]
"""
    live.git("reset", "-q", "--hard", live.commit(live.resolve("main"), {"registry/automations.yaml": text}, "a"))
    mlgit("registry", "reconcile")
    by_hand(live, "version: v1.0.0\n")
    trained("three", accuracy=0.9)
    mlgit("model", "register", "three", "--name", "digits")

    done = mlgit("registry", "reconcile")
    listed = mlgit("registry", "automations")
    plain = json.loads(mlgit("registry", "automations", "--json").stdout)

    assert "digits v1.2.0 for production: #3 proposes it" in done.stderr
    assert "note, after rolled_back of digits v1.0.0: noted" in done.stderr
    assert "broken, after rolled_back of digits v1.0.0, failed (it is tried again" in done.stderr
    assert "note\trolled_back of *\tsh -c cat" in listed.stdout
    assert "* for production: proposes itself, by pull request" in listed.stdout
    assert [one["name"] for one in plain["automations"]] == ["note", "broken", "mlgit.comments"]
    assert "sh ended with 3." in mlgit("registry", "automations", "broken").stdout
    assert "no automation 'nothing'" in mlgit("registry", "automations", "nothing", check=False).stderr


def test_what_moves_without_a_pull_request_is_followed_at_once(live: Repo, mlgit: Mlgit, trained: Trained):
    text = b'automations: [{name: note, on: promoted, do: {command: [sh, -c, "cat >/dev/null; echo noted"]}}]'
    live.git("reset", "-q", "--hard", live.commit(live.resolve("main"), {"registry/automations.yaml": text}, "a"))
    trained("three", accuracy=0.9)
    mlgit("model", "register", "three", "--name", "digits")

    done = mlgit("promote", "digits@v1.2.0", "production", "--direct")

    assert "note, after promoted of digits v1.2.0: noted" in done.stderr


def test_a_registry_in_which_nothing_has_happened_says_so(inside: Repo, mlgit: Mlgit):
    assert "Nothing has happened yet." in mlgit("registry", "log").stderr
    assert "No stage serves anything." in mlgit("registry", "status").stderr
    assert mlgit("registry", "verify").stdout == "0 stages: all as recorded.\n"
    assert mlgit("registry", "log", "--model", "none", check=False).returncode == 1
