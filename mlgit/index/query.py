"""Questions to the index."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mlgit.core import refs
from mlgit.core.run import Run
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import build
from mlgit.store import archive, live, locks, records, telling


def runs(repo: Repo, *, project: str | None = None, sweep: str | None = None) -> list[Run]:
    """The runs of *repo*, newest first, those that are still alive among them; of one project, of one sweep.

    A run that is here and on a remote counts once, as the local branch tells it.
    """
    wanted = {"project": project, "sweep": sweep}
    where = " AND ".join(['"commit" IS NOT NULL', *(f"{key} = ?" for key, value in wanted.items() if value)])
    question = f'SELECT ref, "commit", record FROM runs WHERE {where}'  # noqa: S608  (keys are ours)
    alive = list(_alive(repo))  # first, so that one that ends meanwhile is found as a branch
    rows = build.ask(repo, question, [value for value in wanted.values() if value])
    found: dict[str, Run] = {}
    hidden: set[str] = set()
    for ref, commit, record in sorted(rows, key=lambda row: (_rank(row[0]), row[0])):
        run = records.run_of_trailer(record)
        if run is None or run.id in found or run.id in hidden:
            continue
        if ref.startswith(refs.TRASH):
            hidden.add(run.id)
        elif ref.startswith(refs.ARCHIVE):
            if place := archive.found(ref):
                found[run.id] = replace(run, ref=place[0], commit=commit, archive=place[1])
        else:
            found[run.id] = replace(run, ref=ref, commit=commit)
    for run in alive:
        is_wanted = project in (None, run.project) and sweep in (None, run.sweep)
        if is_wanted and (run.id not in found or live.folder_of(repo, run.id).exists()):
            found[run.id] = _going_on(run, found.get(run.id))
    return sorted(found.values(), key=lambda run: (-run.created, run.id))


def _rank(ref: str) -> int:
    """Where a run is looked for first: its branch, what is hidden, the archive, what was fetched."""
    return next(rank for rank, prefix in enumerate((refs.RUNS, refs.TRASH, refs.ARCHIVE, "")) if ref.startswith(prefix))


def _going_on(run: Run, known: Run | None) -> Run:
    """A run that is alive, with the branch and the metrics that it had already."""
    return replace(run, ref=known.ref, metrics={**known.metrics, **run.metrics}) if known else run


def _alive(repo: Repo) -> Iterable[Run]:
    for folder in live.folders(repo):
        try:
            if locks.is_alive(folder) or not live.is_ours(folder):
                yield telling.snapshot(folder)
        except (OSError, MlgitError):
            continue  # it ended while we looked, or cannot be read, which its recovery says


def of_id(repo: Repo, run_id: str) -> Run | None:
    """The run of exactly this id, or None."""
    return next((run for run in runs(repo) if run.id == run_id), None)


def find(repo: Repo, text: str, *, project: str | None = None) -> Run:
    """The run that *text* names: its id, branch, name, result commit, or an unambiguous beginning of one; `latest`.

    Raises `NotFoundError` where there is none, `UsageError` where there are several.
    """
    return find_all(repo, (text,), project=project)[0]


def find_all(repo: Repo, texts: Iterable[str], *, project: str | None = None) -> list[Run]:
    """`find` for each of *texts*, at the price of one. What *project* has goes before what the others have."""
    everywhere = runs(repo)
    own = [run for run in everywhere if project in (None, run.project)]
    return [_named_first(text, own, everywhere) for text in texts]


def _named_first(text: str, own: list[Run], everywhere: list[Run]) -> Run:
    try:
        return _named(text, own)
    except NotFoundError:
        return _named(text, everywhere)


def _named(text: str, known: list[Run]) -> Run:
    if text == "latest" and known:
        return known[0]
    for fits in (_is, _is_named, _begins):
        found = [run for run in known if fits(run, text)]
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(run.branch or run.id for run in found[:5])
            raise UsageError(
                f"{text[:80]!r} names {len(found)} runs: {some}{', …' if len(found) > 5 else ''}.",
                fix="give the id or the branch",
            )
    close = _close(text, known)
    raise NotFoundError(
        f"There is no run {text[:80]!r}.", fix=f"did you mean {close}?" if close else "mlgit ls lists the runs"
    )


def _is(run: Run, text: str) -> bool:
    return text in (run.id, run.branch, run.ref, run.commit) or (bool(run.ref) and run.ref.endswith(f"/{text}"))


def _is_named(run: Run, text: str) -> bool:
    return run.name == text


def _begins(run: Run, text: str) -> bool:
    if len(text) < 3:
        return False
    return any(word.startswith(text) for word in (run.id, run.name, run.branch.rpartition("/")[2], run.commit) if word)


def _close(text: str, known: list[Run]) -> str | None:
    import difflib

    return next(iter(difflib.get_close_matches(text, [run.name for run in known[:1000]], 1)), None)
