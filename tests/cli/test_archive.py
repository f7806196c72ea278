"""`mlgit archive` and `unarchive`: which runs fold, and when mlgit folds some by itself."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core import refs
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.public.api import Api
from mlgit.store import archive
from mlgit.tracking import session

Script = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def many(inside: Repo) -> Repo:
    """A repository with the runs n0 (the oldest) to n5."""
    for number in range(6):
        session.init(id=f"n{number}", name=f"n{number}", project="repo", config={"lr": number}).finish()
    return inside


def live(repo: Repo) -> list[str]:
    return sorted(run.id for run in query.runs(repo) if not run.archive)


def test_the_newest_are_kept(many: Repo, mlgit: Script):
    would = mlgit("archive", "--keep", "2", "--dry-run", cwd=many.folder).stdout
    assert (would.count("would be archived"), len(live(many))) == (4, 6)

    said = mlgit("archive", "--keep", "2", cwd=many.folder)

    assert said.stdout.count("is archived") == 4
    assert "undo: mlgit unarchive n3-" in said.stderr
    assert live(many) == ["n4", "n5"]
    assert "Nothing to archive." in mlgit("archive", "--keep", "2", cwd=many.folder).stderr


def test_what_is_named_or_fits_a_condition_is_archived_and_comes_back(many: Repo, mlgit: Script):
    mlgit("archive", "n5", cwd=many.folder)
    (told,) = json.loads(mlgit("archive", "--where", "lr < 1", "--older-than", "0s", "--json", cwd=many.folder).stdout)

    assert (told["id"], told["archive"]) == ("n0", archive.month_of(query.find(many, "n0")))
    assert live(many) == ["n1", "n2", "n3", "n4"]
    assert "n5" in mlgit("show", "n5", cwd=many.folder).stdout
    assert "is back" in mlgit("unarchive", "n5", cwd=many.folder).stdout
    assert json.loads(mlgit("unarchive", "--where", "lr < 3", "--json", cwd=many.folder).stdout)[0]["id"] == "n0"
    assert live(many) == ["n0", "n1", "n2", "n3", "n4", "n5"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("archive",), "Which runs?"),
        (("archive", "--older-than", "soon"), "is no time"),
        (("archive", "n0", "n0x"), "no run 'n0x'"),
        (("unarchive", "n0"), "is not archived"),
    ],
)
def test_what_cannot_be_archived_is_said(many: Repo, mlgit: Script, words: tuple[str, ...], says: str):
    done = mlgit(*words, cwd=many.folder, check=False)

    assert done.returncode in (1, 2)
    assert says in done.stderr
    assert len(live(many)) == 6


def test_the_head_of_an_open_pull_request_stays(many: Repo, mlgit: Script):
    run = query.find(many, "n0")
    FolderForge(many).open(head=run.branch, base="main", title="n0", body="")

    said = mlgit("archive", "--keep", "0", cwd=many.folder)
    named = mlgit("archive", "n0", cwd=many.folder, check=False)

    assert live(many) == ["n0"]
    assert "stays: an open pull request proposes its branch" in said.stderr
    assert (named.returncode, "an open pull request" in named.stderr) == (2, True)


def test_an_archived_run_can_be_proposed_registered_and_compared(many: Repo, mlgit: Script):
    mlgit("archive", "--keep", "0", cwd=many.folder)

    for words in (
        ("show", "n1"), ("diff", "n1", "n2"), ("compare", "n1", "n2"), ("log", "n1"), ("tag", "n1", "+good"),
        ("pr", "open", "n1"), ("rm", "n2"), ("restore", "n2"),
    ):  # fmt: skip
        mlgit(*words, cwd=many.folder)

    assert query.find(many, "n1").tags == ("good",)
    assert live(many) == ["n2"]


def test_every_reader_says_of_archived_runs_what_it_said_before(many: Repo, mlgit: Script, tmp_path: Path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    with session.init(id="m", name="m", project="repo", config={"lr": 9}) as run:
        for step in range(5):
            run.log({"loss": 1 / (step + 1)})
        run.log_artifact(tmp_path / "model.bin", name="digits", type="model")
    questions = (
        ("ls", "--json", "--all"), ("ls", "--where", "lr > 3", "--json"), ("show", "m", "--json"),
        ("show", "m", "--history", "--json"), ("log", "m", "--json"), ("diff", "n1", "m", "--json"),
        ("compare", "n1", "m", "--json"), ("rm", "n1", "--dry-run", "--json"),
    )  # fmt: skip

    def asked() -> list[str]:
        found = [mlgit(*words, cwd=many.folder).stdout for words in questions]
        api = [(run.id, run.summary._json_dict, run.config, run.path) for run in Api().runs("repo")]
        mlgit("export", "--to", str(tmp_path / "runs.json"), "--history", cwd=many.folder)
        return [*found, repr(api), (tmp_path / "runs.json").read_text()]

    before = asked()
    mlgit("archive", "--keep", "0", cwd=many.folder)

    assert live(many) == []
    for told, tells in zip(before, asked(), strict=True):
        assert tells == told
    mlgit("model", "register", "m", "--name", "digits", cwd=many.folder)
    mlgit("checkout", "m", "experiment/params.yaml", "--to", str(tmp_path / "back"), cwd=many.folder)
    assert "digits" in mlgit("model", "ls", cwd=many.folder).stdout
    assert "lr: 9" in next((tmp_path / "back").rglob("params.yaml")).read_text()
    assert live(many) == [], "none of them needs a branch"


def test_mlgit_folds_by_itself_once_it_may(many: Repo, mlgit: Script):
    (many.folder / "mlgit.yaml").write_text("project: repo\narchive: {limit: 3}\n")
    far = many.folder.parent / "far.git"
    many.git("init", "--quiet", "--bare", str(far))
    sync = ("sync", "--to", str(far))

    mlgit(*sync, cwd=many.folder)
    assert len(live(many)) == 6, "nobody has been asked yet"
    would = mlgit("archive", "--auto", "--dry-run", cwd=many.folder).stderr
    assert ("would be folded by themselves" in would, "mlgit.archive" in many.git("config", "--list")) == (True, False)
    mlgit("archive", "--auto", cwd=many.folder)
    mlgit("ls", cwd=many.folder)
    assert len(live(many)) == 6, "a script that lists runs changes nothing"
    said = mlgit(*sync, cwd=many.folder)

    assert "3 old runs were archived" in said.stderr
    assert live(many) == ["n3", "n4", "n5"]
    mlgit("archive", "--no-auto", cwd=many.folder)
    session.init(id="n6", project="repo").finish()
    mlgit(*sync, cwd=many.folder)
    assert len(live(many)) == 4


@pytest.mark.parametrize(("answer", "left", "known"), [("y", 3, "auto"), ("n", 6, "never")])
def test_a_person_is_asked_once(many: Repo, answer: str, left: int, known: str):
    (many.folder / "mlgit.yaml").write_text("project: repo\narchive: {limit: 3}\n")

    assert "Fold old runs by itself from now on?" in at_a_terminal(many.folder, answer)

    assert len(live(many)) == left
    assert many.git("config", "mlgit.archive") == known
    assert "Fold old runs" not in at_a_terminal(many.folder, answer)


def at_a_terminal(folder: Path, answer: str) -> str:
    """What `mlgit ls` shows a person who types *answer*."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "mlgit", "ls"]
    with subprocess.Popen(words, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        said = b""
        while True:
            try:
                block = os.read(ours, 4096)
            except OSError:  # EIO: it has ended
                break
            if not block:
                break
            said += block
    os.close(ours)
    assert process.returncode == 0
    return said.decode()


def test_a_fold_that_fails_does_not_fail_the_command(many: Repo, mlgit: Script):
    (many.folder / "mlgit.yaml").write_text("project: repo\narchive: {limit: 3}\n")
    mlgit("archive", "--auto", cwd=many.folder)
    far = many.folder.parent / "far.git"
    many.git("init", "--quiet", "--bare", str(far))
    many.git("config", "core.packedRefsTimeout", "0")  # how long git waits for who holds the lock, each time
    (many.common_dir / "packed-refs.lock").touch()

    said = mlgit("sync", "--to", str(far), cwd=many.folder)

    assert "old runs were not archived" in said.stderr
    assert len(many.refs(refs.RUNS)) == 6
