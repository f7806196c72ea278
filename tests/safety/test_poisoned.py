"""Pointers, pipelines and settings of DVC's that somebody has prepared: mlgit reads them, and nothing else happens."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from mlgit.artifacts import manifest
from mlgit.cli import root
from mlgit.core.run import Run
from mlgit.dvc import cache
from mlgit.dvc.caches import databases, storing
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo
from tests.conftest import make_repo
from tests.recorded import record

Script = Callable[..., "subprocess.CompletedProcess[str]"]
HASH = "d41d8cd98f00b204e9800998ecf8427e"
OUT = f"outs:\n- {{md5: {HASH}, size: 0, hash: md5, path: %s}}\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
# What is prepared → the files of a commit. Each of them is read by itself.
POISONS = {
    "paths": {
        "up.dvc": OUT % "../../outside",
        "absolute.dvc": OUT % "%(tmp)s/outside",
        "another-folder.dvc": "wdir: ../..\n" + OUT % "outside",
        "hook.dvc": OUT % ".git/hooks/post-checkout",
        "folder.dvc": OUT.replace(HASH, f"{HASH}.dir") % "../../outside",
        "dvc.lock": f"stages:\n  a: {{cmd: x, outs: [{{path: ../../outside, md5: {HASH}, size: 0}}]}}\n",
    },
    "names": {
        "--output=outside.dvc": OUT % "--output=outside",
        "-r.dvc": OUT % "-r",
        "back.dvc": OUT % "'..\\..\\outside'",
        "nul.dvc": OUT % '"a\\0b"',
        "control.dvc": OUT % '"\\e]0;title\\a\\e[2J"',
    },
    "what DVC would run and fetch": {
        "command.dvc": f"cmd: touch %(tmp)s/outside\n{OUT % 'made'}",
        "remote.dvc": f"outs:\n- {{md5: {HASH}, size: 0, hash: md5, path: made, remote: evil}}\n",
        "import.dvc": "frozen: true\ndeps:\n- {path: x, repo: {url: 'ext::sh -c touch% %(tmp)s/out', rev_lock: a}}\n"
        + OUT % "made",
        "dvc.yaml": "stages:\n  a: {cmd: touch %(tmp)s/outside, outs: [made]}\n  b: {cmd: '${x}', outs: [../out]}\n",
    },
    "a bomb": {"x.dvc": BOMB + OUT % "made", "dvc.lock": BOMB, "dvc.yaml": BOMB},
    "no documents": {
        "deep.dvc": "[" * 3000,
        "dvc.lock": "{a: " * 3000,
        "x.dvc": "\x00\x01: [",
        "dvc.yaml": "- }",
        "huge.dvc": "# " + "x" * (5 << 20) + "\n" + OUT % "made",
        "object.dvc": "!!python/object/apply:os.mkdir ['%(tmp)s/outside']\n",
    },
    "settings": {
        ".dvc/config": "[core]\n    remote = far\n    site_cache_dir = %(tmp)s/outside\n    hardlink_lock = true\n"
        "[cache]\n    dir = %(tmp)s/outside\n['remote \"far\"']\n    url = ssh://-oProxyCommand=touch%%20outside/x\n"
    },
    "settings that are none": {".dvc/config": "[core\nremote"},
}
READING = (
    "ls", "show evil", "show evil --json", "diff clean evil", "diff clean evil --code", "compare clean evil",
    "report --base clean --head evil --dry-run", "checkout evil --to ../then", "reproduce evil --check", "data ls",
    "fsck", "export --to ../runs.json", "gc --dry-run", "log evil", "lineage evil", "affected made",
)  # fmt: skip
THERE = ("data status", "data add clean.txt", "doctor", "init", "sync")


@pytest.fixture
def clean(inside: Repo, tmp_path: Path) -> Repo:
    """A project with DVC, a remote and one run."""
    for name, text in {"mlgit.yaml": "project: p\n", "clean.txt": "clean", ".dvc/config": ""}.items():
        (inside.folder / name).parent.mkdir(exist_ok=True)
        (inside.folder / name).write_text(text)
    commit(inside)
    inside.git("remote", "add", "origin", str(make_repo(tmp_path / "far.git", commit=False, bare=True).folder))
    record(inside, "clean123", name="clean")
    return inside


def commit(repo: Repo) -> None:
    repo.git("add", "-A")
    repo.git("commit", "-qm", "work")


def poison(repo: Repo, files: dict[str, str], tmp_path: Path) -> Run:
    """The run of a commit with these *files*."""
    for name, text in files.items():
        (repo.folder / name).write_bytes(text.replace("%(tmp)s", str(tmp_path)).encode())
    commit(repo)
    return record(repo, "evil1234", name="evil", params={"lr": 0.2})


def call(line: str) -> None:
    try:
        root.main(line.split(), standalone_mode=False)
    except (MlgitError, click.ClickException, click.exceptions.Exit, click.Abort, SystemExit):
        return  # it says what is wrong


@pytest.mark.parametrize("what", POISONS)
def test_what_is_prepared_does_nothing(
    what: str, clean: Repo, tmp_path: Path, capsys: pytest.CaptureFixture[str], mlgit: Script
):
    before = clean.resolve("HEAD")
    poison(clean, POISONS[what], tmp_path)
    hooks = sorted((clean.git_dir / "hooks").iterdir())

    for line in THERE:
        call(line)
    mlgit("run", "--", "true", check=False)
    assert not [path for path in tmp_path.glob("*out*") if path.is_file() or what != "settings"]
    shutil.rmtree(tmp_path / "outside", ignore_errors=True)  # where DVC's settings let its cache be

    clean.git("reset", "-q", "--hard", str(before))
    for line in READING:
        call(line)
        assert "\x1b" not in capsys.readouterr().out, line
    assert not (tmp_path / "outside").exists()
    assert not (clean.folder / "outside").exists()
    assert sorted((clean.git_dir / "hooks").iterdir()) == hooks


def test_a_pipeline_that_is_only_read_is_not_run(clean: Repo, tmp_path: Path, mlgit: Script):
    poison(clean, POISONS["what DVC would run and fetch"], tmp_path)

    mlgit("run", "--dry-run", check=False)
    mlgit("run", "--stage", "--pull", check=False)

    assert not (tmp_path / "outside").exists()


# -- names inside of folders


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../../x", "", ".", "a//b", "a\0b", "..\\..\\x", "C:\\x", ".git/config", "a/.GIT/b"]
)
def test_a_listing_that_leads_out_of_its_folder_is_refused(name: str, clean: Repo, tmp_path: Path):
    database = next(databases.of(clean, ""))
    listing = json.dumps([{"md5": HASH, "relpath": name}]).encode()
    content = f"{databases.md5(listing).hexdigest()}.dir"
    for oid, text in ((content, listing), (HASH, b"")):
        place = databases.place(database, oid)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)
    before = {path for path in tmp_path.rglob("*") if ".git" not in path.relative_to(clean.folder.parent).parts[:3]}

    with contextlib.suppress(MlgitError):
        cache.fetch(clean, content, clean.folder / "target", folder="")

    after = {path for path in tmp_path.rglob("*") if ".git" not in path.relative_to(clean.folder.parent).parts[:3]}
    assert all(path.is_relative_to(clean.folder / "target") for path in after - before)
    assert not [path for path in (clean.folder / "target").rglob("*") if path.name.lower() == ".git"]


def test_a_repository_inside_of_data_is_no_data(clean: Repo):
    """What git would run when somebody looks into the folder goes into no artifact, and comes out of none."""
    (clean.folder / "set" / ".git").mkdir(parents=True)
    (clean.folder / "set" / ".git" / "config").write_text("[core]\n\tfsmonitor = touch outside\n")
    (clean.folder / "set" / "a.csv").write_text("1\n")

    content = storing.add(clean, clean.folder / "set")[0]

    assert cache.listing(clean, content).keys() == {"a.csv"}
    with pytest.raises(UsageError, match="cannot be a path inside an artifact"):
        manifest.inside("a/.Git/config")


def test_names_that_are_one_on_some_disks_stay_two(clean: Repo):
    """Whatever the disk makes of them: what is fetched is checked, name by name."""
    for name in ("Case.txt", "case.txt", "\u00e9.txt", "e\u0301.txt", "CON", "aux.txt", "nul"):
        (clean.folder / "twins").mkdir(exist_ok=True)
        (clean.folder / "twins" / name).write_text(name)
    content = storing.add(clean, clean.folder / "twins")[0]

    cache.fetch(clean, content, clean.folder / "again", folder="")

    assert sorted(path.name for path in (clean.folder / "again").iterdir()) == sorted(
        path.name for path in (clean.folder / "twins").iterdir()
    )
    assert all(
        (clean.folder / "again" / path.name).read_text() == path.name for path in (clean.folder / "twins").iterdir()
    )
