"""Gather what a report is about, draw it, and put it onto a pull request: one comment, updated in place; a status."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from mlgit import plots
from mlgit.core import asking, compare, escape
from mlgit.core.compare import Goal
from mlgit.core.findings import Findings
from mlgit.core.run import Run, State
from mlgit.core.sweep import Sweep
from mlgit.core.verdict import Verdict
from mlgit.errors import ConfigError, NotFoundError
from mlgit.forge import sticky
from mlgit.forge.base import Forge, PullRequest, Remark, Status, StatusState
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.report import (
    champion,
    changed,
    evidence,
    findings,
    headline,
    history,
    measured,
    remarks,
    render,
    repeats,
    templates,
    view,
)
from mlgit.report.evidence import Known
from mlgit.report.render import NoEvidence
from mlgit.report.view import Champion, Chart, Compared, Picture
from mlgit.store import runs as stored
from mlgit.store.place import Place

MARKER = "mlgit:report"
CONTEXT = "mlgit/report"
_TRAINS = ".github/workflows/mlgit-experiment.yml"
"""The workflow that trains what commits ask for."""
_PROMOTIONS = ("promote/", "revert/")
_GATES = "It changes the registry alone: what counts are its gates"
PANELS = 6
"""Metrics drawn in a comment; more would be too small to read."""


SweepOf = Callable[[str], tuple[Sweep, Findings | None] | None]


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Two commits to compare, and what a person calls them."""

    head: str
    """A commit."""
    base: str | None
    """A commit, or None where there is nothing before head."""
    branch: str
    beside: str


def on_pull(
    place: Place, forge: Forge, pull: PullRequest | int, *, verdicts: Sequence[Verdict] = (),
    sweep_of: SweepOf | None = None,
) -> str:  # fmt: skip
    """Put the report onto *pull*, as it was just got or by its number; return it as Markdown.

    *sweep_of* answers a sweep's id with the sweep; without it, the sweep is told by its id and judged by the headline's
    metric. A forge that does not let us write is left alone. Raises `NotFoundError` for a number that does not exist.
    """
    pull = forge.get(pull) if isinstance(pull, int) else pull
    sides = sides_of(place.repo, pull)
    if pull.head.startswith(_PROMOTIONS) and changed.is_below(place.repo, "registry", sides.base, sides.head):
        if forge.capabilities.writable:  # no run could speak for it, and who waits for the status waits in vain
            forge.set_status(
                Status(context=CONTEXT, state=StatusState.SUCCESS, description=_GATES, commit=pull.head_commit)
            )
        return f"{_GATES}\n"
    sweep_of = sweep_of and cache(sweep_of)
    found, own = gather(place, sides, sweep_of), templates.at(place, sides.base)
    if sweep_of:
        found = named(found, sweep_of)
    can = forge.capabilities
    beside: list[Remark] = []
    if isinstance(found, NoEvidence):
        said = "No run speaks for this change yet"
        state = _state(found.broken, ()) if found.broken else StatusState.SUCCESS
        write = partial(render.render_missing, found, own=own)
    else:
        pictures = draw(place.repo, found) if can.writable and can.images else []
        charts = [Chart(title=each.title, link=forge.image(each.png, each.name)) for each in pictures]
        report = view.build(found, verdicts=verdicts, charts=charts)
        said, state = report.headline, _state(found.head, verdicts)
        write = partial(render.render, report, own=own)
        with place.repo.reader() as reader:
            beside = remarks.of(reader, pull.head_commit, report)
    if not can.writable:
        return write()
    status = Status(context=CONTEXT, state=state, description=said, commit=pull.head_commit)
    posted = [""]

    def following(before: str) -> str:
        posted[0] = write(history=history.following(before, pull.head_commit, said))
        return posted[0]

    sticky.upsert(forge, pull.number, MARKER, following, status=status, remarks=beside)
    return posted[0]


def named(found: Compared | NoEvidence, sweep_of: SweepOf) -> Compared | NoEvidence:
    """*found* with its sweep as *sweep_of* knows it: by its name, and judged by the metric that it searches."""
    if isinstance(found, NoEvidence) or not found.head.sweep:
        return found
    sweep, told = sweep_of(found.head.sweep) or (None, None)
    return replace(found, sweep=sweep, findings=told)


def _state(head: Run, verdicts: Sequence[Verdict]) -> StatusState:
    """Success, unless the run broke or a gate refused: whether the change is better is for people to weigh."""
    broken = head.state in (State.FAILED, State.CRASHED, State.PREEMPTED, State.PRUNED)
    return StatusState.FAILURE if broken or not all(verdict.passed for verdict in verdicts) else StatusState.SUCCESS


def sides_of(repo: Repo, pull: PullRequest) -> Sides:
    """What *pull* compares: its head with its base as it stands, or, once merged, as it stood before.

    A checkout of CI's has no branch but the one that it is for: then the base is what the forge says of it.
    """
    if pull.merge_commit:
        base = repo.resolve(f"{pull.merge_commit}^1")
    else:
        base = repo.resolve(f"refs/heads/{pull.base}") or repo.resolve(f"refs/remotes/origin/{pull.base}")
        base = base or (repo.resolve(pull.base_commit) if pull.base_commit else None)
    return Sides(head=pull.head_commit, base=base, branch=pull.head, beside=pull.base)


def between(
    place: Place, *, base: str | None, head: str, sweep_of: SweepOf | None = None
) -> Compared | NoEvidence:  # fmt: skip
    """What to report on two revisions; each a commit, a branch or a run. A *base* of None: main, or what came before.

    Raises `NotFoundError` for what is neither.
    """
    repo, goals, known = place.repo, place.settings.goals, known_runs(place)
    new = _revision(repo, head)
    against = base or _main(repo, new)
    old = _revision(repo, against) if against else None
    beside = _called(against) if against else ""
    if not isinstance(new, Run):
        commit = old.source if isinstance(old, Run) else old
        found = gather(
            place, Sides(head=new, base=commit, branch=_branch(repo, head, new), beside=beside or "its base"), sweep_of
        )
        if isinstance(found, NoEvidence) or not isinstance(old, Run):
            return found
        return about(known, found.head, old, goals=goals, beside="")
    if isinstance(old, Run):
        return about(known, new, old, goals=goals, beside="")
    witness = evidence.find(known, old, like=new) if old else None
    return about(
        known, new, witness.run if witness else None, goals=goals, beside=beside or "its base",
        distance=witness.distance if witness else 0,
        alone="" if witness else f"no run speaks for {beside or 'what came before'}.",
    )  # fmt: skip


def known_runs(place: Place) -> Known:
    """The runs that can be evidence here: the project's."""
    return Known(
        repo=place.repo, project=None if place.is_scratch else place.settings.project, folder=place.folder
    )  # fmt: skip


def _revision(repo: Repo, text: str) -> Run | str:
    """The run of that id or result branch, else the commit, else the run of that name or beginning."""
    commit = repo.resolve(text)
    run = query.of_id(repo, text) or (query.at(repo, commit) if commit else None)
    return run or commit or query.find(repo, text)


def _called(rev: str) -> str:
    """What a person calls *rev*: a full commit id by its beginning, `main^` by the word for it."""
    if rev.endswith("^") and not rev.endswith("^^"):
        return f"{_called(rev[:-1])}, one commit back"
    return rev[:10] if len(rev) >= 40 and not rev.strip("0123456789abcdef") else rev


def _branch(repo: Repo, rev: str, commit: str) -> str:
    """The branch that *rev* names, HEAD's own for `HEAD`; else *commit*."""
    ref = repo.head() if rev == "HEAD" else f"refs/heads/{rev.removeprefix('refs/heads/')}"
    return ref.removeprefix("refs/heads/") if ref and repo.refs(ref).get(ref) == commit else commit


def _main(repo: Repo, head: Run | str) -> str | None:
    """The branch that others are compared with; where head is its tip, the commit before."""
    commit = head.source if isinstance(head, Run) else head
    for name in ("main", "master", "origin/HEAD"):
        if tip := repo.resolve(name):
            before = f"{name}^" if tip == commit and not isinstance(head, Run) else name
            return before if repo.resolve(before) else None
    return None


def gather(place: Place, sides: Sides, sweep_of: SweepOf | None = None) -> Compared | NoEvidence:
    """The runs that speak for both sides, and what belongs to head's: its sweep, its command.

    Where no run but trials of a sweep speaks for head, it is the best one, as *sweep_of* knows it; else the newest.
    """
    repo, goals, known = place.repo, place.settings.goals, known_runs(place)
    head = evidence.find(known, sides.head, most=1)
    if head and head.run.sweep and sweep_of and not evidence.trailer(repo, sides.head, evidence.TRAILER):
        head = replace(head, run=_best(known, head.run, sweep_of(head.run.sweep)))
    base = evidence.find(known, sides.base, like=head.run if head else None) if sides.base else None
    if head is None:
        return NoEvidence(
            commit=sides.head, branch=sides.branch, beside=sides.beside, base=base.run if base else None,
            stale=_stale(known, sides), has_origin=has_origin(repo),
            has_ci=_has_ci(repo, sides.head), broken=known.broken(sides.head),
            is_asked=any(evidence.trailer(repo, sides.head, name) for name in asking.TRAILERS),
        )  # fmt: skip
    return about(
        known, head.run, base.run if base else None, goals=goals, beside=sides.beside,
        distance=base.distance if base else 0,
        alone="" if base else f"no run speaks for {sides.beside} or for a commit before it.",
    )  # fmt: skip


def _has_ci(repo: Repo, commit: str) -> bool:
    """Whether CI trains what is asked for on *commit*."""
    with repo.reader() as reader:
        return reader.blob(f"{commit}:{_TRAINS}") is not None


def _best(known: Known, trial: Run, sweep: tuple[Sweep, Findings | None] | None) -> Run:
    """The best of the sweep of *trial*, if it is of the same code; else *trial*."""
    found = sweep[1] if sweep else None
    run = known.named(found.best.run) if found and found.best and found.best.run else None
    return run if run and run.source == trial.source else trial


def about(
    known: Known, head: Run, base: Run | None, *, goals: Mapping[str, Goal], beside: str, distance: int = 0,
    alone: str = "",
) -> Compared:  # fmt: skip
    """What a report on *head* against *base* is about, read from head's branch and its sweep."""
    provenance = _surroundings(known.repo, head)
    command = provenance.get("command")
    served, lost = _in_production(known.repo, head)
    return Compared(
        head=head, base=base, distance=distance, beside=beside, alone=alone, goals=goals,
        head_repeats=repeats.find(known, head),
        base_repeats=repeats.find(known, base) if base else (),
        champion=served,
        champion_lost=lost,
        surroundings=(_surroundings(known.repo, base) if base else {}, provenance),
        siblings=known.trials(head),
        command=[str(word) for word in command] if isinstance(command, list) else (),
        has_origin=has_origin(known.repo),
        alerts=view.alerts(provenance),
    )  # fmt: skip


def _in_production(repo: Repo, head: Run) -> tuple[Champion | None, str]:
    """(what *head* has to beat, why that cannot be told): a file of the registry that is broken ends no report."""
    try:
        return champion.find(repo, head), ""
    except ConfigError as exc:
        return None, exc.what


def _surroundings(repo: Repo, run: Run) -> Mapping[str, Any]:
    try:
        return stored.surroundings(repo, run) if run.commit else {}
    except NotFoundError:
        return {}


def has_origin(repo: Repo) -> bool:
    """Whether there is a remote named origin."""
    return "remote.origin.url" in repo.config


def _stale(known: Known, sides: Sides) -> int | None:
    """How many commits before head a run lies that speaks for this branch's own earlier code."""
    span = f"{sides.base}..{sides.head}" if sides.base else sides.head
    own = int(known.repo.git("rev-list", "--first-parent", "--count", "--end-of-options", span))
    found = evidence.find(known, sides.head, most=own) if own > 1 else None
    return found.distance if found else None


def draw(repo: Repo, about: Compared) -> list[Picture]:
    """The charts that say something: learning curves where there are curves; of a sweep what it has found, else its
    trials.
    """
    found = _found(about) or (_sweep(about),)
    return [picture for picture in (_curves(repo, about), *found) if picture]


def _found(about: Compared) -> tuple[Picture, ...]:
    """How the search went, its params, and which of them mattered for the first metric."""
    wanted = ("history.png", "parallel.png", "importance-1.png")
    return tuple(one for one in findings.draw(about.findings) if one.name in wanted) if about.findings else ()


def _curves(repo: Repo, about: Compared) -> Picture | None:
    runs = [plots.Curve(name=about.head.name, history=stored.history(repo, about.head))]
    if about.base and about.base.id != about.head.id:
        name = f"{escape.line(about.beside, 30)}: {about.base.name}" if about.beside else about.base.name
        runs.append(plots.Curve(name=name, history=stored.history(repo, about.base)))
    lengths: dict[str, int] = {}
    for run in runs:
        for metric, series in run.history.items():
            lengths[metric] = max(lengths.get(metric, 0), len(series))
    curved = {metric for metric, length in lengths.items() if length > 1 and not metric.startswith("_")}
    if not curved:
        return None
    first = headline.primary(measured.told(about.head), about.goals)
    ordered = sorted(
        curved,
        key=lambda name: (
            name != first, name not in about.goals, compare.goal_of(name, about.goals) is None,
            name not in runs[0].history, name
        ),
    )  # fmt: skip
    return Picture(title="Learning curves", name="curves.png", png=plots.curves(runs, metrics=ordered[:PANELS]))


def _sweep(about: Compared) -> Picture | None:
    metric, goal = view.searched_by(about)
    numbers = [run for run in about.siblings if compare.is_number(measured.told(run).get(metric))]
    if len(about.siblings) < 2 or not numbers:
        return None
    params = about.sweep.searched if about.sweep else None
    png = plots.sweep(about.siblings, metric=metric, goal=goal, head=about.head.id, params=params)
    return Picture(title=f"The sweep's trials by {escape.line(metric, 60)}", name="sweep.png", png=png)
