"""The way back from a merge whose gates did not pass: a pull request that restores the registry's files."""

from __future__ import annotations

from collections.abc import Callable

from mlgit.core import escape, refs
from mlgit.errors import MlgitError
from mlgit.forge.base import Forge, PullRequest, PullState
from mlgit.git.repo import Move, Repo
from mlgit.registry.moving import asking
from mlgit.registry.moving.settle import Settled, is_refused
from mlgit.store import registry as store


def taken_back(
    repo: Repo, forge: Forge, settled: Settled, base: str, commit: str | None, bring: Callable[[str], object],
    *, before: str = "",
) -> PullRequest | MlgitError | None:  # fmt: skip
    """The pull request that takes back what was merged into *base*, where a gate refused it; or why none.

    *commit*: the merge, else the last one that proposed it counts. *bring* has a commit, and the one before it, here.
    *before*: where *base* stood until then, or empty: nobody knows.

    An error is told and not raised: that the stage did not move is what has to be heard.
    """
    if not is_refused(settled):
        return None
    try:
        merged = asking.pull_of(repo, forge, settled, base, commit)
        if merged and merged.merge_commit:
            bring(merged.merge_commit)
        return propose(repo, forge, merged, settled, before=before) if merged else None
    except MlgitError as exc:
        return exc


def propose(
    repo: Repo, forge: Forge, merged: PullRequest, settled: Settled, *, before: str = ""
) -> PullRequest | None:  # fmt: skip
    """The pull request that takes back what *merged* says of a stage that did not move; the open one, if there is one.

    *before*: where the branch stood before the merge, if that is known: of several commits that were rebased, the first
    parent of the last one is another of them. None where there is nothing to take back, or where somebody closed it:
    that was an answer.
    """
    model, stage, version = settled.model, settled.stage, settled.version
    commit = merged.merge_commit
    if commit is None or version is None:
        return None
    tip = store.base_commit(repo, merged.base)
    head = refs.revert_branch(model, version, stage)
    earlier = next((pull for pull in forge.pulls(state=None, head=head) if pull.base == merged.base), None)
    if earlier and earlier.state is PullState.OPEN:
        return earlier
    if earlier and earlier.state is PullState.CLOSED:
        return None
    title = f"Take {model} {version} back from {stage}"
    changes = _restored(repo, before or f"{commit}^1", commit, tip, settled)
    if not changes:
        return None
    ref = f"refs/heads/{head}"
    repo.move([Move(ref, repo.refs(ref).get(ref), repo.commit(tip, changes, title))], why=title)
    reason = escape.markdown(str(settled.refusal or ""), 2_000)
    body = f"#{merged.number} was merged as {commit[:10]}, and the stage did not move.\n\n{reason}\n"
    return forge.open(head=head, base=merged.base, title=title, body=body)


def _restored(repo: Repo, before: str, merge: str, tip: str, settled: Settled) -> dict[str, bytes | None]:
    """The files that the merge changed for the stage, as they were *before* it; None for one that was not there.

    The version's and the model's own stay where another stage needs them, the model's also where it says something
    else by now: aliases are people's.
    """
    model, stage, version = settled.model, settled.stage, settled.version
    with repo.reader() as reader:
        served = store.stages_at(reader, tip, models=[model])
        others = {now for key, now in served.items() if key != (model, stage)}
        paths = [store.stage_path(model, stage)]
        if version and version not in others:
            paths.append(store.version_path(model, version))
        card = store.card_path(model)
        if not others and reader.blob(f"{tip}:{card}") == reader.blob(f"{merge}:{card}"):
            paths.append(card)
        old = {path: reader.blob(f"{before}:{path}") for path in paths}
        return {path: text for path, text in old.items() if text != reader.blob(f"{tip}:{path}")}
