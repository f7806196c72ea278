"""The tags of stages, made here and had on a remote at once: where another was quicker, its tags count."""

from __future__ import annotations

from collections.abc import Callable, Collection

from mlgit.errors import RefMovedError, RefusedError
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.registry import ledger, shared
from mlgit.registry.moving.settle import Settled
from mlgit.registry.stages import OURS, last
from mlgit.store import registry as store

_TRIES = 8
_TAGS = "refs/tags/"


def settled(
    remote: Remote, base: str, act: Callable[[str | None], list[Settled]], *, models: Collection[str] = ()
) -> list[Settled]:  # fmt: skip
    """What *act* made of stages, given where *base* stands on *remote*; the tags are there by now.

    It acts on the tags as they are there, and again where another has sent some meanwhile. *models*: whose tags are
    sent besides, for whoever made one may have died before it was. Raises `RefMovedError` where that does not end, or
    where a tag there is another than one here that nothing of ours has made; `RefusedError` where no tags are taken:
    then none of these are here.
    """
    repo = remote.repo
    for _ in range(_TRIES):
        shared.bring(remote, base)
        before = repo.refs(_TAGS)
        found = act(repo.resolve(f"refs/remotes/{remote.name}/{base}"))
        moved = {one.model for one in found if one.tag}
        try:
            send(remote, moved.union(models))
        except RefMovedError:
            _give_way(remote, moved.union(models))
            continue
        except RefusedError as exc:
            made = {ref: oid for ref, oid in repo.refs(_TAGS).items() if ref not in before and _model(ref) in moved}
            repo.move([Move(ref, oid, None) for ref, oid in made.items()], why=f"{remote.name} takes no tags")
            names = ", ".join(sorted(moved or models)[:5])
            raise RefusedError(
                f"{remote.name} takes no tags of stages from you: {names} serve what they did.",
                why=exc.why or exc.what, fix="leave it to the workflow mlgit-settle, or ask for the right to push tags",
            ) from None  # fmt: skip
        if _are_served(remote, base, found):
            return found
    raise RefMovedError(
        f"The tags of {', '.join(sorted({one.model for one in found}))} keep moving on {remote.name}.",
        fix="`mlgit registry reconcile` later: what is merged stays merged",
    )


def send(remote: Remote, models: Collection[str]) -> None:
    """Have the tags of stages of *models* on *remote*: the last ones, and those that they follow."""
    tags = remote.repo.refs(_TAGS)
    shared.share(remote, {ref for ref in tags if _model(ref) in models and shared.is_ours(ref)})


def served(repo: Repo, remote: Remote | None, model: str, stage: str, version: str) -> Settled | None:
    """The stage, where its tag says that it serves *version*, and lies on *remote* as well; else None."""
    known = ledger.of(store.tags(repo, model), model)
    if known.stages.get(stage) != version:
        return None
    tag = last(known, stage).tag.name
    if remote and remote.refs(f"{_TAGS}{tag}") != repo.refs(f"{_TAGS}{tag}"):
        return None
    return Settled(model=model, stage=stage, version=version, tag=tag)


def _give_way(remote: Remote, models: Collection[str]) -> None:
    """Take the tags as *remote* has them, in the place of those that were made here and have the same names."""
    repo = remote.repo
    here = {ref: oid for ref, oid in repo.refs(_TAGS).items() if _model(ref) in models}
    there = remote.refs(f"{_TAGS}*") if here else {}
    moves = [Move(ref, oid, there[ref]) for ref, oid in here.items() if there.get(ref, oid) != oid]
    made = {f"{_TAGS}{tag.name}" for tag in store.tags(repo, *models) if f"\n{OURS}" in tag.message}
    if strange := sorted(move.ref.removeprefix(_TAGS) for move in moves if move.ref not in made):
        raise RefMovedError(
            f"{remote.name} has another tag {strange[0]} than this clone.",
            why="The one here was not made by a merge.",
            fix=f"git tag -d '{strange[0]}' here, or there, whichever is wrong; then mlgit registry reconcile",
        )
    shared.bring_commits(remote, [move.new for move in moves if move.new])
    repo.move(moves, why=f"{remote.name} was quicker")


def _are_served(remote: Remote, base: str, found: Collection[Settled]) -> bool:
    """Whether each stage serves what its tag says, with those that have come there meanwhile, dated by other clocks."""
    if not (moved := [one for one in found if one.tag and not one.overtaken]):
        return True
    shared.bring(remote, base)
    known = ledger.read(store.tags(remote.repo, *{one.model for one in moved}))
    return all(known[one.model].stages.get(one.stage) == one.version for one in moved)


def _model(ref: str) -> str:
    """The model of a stage's tag; of any other, what is none."""
    return ref.removeprefix(_TAGS).partition("#")[0]
