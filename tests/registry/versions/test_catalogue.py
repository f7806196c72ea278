"""Whatever happens to the tags, and to the file that pictures them: the catalogue says what git says."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from mlgit.core.model import ModelVersion
from mlgit.errors import RefMovedError
from mlgit.git.repo import Repo
from mlgit.registry import ledger, stages
from mlgit.registry.versions import catalogue
from mlgit.registry.versions.catalogue import Model
from mlgit.store import registry as store
from tests.conftest import make_repo

MODELS = ("net", "net2", "team/net")


def version(model: str, number: str, commit: str, **fields: Any) -> ModelVersion:
    told = {"project": "p", "run": f"{number}-run", "artifact": "net", "hash": "0" * 32, "registered": 1.0}
    return ModelVersion(model=model, version=number, commit=commit, **told | fields)


def register(repo: Repo, model: str, number: str, when: float, **fields: Any) -> None:
    commit = repo.commit(repo.resolve("HEAD"), {}, f"{model} {number}")
    repo.tag(f"refs/tags/{model}@{number}", commit, store.message(version(model, number, commit, **fields)), when=when)


def by_git(repo: Repo) -> dict[str, object]:
    """What `told` says, from a ledger of every tag."""
    found: dict[str, object] = {}
    for name, known in ledger.read(store.tags(repo)).items():
        brief = {number: store.told(tag.message) for number, tag in known.versions.items()}
        found[name] = (
            [(number, tag.commit, tag.when, tag.who, brief[number].get("run", ""), brief[number].get("metrics", {}))
             for number, tag in known.versions.items()],
            {stage: (number, stage in stages.ours(known)) for stage, number in known.stages.items()},
        )  # fmt: skip
    return found


def told(repo: Repo) -> dict[str, object]:
    return {model.name: _plain(model) for model in catalogue.every(repo)}


def _plain(model: Model) -> object:
    return (
        [(one.version, one.commit, one.when, one.who, one.run, dict(one.metrics)) for one in model.versions],
        {stage: (one.version, one.is_ours) for stage, one in model.stages.items()},
    )


def registered(repo: Repo, draw: random.Random, name: str, when: int) -> None:
    model, number = draw.choice(MODELS), f"v1.{draw.randrange(3)}.0"
    if f"refs/tags/{model}@{number}" not in repo.refs("refs/tags/"):
        register(repo, model, number, when, metrics={"accuracy": draw.random(), "odd": float("inf")})


def assigned(repo: Repo, draw: random.Random, name: str, when: int) -> None:
    standing = [ref for ref in repo.refs("refs/tags/") if "@v" in ref]
    if standing and repo.resolve(ref := draw.choice(standing)):
        model = ref.removeprefix("refs/tags/").partition("@")[0]
        said = draw.choice(("by hand", f"it serves\n\n{stages.OURS}{'a' * 40}"))
        back = draw.choice(("", "", "!"))
        with contextlib.suppress(RefMovedError):
            repo.tag(f"refs/tags/{model}#prod{back}#{when}", str(repo.resolve(ref)), said, when=when)


def odd(repo: Repo, draw: random.Random, name: str, when: int) -> None:
    args = draw.choice(((name,), ("-a", "-m", "x", name, "HEAD^{tree}"), ("-a", "-m", "x", name), ("-am", "x", "v1.0")))
    repo.git("tag", "--force", *args)


def moved(repo: Repo, draw: random.Random, name: str, when: int) -> None:
    tags = sorted(repo.refs("refs/tags/").items())
    if tags:
        repo.git("update-ref", draw.choice(tags)[0], draw.choice(tags)[1])


def deleted(repo: Repo, draw: random.Random, name: str, when: int) -> None:
    if tags := sorted(repo.refs("refs/tags/")):
        repo.git("update-ref", "-d", draw.choice(tags))


def packed(repo: Repo, draw: random.Random, name: str, when: int) -> None:
    repo.git("pack-refs", "--all")


HAPPENS = (registered, registered, registered, assigned, assigned, odd, moved, deleted, packed)


@pytest.mark.parametrize("seed", range(6))
def test_the_catalogue_says_what_git_says_after_each_thing_that_may_happen_to_tags(repo: Repo, seed: int):
    draw = random.Random(seed)

    for step in range(40):
        name = f"{draw.choice(MODELS)}{draw.choice(('@v1.0.0', '#prod#1', '@latest', '@v1.1.0!#2'))}"
        draw.choice(HAPPENS)(repo, draw, name, 1_700_000_000 + draw.randrange(100))

        assert told(repo) == by_git(repo), step

    assert catalogue.check(repo) == []


@pytest.fixture
def two(repo: Repo) -> Repo:
    """Two models, of which the catalogue has been asked."""
    register(repo, "net", "v1.0.0", 100)
    register(repo, "ranking", "v1.0.0", 200)
    told(repo)
    return repo


@pytest.mark.parametrize("damage", ["deleted", "garbage", "truncated", "table", "folder", "version"])
def test_a_damaged_file_gives_the_right_answers(two: Repo, damage: str):
    import sqlite3

    path, right = catalogue.PICTURE.file(two), by_git(two)
    content = path.read_bytes()
    path.unlink()
    if damage == "garbage":
        path.write_bytes(os.urandom(8192))
    elif damage == "truncated":
        path.write_bytes(content[:5000])
    elif damage == "folder":
        path.mkdir()
    elif damage in ("table", "version"):
        path.write_bytes(content)
        with sqlite3.connect(path) as connection:
            connection.execute("DROP TABLE versions" if damage == "table" else "PRAGMA user_version = 99")
        connection.close()

    assert told(two) == right
    assert told(two) == right


def test_a_spoilt_entry_is_found_and_a_new_file_is_made_of_what_git_says(two: Repo):
    import sqlite3

    with sqlite3.connect(catalogue.PICTURE.file(two)) as connection:
        connection.execute("UPDATE versions SET run = 'another' WHERE model = 'net'")
    connection.close()

    assert catalogue.check(two) == ["net: the index says otherwise"]
    catalogue.PICTURE.forget(two)
    assert catalogue.check(two) == []


def test_models_are_listed_by_what_happened_last_without_those_that_have_no_version(two: Repo):
    head = str(two.resolve("HEAD"))
    two.tag("refs/tags/net#prod#1", str(two.resolve("net@v1.0.0")), "promoted", when=300)
    two.tag("refs/tags/empty@v1.0.0", head, "x", when=400)
    two.tag("refs/tags/empty@v1.0.0!#1", head, "x", when=500)

    assert catalogue.newest(two) == (2, ["net", "ranking"])
    assert catalogue.newest(two, skip=1, limit=1) == (2, ["ranking"])
    assert [model.name for model in catalogue.every(two, "net")] == ["net"]
    assert catalogue.every(two, "none") == []
    assert catalogue.moved(two, 300) == ["empty", "net"]
    assert catalogue.moved(two, 501) == []


def test_only_the_models_of_which_a_tag_moved_are_read_again(two: Repo, monkeypatch: pytest.MonkeyPatch):
    read: list[list[str]] = []
    real = store.tags_at
    monkeypatch.setattr(store, "tags_at", lambda reader, listed: (read.append(list(listed)), real(reader, listed))[1])
    register(two, "net", "v1.1.0", 300)

    told(two)
    told(two)

    assert read == [["refs/tags/net@v1.0.0", "refs/tags/net@v1.1.0"]]


DIES = """
import os, sys
from pathlib import Path
from mlgit.errors import RefMovedError
from mlgit.git.repo import Repo
from mlgit.registry.versions import catalogue
left = int(sys.argv[1])
real = catalogue._take
def dies(connection, known):
    global left
    left -= 1
    if not left: os.kill(os.getpid(), 9)
    real(connection, known)
catalogue._take = dies
catalogue.every(Repo.find(Path(".")))
"""


@pytest.mark.parametrize("step", [1, 2])
def test_one_that_is_killed_while_it_reads_leaves_what_was_and_the_next_one_reads_all(two: Repo, step: int):
    register(two, "net", "v1.1.0", 300)
    register(two, "ranking", "v1.1.0", 300)

    died = subprocess.run((sys.executable, "-c", DIES, str(step)), cwd=two.folder, check=False)

    assert died.returncode == -signal.SIGKILL
    assert told(two) == by_git(two)


def test_many_that_ask_at_once_while_tags_come_and_go_all_hear_something_that_was_true(two: Repo):
    heard: list[dict[str, object]] = []
    right = [by_git(two)]

    def ask() -> None:
        heard.extend(told(two) for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 6):
        register(two, "net", f"v1.{number}.0", 300 + number)
        right.append(by_git(two))
    for thread in threads:
        thread.join()

    assert len(heard) == 20
    assert all(one in right for one in heard)
    assert told(two) == right[-1]


def test_a_shallow_clone_says_the_same(two: Repo, tmp_path: Path):
    two.git("clone", "-q", "--depth=1", f"file://{two.folder}", str(tmp_path / "shallow"))
    shallow = Repo.find(tmp_path / "shallow")
    assert shallow
    shallow.git("fetch", "-q", "--depth=1", "origin", "refs/tags/*:refs/tags/*")

    assert told(shallow) == by_git(two)


@pytest.mark.parametrize("form", ["--object-format=sha256", "--ref-format=reftable"])
def test_a_repository_of_another_form_says_the_same(tmp_path: Path, form: str):
    if subprocess.run(("git", "init", "-q", "-b", "main", form, tmp_path / "odd"), check=False).returncode:
        pytest.skip(f"this git has no {form}")
    repo = make_repo(tmp_path / "odd")
    for number in range(3):
        register(repo, "net", f"v1.{number}.0", 100 + number)

        assert told(repo) == by_git(repo)
    repo.git("update-ref", "-d", "refs/tags/net@v1.1.0")

    assert told(repo) == by_git(repo)
