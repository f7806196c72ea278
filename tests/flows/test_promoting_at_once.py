"""Fifty people, each in a clone of their own, promote at once to one repository over http."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlgit import wiring
from mlgit.artifacts import log as artifacts
from mlgit.core import refs
from mlgit.core.model import Stage
from mlgit.errors import GateFailedError, MlgitError
from mlgit.git.repo import Repo
from mlgit.registry import ledger
from mlgit.registry.moving.propose import Plan
from mlgit.registry.moving.settle import Settled, is_refused
from mlgit.registry.versions import registering
from mlgit.settings import find
from mlgit.store import registry as store
from mlgit.store.place import Place
from mlgit.wiring import promoting
from tests import git_http, github
from tests.conftest import make_repo, need
from tests.github import NAME, GitHub
from tests.recorded import record

Crowd = tuple[list[tuple[Place, str, str]], Repo, GitHub]
MODELS, VERSIONS = ("a", "b", "c", "d", "e"), 10
POLICY = "stages: {production: {gates: [{metric: accuracy, not_worse_than: champion}]}}\n"


@pytest.fixture
def crowd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[list[tuple[Place, str, str]], Repo, GitHub]]:
    """What each is to promote: place, model and version; and the repository on GitHub."""
    need("github", github.is_here())
    far, first = make_repo(tmp_path / "srv/far.git", commit=False, bare=True), make_repo(tmp_path / "first")
    far.git("config", "http.receivepack", "true")
    far.git("config", "uploadpack.allowAnySHA1InWant", "true")
    with git_http.serving(tmp_path / "srv") as address, github.serving(far.git_dir) as there:
        monkeypatch.setenv("GH_TOKEN", "token-of-ada")
        forge = {"kind": "github", "repository": NAME, "api": there.address}
        (first.folder / "mlgit.yaml").write_text(json.dumps({"project": "p", "forge": forge}))
        (first.folder / "registry").mkdir()
        (first.folder / store.POLICY).write_text(POLICY)
        first.git("add", ".")
        first.git("commit", "-qm", "code")
        weights = tmp_path / "net.bin"
        asked: list[tuple[str, str]] = []
        for number in range(VERSIONS):
            weights.write_text(str(number))
            logged = (artifacts.log(first, weights, name="net", type="model"),)
            run = record(first, f"{number:06}xx", project="p", logged=logged, metrics={"accuracy": number / 10})
            asked += [(model, registering.register(first, run, model=model).version) for model in MODELS]
        first.git("remote", "add", "origin", f"{address}/far.git")
        first.git("push", "-q", "origin", "main", "--tags")
        first.git("fetch", "-q", "origin")
        first.git("pack-refs", "--all")
        places = []
        for number, (model, version) in enumerate(asked):
            folder = shutil.copytree(first.folder, tmp_path / f"clone-{number}", symlinks=True)
            repo = Repo.find(folder)
            assert repo
            places.append((Place(repo, find(folder, folder)), model, version))
        yield places, far, there


def settled(far: Repo, refused: Collection[str]) -> dict[str, str]:
    """What production serves of each model, by the tags; by the files, too, but where a merge was *refused*."""
    with far.reader() as reader:
        files = {model: version for (model, _), version in store.stages_at(reader, far.resolve("main") or "").items()}
    known = ledger.read(store.tags(far))
    served = {model: known[model].stages["production"] for model in files}
    assert {model for model in files if files[model] != served[model]} <= set(refused)
    return served


def plan(place: Place, model: str, version: str, at: str | None) -> Plan:
    return promoting.promotion(place, model, version, "production", at=at)


def directly(place: Place, model: str, version: str) -> Sequence[Settled] | MlgitError:
    try:
        wanted = Stage(model=model, stage="production", version=version)
        return promoting.direct(place, wanted, lambda at: plan(place, model, version, at)).stages
    except MlgitError as exc:
        return exc


def by_pull(place: Place, model: str, version: str) -> Sequence[Settled] | MlgitError:
    """As `mlgit promote` and `mlgit pr merge` do it; where another is merged before, once more."""
    told = MlgitError("")
    for _ in range(3):
        try:
            number = promoting.promote(place, plan(place, model, version, promoting.brought(place))).pull.number
            pull = wiring.forge(place).get(number)
            if refused := [one.refusal for one in promoting.before_merge(place, pull) if one.refusal]:
                return refused[0]
            return promoting.after_merge(place, wiring.forge(place).merge(number, expect=pull.head_commit))
        except GateFailedError as exc:
            return exc
        except MlgitError as exc:  # in conflict with what came meanwhile
            told = exc
    return told


def test_each_of_fifty_promotions_is_there_once_or_its_person_was_told_why_not(crowd: Crowd):
    places, far, there = crowd
    acts = [directly, by_pull] * (len(places) // 2)

    with ThreadPoolExecutor(len(places)) as people:
        ends = list(people.map(lambda act, one: act(*one), acts, places))

    subjects = far.git("log", "--format=%s", "--first-parent", "main").split("\n")
    merged = {pull["head"]: pull for pull in there.pulls.values() if pull["merged"]}
    tags = {tag.name for tag in store.tags(far) if "#" in tag.name}
    for act, (_, model, version), end in zip(acts, places, ends, strict=True):
        is_there = not isinstance(end, MlgitError)
        if act is directly:
            assert subjects.count(f"Promote {model} {version} to production") == is_there, (model, version, end)
        else:
            assert (refs.promotion_branch(model, version, "production") in merged) == is_there, (model, version, end)
        assert is_there or str(end)
        for stage in () if isinstance(end, MlgitError) else end:
            assert stage.overtaken or stage.tag in tags or is_refused(stage), (model, version, stage)
    assert len(there.pulls) == len({pull["head"] for pull in there.pulls.values()}) <= len(places) // 2
    best = dict.fromkeys(MODELS, "")  # as none is promoted that is worse than what serves
    refused = set()  # merged before what is better was tagged, which their people are told then
    for (_, model, version), end in zip(places, ends, strict=True):
        if not isinstance(end, MlgitError) and any(map(is_refused, end)):
            refused.add(model)
        elif not isinstance(end, MlgitError) and not any(stage.overtaken for stage in end):
            best[model] = max(best[model], version)
    assert settled(far, refused) == best
