"""A promotion without a pull request: judged, committed on the base branch, and settled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlgit.core.model import Stage
from mlgit.errors import UsageError
from mlgit.git.objects import Reader
from mlgit.git.remote import Remote
from mlgit.git.repo import Repo
from mlgit.registry import filing, shared
from mlgit.registry.decision import Origin
from mlgit.registry.evidence.gathering import Sources
from mlgit.registry.moving import sending, settle
from mlgit.registry.moving.propose import Plan
from mlgit.registry.moving.settle import Settled
from mlgit.store import registry as store


@dataclass(frozen=True, kw_only=True)
class Direct:
    """What came of it."""

    plan: Plan | None
    """What was committed; None where an earlier try had got so far, and its stage had not been tagged yet."""
    commit: str | None
    stages: Sequence[Settled]


def promote(
    repo: Repo, wanted: Stage, *, base: str, think: Callable[[str], Plan], title: str, sources: Sources,
    remote: Remote | None,
) -> Direct:  # fmt: skip
    """Have *base* say what is *wanted* of a stage, by what *think* makes of the commit where it stands, and settle it.

    With *remote*, commit and tags are there; the version's tag is before they are. Doing it again finishes what an
    earlier try left undone. Raises what *think* raises, `GateFailedError` where a gate does not pass (then nothing is
    made), `UsageError` where the stage serves it already, and what `filing.at_once` raises.
    """
    model, stage, version = wanted.model, wanted.stage, wanted.version
    made: list[Plan] = []

    def edit(reader: Reader, tip: str) -> Mapping[str, bytes | None]:
        if (there := store.stage_at(reader, tip, model, stage)) and there.version == version:
            return {}
        made.append(think(tip))
        if refused := made[-1].unmet:
            raise refused
        return {path: text.encode() for path, text in made[-1].files.items()}

    def act(tip: str | None) -> list[Settled]:
        if commit is None:
            told = settle.reconcile(repo, base, sources=sources, only=(model, stage), asked=lambda _one: by_hand)
            is_tagged = sending.served(repo, None, model, stage, version)
            return told or ([is_tagged] if is_tagged else [])
        return settle.settle(repo, commit, sources=sources, tip=tip, asked=lambda _one: by_hand)

    by_hand = Origin(author=repo.identity.rpartition(" <")[0])
    if remote:
        shared.share_version(remote, model, version)
    commit = filing.at_once(repo, base, edit, title, remote=remote)
    if commit is None and sending.served(repo, remote, model, stage, version):
        raise UsageError(f"{model} {version} is in {stage} already, as {base} has it.")
    stages = sending.settled(remote, base, act) if remote else act(repo.resolve(f"refs/heads/{base}"))
    return Direct(plan=made[-1] if commit else None, commit=commit, stages=stages)
