"""What a change, or a sweep, did: as a comment, and as the pull request that it leads to."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.store.place import Place
from mlgit.wiring import forge, opening

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mlgit.core.findings import Findings, Point
    from mlgit.core.run import Run
    from mlgit.core.sweep import Sweep
    from mlgit.core.verdict import Verdict
    from mlgit.forge.base import Forge, PullRequest
    from mlgit.git.objects import Reader
    from mlgit.report.proposal import Opened
    from mlgit.sweeps.plan import Trial


def report_on(place: Place, number: int, *, verdicts: Sequence[Verdict] = ()) -> str:
    """Put the report onto pull request *number*, in place of what it said before; return it as Markdown.

    Raises `NotFoundError` for a number that does not exist.
    """
    return _report(place, forge(place), number, verdicts)


def _report(place: Place, at: Forge, pull: PullRequest | int, verdicts: Sequence[Verdict] = ()) -> str:
    from mlgit.report import publish

    return publish.on_pull(place, at, pull, verdicts=verdicts, sweep_of=lambda text: sweep(place, text))


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A report as Markdown, and what became of it."""

    text: str
    posted: bool
    refused: MlgitError | None = None
    """What the forge said, where that alone told that we may only read."""


def report_where_allowed(place: Place, at: Forge, pull: PullRequest | int) -> Reported:
    """`report_on`, on the forge *at*; where that turns out to let us read alone, the report is made all the same."""
    try:
        text = _report(place, at, pull)
        return Reported(text=text, posted=at.capabilities.writable)
    except MlgitError as exc:
        if at.capabilities.writable:
            raise
        return Reported(text=_report(place, at, pull), posted=False, refused=exc)


def propose(
    place: Place, what: str | None, *, base: str | None, title: str | None = None,
    body: Callable[[], str] | None = None, draft: bool = False, labels: Sequence[str] = (),
) -> Opened:  # fmt: skip
    """The pull request of what *what* names: a branch, or a run with its params. Raises as `proposal.of` does."""
    from mlgit.report import proposal
    from mlgit.store import registry

    into = registry.base_name(place.repo, base)
    proposed = proposal.of(place, what, into=into, searched=lambda run: _given_by_sweep(place, run))
    return proposal.propose(opening(place), proposed, into=into, title=title, body=body, draft=draft, labels=labels)


def _given_by_sweep(place: Place, run: Run) -> Collection[str]:
    """The params that the sweep of *run* gave it, if it is a trial; a sweep that cannot be read gave none."""
    from mlgit.sweeps import record

    if not run.sweep:
        return ()
    with suppress(MlgitError):
        return record.params_of(record.find(place.repo, run.project, run.sweep), run)
    return ()


def sweep_findings(place: Place, text: str, *, with_importance: bool = True) -> Findings:
    """What the sweep that *text* names has found. Raises `NotFoundError`, `UsageError`."""
    from mlgit.sweeps import record
    from mlgit.sweeps.findings import gather

    known = record.find(place.repo, place.meant, text)
    file, trials = record.trials(place.repo, known)
    told = _with_last_words(place, trials)
    return gather.gather(known, file, told, with_importance=with_importance)


_LAST_WORDS = 100
"""Trials that failed whose logs are read."""


def _with_last_words(place: Place, trials: Sequence[Trial]) -> list[Trial]:
    """*trials*, the first of those that failed with what their programs said at the end, or their exit codes."""
    from mlgit.core.job import JobState
    from mlgit.store import runs
    from mlgit.sweeps import plan

    silent = [one for one in trials if one.state in (JobState.FAILED, JobState.LOST) and one.run and not one.problem]
    words = {}
    with place.repo.reader() as reader:
        for one in silent[:_LAST_WORDS]:
            if one.run and one.run.commit:
                log = reader.blob(f"{one.run.commit}:{runs.place_of(one.run, 'output.log')}") or b""
                words[one.run.id] = plan.last_word(log.decode(errors="replace")) or _exit_code(reader, one.run)
    return [replace(one, problem=words[one.run.id]) if one.run and one.run.id in words else one for one in trials]


def _exit_code(reader: Reader, run: Run) -> str:
    from mlgit.store import runs

    code = runs.provenance_in(reader, run).get("exit_code")
    return f"exit code {code}" if code else ""


def post_findings(place: Place, found: Findings, pull: PullRequest | int, *, at: Forge | None = None) -> str:
    """Put what a sweep has *found* onto *pull*, in place of what was said of that sweep before.

    *pull*: as it was just got, or its number. Return it as Markdown. A forge that does not let us write is left alone.
    """
    from mlgit.report import findings as reports
    from mlgit.report import publish, templates

    at = at or forge(place)
    pull = at.get(pull) if isinstance(pull, int) else pull
    base = publish.sides_of(place.repo, pull).base
    return reports.post(at, found, pull.number, own=templates.at(place, base))


def searches(place: Place, pull: PullRequest) -> list[Findings]:
    """What each sweep of the code of *pull* has found, but for the one whose trial its report is about."""
    from mlgit.core.condition import And, Not, Operation, Predicate
    from mlgit.index import query
    from mlgit.report import evidence, publish

    of_it = Predicate("source", Operation.EQUAL, (pull.head_commit,))
    is_trial = Not(Predicate("sweep", Operation.NULL))
    told = query.frame(place.repo, And((of_it, is_trial)), keys=("sweep",), project=place.meant)["sweep"].tolist()
    witness = evidence.find(publish.known_runs(place), pull.head_commit, most=1) if told else None
    others = [one for one in dict.fromkeys(told) if not (witness and witness.run.sweep == one)]
    return [found for one in others if (known := sweep(place, one)) and (found := known[1])]


def apply(place: Place, found: Findings, point: Point, *, base: str | None, draft: bool) -> Opened:
    """The pull request of the params of *point*, with what its sweep has *found* as its description."""
    from mlgit.report import findings as reports
    from mlgit.report import templates

    return propose(
        place, point.run, base=base, title=reports.title(found, point),
        body=lambda: reports.illustrated(forge(place), found, point, own=templates.at_hand(place)), draft=draft,
    )  # fmt: skip


def applied(place: Place, found: Findings) -> list[tuple[PullRequest, Point]]:
    """The open pull requests of trials of the sweep that has *found* this."""
    from mlgit.index import query
    from mlgit.report import evidence

    points = {point.run: point for point in found.points if point.run}
    names = {evidence.branch_name(run): points[run.id] for run in query.of_ids(place.repo, list(points))}
    return [(pull, names[pull.head]) for pull in forge(place).pulls() if pull.head in names]


def to_write(place: Place, point: Point) -> Mapping[str, bytes]:
    """The files that a pull request of *point* changes for its params. Raises `MlgitError`, `NotFoundError`."""
    from mlgit.index import query
    from mlgit.report import params

    run = query.find(place.repo, point.run or "", project=place.meant)
    with place.repo.reader() as reader:
        return params.written(reader, run, run.source or "", searched=_given_by_sweep(place, run)).files


def sweep(place: Place, sweep_id: str) -> tuple[Sweep, Findings | None] | None:
    """The sweep of that id, with what it searches and what it has found, if this project has it."""
    from mlgit.sweeps import record

    known = next((one for one in record.known(place.repo, place.meant) if one.id == sweep_id), None)
    if known is None:
        return None
    try:
        return record.described(known), sweep_findings(place, sweep_id)
    except (UsageError, NotFoundError):  # its file cannot be read any more: its trials can
        return record.described(known), None
