"""All that the jobs of CI have handed over, judged, and brought to the remote by one push.

There is no half-done state: whoever is killed between any two steps begins anew, and finds what is there already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlgit.artifacts.carrying import Carrier
from mlgit.ci import bundles, contents
from mlgit.ci.bundles import Handed, Said, Sound
from mlgit.ci.plan import Plan
from mlgit.core import refs
from mlgit.core.run import Run, State
from mlgit.dvc import workshop
from mlgit.errors import NotFoundError, RefMovedError
from mlgit.git import bundle
from mlgit.git.bundle import Limits
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo

MISSING, TAMPERED, NO_RUN = "missing", "refused", "no run"
_TRIES = 5
"""Pushes, each after a look at what others have pushed meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What has become of one trial."""

    trial: int
    name: str
    state: str
    """The state of its run; else `no run`, `missing` (nothing was handed over) or `refused`."""
    why: str = ""
    run: Run | None = None
    seconds: float | None = None


@dataclass(kw_only=True)
class Collected:
    """What came of collecting."""

    outcomes: list[Outcome] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """A file that was handed over and is not what it should be → why."""
    problems: list[str] = field(default_factory=list)
    """What did not get where it belongs."""
    pushed: list[str] = field(default_factory=list)
    """Refs that have moved on the remote."""
    sent: int = 0
    """Contents that the DVC remote has got."""
    homeless: int = 0
    """Contents that stay in this clone, since there is no DVC remote."""
    remote: str | None = None
    """Whereto, without a password; None: nowhere."""

    @property
    def again(self) -> list[int]:
        """The trials that have come to no end of their own."""
        unended = (MISSING, TAMPERED, NO_RUN, State.PREEMPTED.value, State.CRASHED.value)
        return [one.trial for one in self.outcomes if one.state in unended]

    @property
    def was_stopped(self) -> bool:
        """Whether time, or the end of a runner, has stopped a trial that may go on as it is."""
        return any(one.state in (MISSING, State.PREEMPTED.value) for one in self.outcomes)

    @property
    def is_whole(self) -> bool:
        """Whether everything was handed over, sound, and is where it belongs."""
        is_there = all(one.state not in (MISSING, TAMPERED) for one in self.outcomes)
        return is_there and not self.refused and not self.problems


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be collected."""

    repo: Repo
    plan: Plan
    folders: Sequence[Path]
    remote: Remote | None
    """Whereto; None: nowhere but here."""
    keep_sweep: Callable[[bool], str | None] = lambda _: None
    """Keeps the sweep here, told whether it is over, and says its ref; None where the plan has none."""
    limits: Limits = bundles.LIMITS


def collect(wish: Wish) -> Collected:
    """Do it. Raises `NotFoundError` where the plan's commit is not here, `GitError` where git or the remote refuses.

    Nothing of what is not as it should be enters the repository; what is, does, whatever becomes of the rest.
    """
    repo, plan, told = wish.repo, wish.plan, Collected()
    if repo.resolve(plan.commit) is None:
        fix = f"git fetch origin {plan.commit[:10]}"
        raise NotFoundError(f"The plan's commit, {plan.commit[:10]}, is not here.", fix=fix)
    handed = list(bundles.handed(wish.folders))
    with workshop.folder(repo.own / "ci") as scratch, bundle.quarantine(repo, scratch) as quarantine:
        files = [file for kind, file in handed if kind == "bundle"]
        sound, wrong = bundles.judged(quarantine, plan, files, limits=wish.limits)
        sound = bundles.counting(sound)
        quarantine.bring([one.tip for one in sound if repo.resolve(one.tip) is None], without=plan.commit)
    told.refused = {str(file.path): why for file, why in wrong.items()}
    told.outcomes = _outcomes(plan, sound, wrong, [file for kind, file in handed if kind == "json"])
    brought = contents.bring(repo, [one.run for one in sound], wish.folders)
    told.problems += (f"{label} was not brought: {why}" for label, why in brought.wrong.items())
    here = _place(repo, sound, told)
    sweep = _sweep(wish, is_over=not plan.goes_on and not told.again)
    _carry_and_push(wish, {**here, **sweep}, told)
    lost = contents.lacking(repo, [one.run for one in sound])
    told.problems += (f"{label} is neither here nor on the DVC remote" for label in lost if label not in brought.wrong)
    return told


def _outcomes(
    plan: Plan, sound: Sequence[Sound], wrong: Mapping[Handed, str], told: Sequence[Handed]
) -> list[Outcome]:  # fmt: skip
    """What has become of each trial of *plan*, in its order."""
    good = {one.handed.trial: one.run for one in sound}
    bad = {file.trial: why for file, why in wrong.items()}
    said: dict[int, Said] = {}
    for file in told:
        if (found := bundles.said(file.path)) and found.trial == file.trial:
            said[file.trial] = found
    wanted = {number for job in plan.jobs for number in job.trials}
    outcomes = []
    for trial in plan.trials:
        number, heard = trial.number, said.get(trial.number)
        if number not in wanted:
            continue
        if run := good.get(number):
            outcomes.append(
                Outcome(trial=number, name=run.name, state=run.state.value, run=run, seconds=run.duration)
            )  # fmt: skip
            continue
        if number in bad:
            state, why = TAMPERED, bad[number]
        elif heard and heard.commit is None:
            state, why = NO_RUN, f"it ended with exit code {heard.exit_code:g} before it began to record"
        else:
            state, why = MISSING, "its bundle is missing" if heard else "nothing of it was handed over"
        seconds = heard.seconds if heard else None
        outcomes.append(Outcome(trial=number, name=trial.name, state=state, why=why, seconds=seconds))
    return outcomes


def _place(repo: Repo, sound: Sequence[Sound], told: Collected) -> dict[str, str]:
    """Let the branches of *sound* be here; those that are, each with its end."""
    here = repo.refs(f"{refs.RUNS}")
    moves, placed = list[Move](), dict[str, str]()
    for one in sound:
        old = here.get(one.ref)
        if old is None or (old != one.tip and repo.is_ancestor(old, one.tip)):
            moves.append(Move(one.ref, old, one.tip))
        elif old != one.tip and not repo.is_ancestor(one.tip, old):
            told.problems.append(f"{refs.branch(one.ref)} is here already, and otherwise; what was handed over is left")
            continue
        is_moved = bool(moves) and moves[-1].ref == one.ref
        placed[one.ref] = one.tip if old is None or is_moved else old
    if moves:
        repo.move(moves, why="ci collect")
    return placed


def _sweep(wish: Wish, *, is_over: bool) -> dict[str, str]:
    """The ref of the sweep, and where it is now: as the remote has it, if that knows it, and on from there."""
    plan, repo = wish.plan, wish.repo
    if plan.sweep is None:
        return {}
    ref = f"{refs.SWEEPS}{refs.component(plan.project, 'project')}/{refs.component(plan.sweep, 'sweep')}"
    if wish.remote and repo.refs(ref).get(ref) is None and (there := wish.remote.refs(ref).get(ref)):
        wish.remote.fetch([there])
        repo.move([Move(ref, None, there)], why="ci collect")
    kept = wish.keep_sweep(is_over)
    return {kept: repo.refs(kept)[kept]} if kept else {}


def _carry_and_push(wish: Wish, here: Mapping[str, str], told: Collected) -> None:
    """The bytes first, then all refs at once. What could not go is among the problems."""
    carrier = Carrier(wish.repo)
    stuck = carrier([Move(ref, None, tip) for ref, tip in here.items()])
    told.sent, told.homeless = len(carrier.sent), len(carrier.homeless)
    told.problems += (f"{refs.branch(ref)} waits for its bytes: {why}" for ref, why in stuck.items())
    if wish.remote is None:
        return
    told.remote = wish.remote.address
    ready = {ref: tip for ref, tip in here.items() if ref not in stuck}
    for attempt in range(_TRIES):
        moves, clashing = _moves(wish.remote, ready)
        try:
            if moves:
                wish.remote.push(moves)
        except RefMovedError:
            if attempt == _TRIES - 1:
                raise
            continue
        told.pushed = [move.ref for move in moves]
        told.problems += (
            f"{refs.branch(ref)} is on {told.remote} already, and otherwise; it was left" for ref in clashing
        )
        return


def _moves(remote: Remote, here: Mapping[str, str]) -> tuple[list[Move], list[str]]:
    """(what has to move there, refs that both sides have moved)."""
    repo, moves, clashing = remote.repo, list[Move](), list[str]()
    if not here:
        return moves, clashing
    far = remote.refs(*sorted({f"{ref.rpartition('/')[0]}/*" for ref in here}))
    remote.fetch(far[ref] for ref, tip in here.items() if ref in far and repo.resolve(far[ref]) is None)
    for ref, tip in here.items():
        there = far.get(ref)
        if there is None or (there != tip and repo.is_ancestor(there, tip)):
            moves.append(Move(ref, there, tip))
        elif there != tip and not repo.is_ancestor(tip, there):
            clashing.append(ref)
    return moves, clashing
