"""`mlgit ci check`: whether workflows are as mlgit would write them, and whether GitHub lets them run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlgit.cli import output
from mlgit.cli.ci import chosen
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.ci.keeping import Kept
    from mlgit.forge.github.readiness import Finding
    from mlgit.store.place import Place


@click.command()
@click.option("--local", is_flag=True, help="Look at the files alone, and ask GitHub nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(local: bool, as_json: bool) -> None:
    """Say how the workflows here differ from what mlgit would write, and what GitHub lacks for them.

    Edits are said, and are no fault. The exit code is 1 where a file is missing, in conflict, older than this mlgit or
    not committed, and where GitHub is not set up: Actions and each workflow enabled, the token as it has to be, the
    secrets and runners that the workflows name, and no rule in the way of branches that mlgit writes. What the
    token at hand may not see is said to be unknown.

    \b
    Examples:
      mlgit ci check
      mlgit ci check --local --json
    """
    from mlgit.ci import keeping

    place = chosen.place()
    names = keeping.names(place.repo)
    if not names:
        raise MlgitError("There are no workflows of mlgit here.", fix="mlgit ci init")
    kept = keeping.look(place.repo, names)
    findings, unseen = ([], "") if local else _ask(place, kept)
    if as_json:
        files = [{"path": one.path, "standing": one.standing.value, "committed": one.is_committed} for one in kept]
        told = [{"what": one.what, "ok": one.is_so, "fix": one.fix} for one in findings]
        output.as_json({"files": files, "github": None if local or unseen else told, "unseen": unseen})
    else:
        _say(kept, findings, unseen)
    wrong = [one.path for one in kept if _wrong(one)]
    lacks = [one.what for one in findings if one.is_so is False]
    if wrong or lacks:
        fixes = dict.fromkeys(filter(None, [*map(_wrong, kept), *(one.fix for one in findings if one.is_so is False)]))
        count = len(wrong) + len(lacks)
        raise MlgitError(
            f"{count} {'things are' if count > 1 else 'thing is'} not as it should be.", fix="; ".join(fixes)
        )


def _wrong(one: Kept) -> str:
    """What mends the file; nothing where it is as it should be."""
    from mlgit.ci.keeping import Standing

    if one.standing in (Standing.MISSING, Standing.OLD, Standing.EDITED_AND_OLD):
        return "mlgit ci upgrade"
    if one.standing is Standing.MARKED:
        return "settle what lies between the marks, <<<<<<< and >>>>>>>"
    return "" if one.is_committed else "git add .github, and commit"


def _ask(place: Place, kept: Sequence[Kept]) -> tuple[list[Finding], str]:
    """(what GitHub says, why it was not asked)."""
    from mlgit import wiring
    from mlgit.ci.workflows import WORKFLOWS
    from mlgit.forge.github import readiness

    found = wiring.on_github(place)
    if found is None:
        return [], wiring.why_not_github(place)
    forge, _ = found
    files = [one for one in kept if one.there]
    return readiness.look(
        forge.rest, forge.name,
        workflows=[one.path for one in files if "/workflows/" in one.path],
        secrets=sorted({name for one in files if one.there for name in one.there.options.secret}),
        runners=sorted(_runners(place, kept)),
        proposes=any(one.path == WORKFLOWS["retrain"].path for one in files),
    ), ""  # fmt: skip


def _runners(place: Place, kept: Sequence[Kept]) -> set[tuple[str, ...]]:
    """The labels of all runners that the workflows ask for; jobs of `mlgit launch` say theirs themselves."""
    from mlgit.ci.settings import CiOptions
    from mlgit.ci.workflows import WORKFLOWS

    training = [WORKFLOWS[name].path for name in ("experiment", "retrain")]
    paths = [one.path for one in WORKFLOWS.values() if one.actions]
    found = {one.there.options.runners for one in kept if one.there and one.path in paths}
    if any(one.there and one.path in training for one in kept):
        train = place.settings.section("ci", CiOptions)
        trains = [train.usual, *(choice.runner for choice in train.runners)]
        found |= {runner.labels for runner in trains if not runner.group}  # groups are the organisation's
    return found


def _say(kept: Sequence[Kept], findings: Sequence[Finding], unseen: str) -> None:
    for one in kept:
        committed = "" if one.is_committed else ", not committed"
        output.say(f"{_mark(not _wrong(one))} {one.path}: {one.standing.value}{committed}")
    for finding in findings:
        output.say(f"{_mark(finding.is_so)} {finding.what}")
    if unseen:
        output.note(f"How GitHub is set up is not known: {unseen}")


def _mark(is_so: bool | None) -> str:
    plain = {True: "ok", False: "no", None: " ?"}[is_so]
    return {True: "✓", False: "✗", None: "?"}[is_so] if output.draws() else plain
