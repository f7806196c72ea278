"""How CI gets on with a commit (pure): what GitHub tells of a run of the workflow, beside what its plan says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from mlgit.ci.plan import Plan, Trial, follows
from mlgit.core import figures
from mlgit.core.job import JobState
from mlgit.forge.github.workflow_runs import Job, Span, WorkflowRun

PLAN, COLLECT = "plan", "collect"
"""The job that begins a workflow; the step, in small letters, of the one that ends it."""
AFTER = ("report", "promote")
"""What may be the next step there."""
TRIALS = "trials"
_TRIAL, _UNPLANNED = re.compile(r"trial (\d+)"), re.compile(r"trial( \$\{\{.*)?")
"""A job of the matrix; what GitHub calls the matrix as long as, or where, there is none."""
_ABOUT = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64}), part (\d+): ")
"""How the name of a dispatch's run begins: with the commit that it is about, before anything that may be cut off."""


def commit_of(run: WorkflowRun) -> str:
    """The commit that *run* is about: of a dispatch the one that it was given, where it was given one."""
    told = _about(run)
    return told[1] if told else run.commit


def title_of(run: WorkflowRun) -> str:
    """What *run* is called, without the commit: a commit's subject, or what a dispatch asks for."""
    told = _about(run)
    if told is None:
        return run.title
    return run.title[told.end() :] + (f", part {told[2]}" if told[2] != "1" else "")


def _about(run: WorkflowRun) -> re.Match[str] | None:
    """How the title of a dispatch begins; that of a push is its author's."""
    return _ABOUT.match(run.title) if run.event == "workflow_dispatch" else None


@dataclass(frozen=True, kw_only=True)
class Lot:
    """The trials of one job of the matrix."""

    number: int
    """The job's in the plan, from 0."""
    trials: tuple[Trial, ...] = ()
    """Empty where the plan is not known."""
    job: Job | None = None
    """None as long as GitHub has none for it."""

    @property
    def state(self) -> JobState:
        """How the job stands."""
        return self.job.state if self.job else JobState.QUEUED

    @property
    def count(self) -> int:
        """How many trials these are."""
        return len(self.trials) or 1

    @property
    def numbers(self) -> str:
        """`3`, `5-8`; nothing where the plan is not known."""
        return "-".join(dict.fromkeys(str(one.number) for one in (*self.trials[:1], *self.trials[-1:])))

    @property
    def name(self) -> str:
        """`lr-3`, `lr-5 … lr-8`; the job's where the plan is not known."""
        names = dict.fromkeys(one.name for one in (*self.trials[:1], *self.trials[-1:]))
        return " … ".join(names) or f"job {self.number}"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of what CI does, one after the other."""

    name: str
    span: Span | None = None
    """None: it is not known yet, or many jobs are at it."""
    said: str = ""
    """How it stands."""
    runner: str = ""


@dataclass(frozen=True, kw_only=True)
class Underway:
    """A run of the workflow, with its jobs, as far as they are known."""

    run: WorkflowRun
    jobs: tuple[Job, ...] = ()
    plan: Plan | None = None

    @property
    def commit(self) -> str:
        """What is trained; of other workflows, what they began for."""
        return self.plan.commit if self.plan else commit_of(self.run)

    @property
    def what(self) -> str:
        """What it makes, as a person calls it."""
        if self.plan is None or not self.plan.trials:
            return title_of(self.run)
        if self.plan.sweep:
            part = f", part {self.plan.part}" if self.plan.part > 1 or self.plan.goes_on else ""
            return f"sweep {self.plan.sweep_name} ({self.plan.sweep}){part}"
        return self.plan.trials[0].name if len(self.plan.trials) == 1 else f"{len(self.plan.trials)} runs"

    @cached_property
    def lots(self) -> tuple[Lot, ...]:
        """The jobs of the matrix, by number; none where the workflow has no matrix, or has not planned it yet."""
        there = {int(found[1]): job for job in self.jobs if (found := _TRIAL.fullmatch(job.name))}
        trials = {one.number: one for one in self.plan.trials} if self.plan else {}
        planned = {
            n: tuple(trials[number] for number in row.trials if number in trials)
            for n, row in enumerate(self.plan.jobs if self.plan else ())
        }
        return tuple(Lot(number=n, trials=planned.get(n, ()), job=there.get(n)) for n in sorted({*there, *planned}))

    def label(self, job: Job) -> str:
        """What *job* is called on GitHub, and whose trials it does: `trial 2 (lr-3)`."""
        name = next((lot.name for lot in self.lots if lot.trials and lot.job is job), None)
        return f"{job.name} ({name})" if name else job.name

    @property
    def in_turn(self) -> list[Job]:
        """The jobs that have something to do: the one that plans, those of trials by number, the others."""
        trials = [lot.job for lot in self.lots if lot.job]
        others = [job for job in self.jobs if job not in trials]
        order = [*(job for job in others if job.name == PLAN), *trials, *(job for job in others if job.name != PLAN)]
        return [job for job in order if not job.is_skipped and not _UNPLANNED.fullmatch(job.name)]

    @property
    def failed(self) -> list[Job]:
        """The jobs that have ended, and not well; somebody's wish that one ends is no failure of it."""
        return [job for job in self.undone if job.state is not JobState.CANCELLED]

    @property
    def undone(self) -> list[Job]:
        """The jobs that have ended, and not by doing what they were to do."""
        return [job for job in self.in_turn if job.state.ended and job.state is not JobState.SUCCEEDED]

    @property
    def is_collected(self) -> bool:
        """Whether the runs of its trials have been pushed."""
        steps = [step for job in self.jobs for step in job.steps if step.name.lower() == COLLECT]
        return any(step.state is JobState.SUCCEEDED for step in steps)

    @property
    def goes_on(self) -> bool:
        """Whether it has ended and a further part, or go of this one, may follow: also where trials failed."""
        state = self.run.state
        if self.plan is None or not state.ended or state is JobState.CANCELLED:
            return False
        return follows(self.plan, state is not JobState.SUCCEEDED) != (0, 0)

    def stages(self) -> list[Stage]:
        """What it does in turn: plan, trials, collect, report, and what somebody has added; or another's jobs."""
        return list(self._stages())

    def _stages(self) -> Iterator[Stage]:
        others = [job for job in self.jobs if not _TRIAL.fullmatch(job.name) and not _UNPLANNED.fullmatch(job.name)]
        yield from (_stage(job) for job in others if job.name == PLAN)
        if self.lots:
            yield self._trials()
        for job in others:
            if job.name != PLAN:
                yield from _last(job)

    def _trials(self) -> Stage:
        counts = Counter[JobState]()
        for lot in self.lots:
            counts[lot.state] += lot.count
        whole = counts.total()
        well = counts.pop(JobState.SUCCEEDED, 0)
        others = [f"{counts[state]} {state.value}" for state in JobState if counts[state]]
        begun = self.run.started or 0.0  # of this attempt: what an earlier one has done is there with its own times
        starts = [at for lot in self.lots if lot.job and (at := lot.job.started) is not None and at >= begun]
        ends = [at for lot in self.lots if lot.job and (at := lot.job.ended) is not None]
        span = None
        if starts:
            is_over = len(ends) == len(self.lots)
            span = Span(
                state=JobState.SUCCEEDED if is_over else JobState.RUNNING,
                started=min(starts), ended=max(ends) if is_over else None,
            )  # fmt: skip
        of = figures.count(whole, "trial") if self.plan else figures.count(whole, "job")
        return Stage(name=TRIALS, span=span, said=", ".join([f"{well:,} of {of} succeeded", *others]))


def _stage(job: Job) -> Stage:
    return Stage(name=job.name, span=job, said=_said(job), runner=job.runner)


def _last(job: Job) -> Iterator[Stage]:
    """Of the job that collects a stage for each thing that it does; of any other, itself."""
    steps = {step.name.lower(): step for step in job.steps}
    if COLLECT not in steps:
        yield _stage(job)
        return
    own = steps[COLLECT]  # until it has ended the job waits, is set up, or is at it
    yield Stage(name=COLLECT, span=job, said=_said(own if own.state.ended else job), runner=job.runner)
    for name in AFTER:
        if name in steps:
            yield Stage(name=name, span=steps[name], said=_said(steps[name]), runner=job.runner)


def _said(span: Span) -> str:
    state = "skipped" if span.is_skipped else span.state.value
    return f"{state}: {span.why}" if span.why else state
