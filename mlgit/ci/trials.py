"""A job of CI does its trials, one after the other, and hands over each as soon as it has ended.

What was handed over stays so, whatever becomes of the job: one that is begun again goes on with what had not finished.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlgit import whole
from mlgit.ci import begun, bundles, contents, planning
from mlgit.ci.bundles import Handed, Said, Sound
from mlgit.ci.code import Code
from mlgit.ci.plan import Plan, Trial
from mlgit.ci.planning import OVER
from mlgit.core.run import Run
from mlgit.errors import MlgitError, UsageError
from mlgit.git import bundle
from mlgit.git.repo import Move, Repo
from mlgit.store import recover

NO_RUN = "no run"
DONE = frozenset(state.value for state in OVER)
_SPECIAL = re.compile(r"[\\*?\[\] ]")
"""What gitignore(5) takes for more than a letter."""
_GRACE = 60.0
"""Seconds for a trial to end in when it is told to, before it is made to."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A job of *plan*, in the clone *repo*."""

    repo: Repo
    plan: Plan
    folder: Path
    """Where it hands over."""
    tell: Callable[[str], None]
    """Hears what people should know."""
    before: Path | None = None
    """Where the bundles of runs lie that were begun before the plan was made."""
    aside: tuple[Path, ...] = ()
    """Other files that are no code of its trials, wherever they lie."""
    begins: Callable[[Trial], None] = lambda _: None
    ends: Callable[[Said], None] = lambda _: None
    beside: Callable[[Trial], contextlib.AbstractContextManager[Mapping[str, str]]] = lambda _: _nothing()
    """Entered while a trial runs; what that finds in its environment besides."""
    wait: Callable[[subprocess.Popen[bytes], float], int] = subprocess.Popen.wait
    """The end of a process, waited for so many seconds, as its `wait` has it."""

    @property
    def project_folder(self) -> Path:
        """Where its trials run."""
        return (self.repo.work_tree or self.repo.folder) / self.plan.folder


def _nothing() -> contextlib.AbstractContextManager[Mapping[str, str]]:
    return contextlib.nullcontext({})


@dataclass
class Signals:
    """SIGINT and SIGTERM, on their way to the trial under way: its runner is taken away.

    The first one tells it to end, and a further one ends it: GitHub sends both, and kills all that is left soon after.
    """

    came: int | None = None
    child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def take(self, number: int, _frame: object) -> None:
        """One came."""
        is_first, self.came = self.came is None, self.came or number
        if self.child and is_first:
            self.child.send_signal(signal.SIGTERM)
        elif self.child and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)


def do(work: Work, job: int, signals: Signals) -> list[Said]:
    """Do what is left of the trials of *job*; what has become of each that was begun, now or before.

    Raises `UsageError` where the clone is at another commit, or there is no such job, `MlgitError` where data lack.
    """
    wanted = work.plan.of(job)
    if (here := work.repo.resolve("HEAD")) != work.plan.commit:
        what = f"This clone is at {(here or 'no commit')[:10]}, and the plan is for {work.plan.commit[:10]}."
        raise UsageError(what, fix=f"git checkout --detach {work.plan.commit[:10]}")
    work.folder.mkdir(parents=True, exist_ok=True)
    handed_on = list(_before(work, wanted))
    _leave_out(work.repo, (work.folder, *work.aside, *(one.path for one in handed_on)))
    _pick_up(work, wanted, handed_on)
    known = (begun.there(work.repo, work.plan.project, trial) for trial in wanted)
    if any(run is None or run.state.value not in DONE for run in known):
        _bring_data(work)
    told = []
    for trial in wanted:
        if signals.came:
            break
        before = begun.there(work.repo, work.plan.project, trial)
        if before and before.state.value in DONE:
            work.tell(f"trial {trial.number}: {before.name} has {before.state.value} before")
            told.append(_hand_over(work, trial, before, exit_code=0, seconds=before.duration or 0.0))
            continue
        work.begins(trial)
        began = time.monotonic()
        try:
            code = _run(work, trial, signals)
        except UsageError as exc:  # of what only this machine can say
            work.tell(f"trial {trial.number} cannot begin: {exc}")
            code = 2
        told.append(_hand_over(work, trial, _ended(work, trial), exit_code=code, seconds=time.monotonic() - began))
        work.ends(told[-1])
    return told


def rest(work: Work, job: int) -> list[Said]:
    """Hand over what whoever did the trials of *job* was killed at; what has become of each that was not handed over.

    Raises `UsageError` where there is no such job.
    """
    told = []
    for trial in work.plan.of(job):
        run = _ended(work, trial)
        said = bundles.said(bundles.path_of(work.folder, trial.number, "json"))
        if run and (said is None or said.commit != work.repo.refs(run.ref)[run.ref]):
            work.folder.mkdir(parents=True, exist_ok=True)
            told.append(
                _hand_over(work, trial, run, exit_code=128 + signal.SIGKILL, seconds=run.duration or 0.0)
            )  # fmt: skip
            work.ends(told[-1])
    return told


def _bring_data(work: Work) -> None:
    """Have the data that the commit's pointers name, where it has a DVC remote. Raises `MlgitError` where not all come.

    A trial without some of its data would be no trial of this commit.
    """
    folder = "" if work.plan.folder == "." else work.plan.folder
    held = Code(repo=work.repo, folder=folder, commit=work.plan.commit)
    if not planning.data_of(held) or not planning.has_remote(held):
        return
    words = (sys.executable, "-P", "-m", "mlgit", "data", "pull")
    if subprocess.run(words, cwd=work.project_folder, stdin=subprocess.DEVNULL, stdout=2, check=False).returncode:
        raise MlgitError(
            "Some of the data of these trials did not come; see above which, and why.",
            fix="mlgit data push where they are; the job needs what lets it read the DVC remote",
        )


def _leave_out(repo: Repo, paths: Iterable[Path]) -> None:
    """Let git ignore *paths* in the work tree, in this clone alone: else they were changes of the code that runs."""
    top = repo.work_tree.resolve() if repo.work_tree else None
    inside = [path.resolve() for path in paths]
    wanted = [
        "/" + _SPECIAL.sub(r"\\\g<0>", path.relative_to(top).as_posix())
        for path in inside if top and path != top and path.is_relative_to(top)
    ]  # fmt: skip
    place = repo.common_dir / "info/exclude"
    known = place.read_text(errors="surrogateescape") if place.exists() else ""
    if new := [line for line in wanted if line not in known.splitlines()]:
        place.parent.mkdir(exist_ok=True)
        begin = known if known.endswith("\n") or not known else f"{known}\n"
        with whole.at(place) as scratch:
            scratch.write_text(begin + "".join(f"{line}\n" for line in new), errors="surrogateescape")


def _before(work: Work, wanted: Sequence[Trial]) -> Iterator[Handed]:
    """The bundles of what was begun before the plan was made. Raises `UsageError` where one is missing.

    It would begin anew, to an end that could not be pushed.
    """
    for trial in wanted:
        if trial.begun and work.repo.resolve(trial.begun) is None:
            path = bundles.path_of(work.before or Path(), trial.number, "bundle")
            if not path.is_file():
                what = f"Trial {trial.number} goes on with a run that was begun before, and {path.name} is not there."
                raise UsageError(what, fix="mlgit ci plan --after origin -o FILE, and take all that is beside FILE")
            yield Handed(trial=trial.number, path=path)


def _pick_up(work: Work, wanted: Sequence[Trial], before: Sequence[Handed]) -> None:
    """Have the runs of trials that this job has begun before, or who did so *before* the plan was made."""
    own = [one for kind, one in bundles.handed([work.folder]) if kind == "bundle"]
    planned = {trial.number: trial for trial in wanted}
    if not (here := [one for one in (*before, *own) if one.trial in planned]):
        return
    kept = []
    with tempfile.TemporaryDirectory(prefix="mlgit-") as scratch, bundle.quarantine(
        work.repo, Path(scratch)
    ) as quarantine:  # fmt: skip
        sound, wrong = bundles.judged(quarantine, work.plan, here)
        for one in sound:
            if one.handed in before and one.tip != planned[one.handed.trial].begun:
                wrong[one.handed] = "the plan knows its run by another commit"  # any job can write what lies there
            else:
                kept.append(one)
        quarantine.bring([one.tip for one in kept], without=work.plan.commit)
    for file, why in wrong.items():
        work.tell(f"{file.path.name} is not taken up: {why}")
    for one in kept:
        _have(work.repo, one)
    brought = contents.bring(work.repo, [one.run for one in kept], [work.folder])
    for label, why in brought.wrong.items():
        work.tell(f"{label} is not taken up: {why}")


def _have(repo: Repo, one: Sound) -> None:
    """Let the branch of *one* be where it was handed over, unless it has gone on here."""
    old = repo.refs(one.ref).get(one.ref)
    if old is None or (old != one.tip and repo.is_ancestor(old, one.tip)):
        repo.move([Move(one.ref, old, one.tip)], why=f"ci: {one.run.name}, handed over before")


def _ended(work: Work, trial: Trial) -> Run | None:
    """The same, after its process has ended: one that was killed has a branch by then, too."""
    recover.recover_all(work.repo, work.tell)
    return begun.there(work.repo, work.plan.project, trial)


def _run(work: Work, trial: Trial, signals: Signals) -> int:
    """Run *trial* as `mlgit run` does, its output ours; its exit code."""
    with tempfile.TemporaryDirectory(prefix="mlgit-") as scratch, work.beside(trial) as besides:
        path = Path(scratch) / "args.json"
        if trial.json:
            path.write_text(trial.json)
        words = trial.words(json_file=str(path), env=os.environ)
        sys.stdout.flush()
        child = subprocess.Popen(  # in a group of its own: it hears of signals from us alone, and once
            (sys.executable, "-P", "-m", "mlgit", "run", *words), cwd=work.project_folder, stdin=subprocess.DEVNULL,
            env=os.environ | besides, process_group=0,
        )  # fmt: skip
        signals.child = child
        try:
            if signals.came:  # in the moment before
                child.send_signal(signal.SIGTERM)
            return _code(_waited(work, trial, child))
        finally:
            signals.child = None


def _waited(work: Work, trial: Trial, child: subprocess.Popen[bytes]) -> int:
    try:
        return work.wait(child, work.plan.minutes * 60)
    except subprocess.TimeoutExpired:
        work.tell(f"trial {trial.number}: its {work.plan.minutes:g} minutes are over; it is told to end")
    child.terminate()
    try:
        return work.wait(child, _GRACE)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()


def _code(code: int) -> int:
    return 128 - code if code < 0 else code


def _hand_over(work: Work, trial: Trial, run: Run | None, *, exit_code: int, seconds: float) -> Said:
    """Let what has become of *trial* be in the folder of the job, what says so last."""
    told: dict[str, Any] = {"became": NO_RUN}
    if run:
        try:
            for label in contents.hand_over(work.repo, run, work.folder):
                work.tell(f"trial {trial.number}: {label} is nowhere any more, and is not handed over")
        except MlgitError as exc:
            work.tell(f"trial {trial.number}: some of its bytes are not handed over: {exc.what}")
        tip = work.repo.refs(run.ref)[run.ref]
        bundle.make(
            work.repo, bundles.path_of(work.folder, trial.number, "bundle"), run.ref, without=work.plan.commit
        )  # fmt: skip
        told = {"became": run.state.value, "run": run.id, "commit": tip}
    said = Said(trial=trial.number, exit_code=exit_code, seconds=round(seconds, 3), **told)
    bundles.say(work.folder, said)
    return said
