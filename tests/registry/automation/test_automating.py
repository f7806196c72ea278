from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest

from mlgit import wiring
from mlgit.errors import ConfigError
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.registry.automation import state
from mlgit.registry.automation.advancing import Passed
from mlgit.registry.versions import registering
from mlgit.store import registry as store
from mlgit.wiring import advancing, automating, promoting

POLICY = "stages: {staging: {gates: [{metric: accuracy, min: 0.5}]}, production: {}}"
AUTOMATIONS = f"""\
automations:
  - name: note
    on: [version, promoted]
    do:
      command: [{sys.executable}, note.py]
      secrets: [NOTES]
advance:
  - stage: staging
"""
NOTE = "import json, os, sys; print(json.load(sys.stdin)['type'], file=open(os.environ['NOTES'], 'a')); print('noted')"


def write(repo: Repo, files: Mapping[str, str]) -> None:
    content = {path: text.encode() for path, text in files.items()}
    repo.git("reset", "-q", "--hard", repo.commit(repo.resolve("HEAD"), content, "files"))


def advanced(**how: Any) -> list[Passed]:
    return advancing.advance(wiring.place(), **how)


def test_what_follows_a_promotion_is_done_once_and_said_where_it_was_proposed(
    inside: Repo, trained, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    notes = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(notes))
    write(inside, {store.POLICY: POLICY, store.AUTOMATIONS: AUTOMATIONS, "note.py": NOTE})
    place, began = wiring.place(), time.time()
    registering.register(inside, trained("a", accuracy=0.9), model="digits")
    pull = promoting.promote(place, promoting.promotion(place, "digits", "v1.0.0", "production")).pull
    promoting.after_merge(place, FolderForge(inside).merge(pull.number))

    done = automating.automate(place, since=began)

    assert [(one.automation, one.event.on.value, one.done.said) for one in done] == [
        ("mlgit.comments", "promoted", f"said on #{pull.number}"), ("note", "version", "noted"),
        ("note", "promoted", "noted"),
    ]  # fmt: skip
    assert notes.read_text().split() == ["model.version", "model.promoted"]
    assert "**production** serves `digits v1.0.0`" in FolderForge(inside).comments(pull.number)[-1].body
    assert automating.automate(place) == []


def test_a_file_that_cannot_be_read_is_said_and_what_follows_by_itself_does_so(inside: Repo, trained):
    write(inside, {store.POLICY: POLICY, store.AUTOMATIONS: "automations: [{name: a}]"})
    place, began = wiring.place(), time.time()
    registering.register(inside, trained("a", accuracy=0.9), model="digits")
    pull = promoting.promote(place, promoting.promotion(place, "digits", "v1.0.0", "production")).pull
    promoting.after_merge(place, FolderForge(inside).merge(pull.number))

    with pytest.raises(ConfigError, match=r"registry/automations\.yaml:1: automations\.0\.on: required"):
        automating.automate(place, since=began)

    assert "serves `digits v1.0.0`" in FolderForge(inside).comments(pull.number)[-1].body


def test_the_newest_version_that_passes_proposes_itself_and_an_answer_stands(inside: Repo, trained):
    write(inside, {store.POLICY: POLICY, store.AUTOMATIONS: AUTOMATIONS})
    forge = FolderForge(inside)
    for name, accuracy in (("a", 0.7), ("b", 0.8), ("c", 0.2)):
        registering.register(inside, trained(name, accuracy=accuracy), model="digits")

    (tried,) = advanced(dry_run=True)
    assert (tried.version, tried.is_moved, forge.pulls()) == ("v1.1.0", False, [])
    (first,) = advanced()
    assert (first.version, first.pull, first.is_moved) == ("v1.1.0", 1, True)
    (again,) = advanced()
    assert (again.version, again.pull, again.is_moved, again.why) == ("v1.1.0", 1, False, "proposed already")
    assert [pull.number for pull in forge.pulls()] == [1]

    forge.close(1)
    (older,) = advanced()
    assert (older.version, older.pull) == ("v1.0.0", 2)
    promoting.after_merge(wiring.place(), forge.merge(2))
    (rest,) = advanced()
    assert (rest.version, rest.is_moved) == (None, False)
    assert "accuracy 0.2" in rest.why


def test_a_stage_that_is_held_stays(inside: Repo, trained):
    hold = "version: v1.0.0\nhold: {by: ann, since: '2026-01-01T00:00:00Z', why: it is slow}\n"
    write(inside, {store.AUTOMATIONS: "advance: [{stage: staging}]", store.stage_path("digits", "staging"): hold})
    for name in "ab":
        registering.register(inside, trained(name, accuracy=0.9), model="digits")

    (found,) = advanced()

    assert (found.version, found.why) == (None, "held by ann since 2026-01-01T00:00:00Z: it is slow")
    assert FolderForge(inside).pulls() == []


def test_prereleases_and_what_nobody_should_use_do_not_propose_themselves(inside: Repo, trained):
    from mlgit.registry.versions import deprecating

    write(inside, {store.AUTOMATIONS: "advance: [{stage: staging}]"})
    registering.register(inside, trained("a", accuracy=0.9), model="digits", version="v2.0.0-rc.1")
    registering.register(inside, trained("b", accuracy=0.9), model="digits", version="v1.5.0")
    deprecating.deprecate(inside, "digits", "v1.5.0", why="slow")

    (found,) = advanced()

    assert (found.version, found.why) == (None, "no newer version")


def test_a_version_is_proposed_once_it_has_soaked_and_moves_at_once_where_the_file_says_so(inside: Repo, trained):
    policy = "stages: {staging: {}, production: {after: staging, gates: [{soak: 10d}]}}"
    rule = "advance: [{stage: staging, by: commit}, {stage: production}]"
    write(inside, {store.POLICY: policy, store.AUTOMATIONS: rule})
    registering.register(inside, trained("a", accuracy=0.9), model="digits")

    staged, waits = advanced()

    assert (staged.version, staged.why, staged.is_moved) == ("v1.0.0", "it serves now", True)
    assert (waits.version, waits.is_moved) == (None, False)
    assert "soak" in waits.why or "10d" in waits.why, waits.why
    assert FolderForge(inside).pulls() == []


def test_what_a_command_prints_is_kept_without_its_secrets(inside: Repo, trained, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOTES", "hunter2hunter2")
    leaks = "import os; print('no right with ' + os.environ['NOTES']); raise SystemExit(1)"
    write(inside, {store.AUTOMATIONS: AUTOMATIONS, "note.py": leaks})
    began = time.time()
    registering.register(inside, trained("a", accuracy=0.9), model="digits")

    (done,) = automating.automate(wiring.place(), since=began)

    assert "ended with 1. no right with ***" in done.done.said
    assert "hunter2" not in inside.git("log", "-p", "--format=%B", state.REF)
