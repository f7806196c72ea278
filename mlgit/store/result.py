"""A live folder becomes a branch: a run's files, its result commit, its ref.

A result commit's tree is its source's, with the folder `experiment/` replaced. The YAML there is the truth, the
commit's message its index.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlgit.core import escape, figures, refs, secrets
from mlgit.core.compare import Goal, goal_of, is_number
from mlgit.core.history import MOST_ROWS, Series, thin
from mlgit.core.run import Run, State
from mlgit.documents.writer import dump
from mlgit.dvc import pointers, project
from mlgit.errors import GitError, RefMovedError
from mlgit.git.objects import Entry
from mlgit.git.repo import Move, Repo
from mlgit.store import live, records

MOST_NAME = 150
"""Characters of one name below `history/`."""
MOST_FOLDERS = 6
"""How deep `a/b/c` nests below `history/`."""

_PLOTS = """\
# Read by stock DVC: dvc metrics diff, dvc params diff, dvc plots diff between two run branches.
params: [params.yaml]
metrics: [metrics.yaml]
"""


def record(repo: Repo, folder: Path) -> Run:
    """Make the live *folder* a branch; return its run. The folder goes once the commit has been verified.

    Raises `GitError` where git or the disk refuses: the live folder then stays as it is, and the next mlgit command
    tries again.
    """
    account = live.read(folder)
    run = _without_secrets(account.run)
    writer = repo.writer()
    with repo.reader() as reader:
        if (source_commit := run.source) is None:
            raise GitError(f"The run {run.id} does not say what code it ran.")
        prefix = f"{run.folder}/" if run.folder else ""
        source = reader.tree(f"{source_commit}^{{tree}}")
        if source is None:
            raise GitError(f"The code of run {run.id}, commit {source_commit[:10]}, is not in the repository.")

        def entries(oid: str) -> Mapping[str, Entry]:
            return reader.tree(oid) or {}

        place = f"{prefix}{records.FOLDER}"
        data = project.tracked(repo, reader, source_commit, run.folder)
        run = replace(run, tree=writer.edit(source, {place: None}, entries), data=data)
        files = _files(run, account)
        experiment = Entry("40000", writer.folder(files))
        tree = writer.edit(source, {place: experiment}, entries)
        commit = repo.write_commit(writer, tree, (source_commit,), message(run), when=run.finished)
        writer.flush()
        ref = _move(repo, run, commit)
        if lost := reader.missing(writer.written):
            raise GitError(
                f"git does not find what was written for run {run.id}.", why=f"missing: {', '.join(lost[:5])}"
            )
    _remove(folder)
    if run.dirty:
        release(repo, run)
    return replace(run, ref=ref, commit=commit)


def _without_secrets(run: Run) -> Run:
    """*run* as it may go into git, whatever way a token came into it."""

    def safe(text: str | None) -> str | None:
        return text and secrets.redact(text)

    return replace(
        run, name=secrets.redact(run.name), notes=safe(run.notes), group=safe(run.group), job_type=safe(run.job_type),
        sweep=safe(run.sweep), tags=tuple(map(secrets.redact, run.tags)), params=secrets.redact_params(run.params),
        metrics=secrets.redact_params(run.metrics),
    )  # fmt: skip


def _remove(folder: Path) -> None:
    """The live folder, no longer needed; what a script put beside ours goes with it."""
    try:
        (folder / "run.yaml").unlink()  # first: without it, nobody takes the rest for a run
        for entry in folder.iterdir():
            entry.unlink()
        folder.rmdir()
    except OSError:  # a folder in it
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def hold(repo: Repo, run: Run) -> None:
    """Keep the snapshot of a live run's code from git's collection until its branch holds it."""
    if run.dirty and run.source:
        repo.move([Move(f"{refs.LIVE}{run.id}", None, run.source)], why="run begins")


def release(repo: Repo, run: Run) -> None:
    """Undo `hold`; a run that was never held, or is released already, stays as it is.

    Its branch holds the code by now: where git refuses, a ref too many is no reason to call the run unrecorded.
    """
    with contextlib.suppress(GitError):
        repo.move([Move(f"{refs.LIVE}{run.id}", run.source, None)], why="run recorded")


def _move(repo: Repo, run: Run, commit: str) -> str:
    """The run's branch, made at *commit*: with more digits of its id where a namesake already has the short name."""
    from mlgit.store import runs  # read only where a namesake is met

    for digits in (6, 8, 16, 40):
        ref = refs.run_ref(run.project, run.name, run.id, digits=digits)
        try:
            repo.move([Move(ref, None, commit)], why=f"run {run.id}")
        except RefMovedError:
            there = repo.refs(ref).get(ref)
            known = runs.read(repo, there) if there else None
            if known and known.id == run.id and abs(known.created - run.created) < 0.01:
                return ref  # the same run, recorded by somebody who then died before it could tidy up
            continue
        except GitError as exc:
            if "exists; cannot create" in exc.why:
                branch = next(
                    (r for r in repo.refs("refs/heads/exp") if f"{ref}/".startswith(f"{r}/")), "refs/heads/exp"
                )
                name = branch.removeprefix("refs/heads/")
                fix = f"git branch -m {name} old-{name.replace('/', '-')}; the run is kept and becomes a branch then"
                raise GitError(f"The branch {name!r} is in the way of {ref}.", why=exc.why, fix=fix) from None
            raise
        return ref
    raise GitError(f"No free branch name for run {run.id}.")


def message(run: Run, goals: Mapping[str, Goal] | None = None) -> str:
    """The result commit's message: what a person wants to see in `git log`, and the record."""
    names = sorted(
        (name for name, value in run.metrics.items() if is_number(value) and not name.startswith("_")),
        key=lambda name: (goal_of(name, goals or {}) is not Goal.MAXIMIZE, goal_of(name, goals or {}) is None, name),
    )
    told = ", ".join(f"{escape.line(name, 30)} {figures.number(run.metrics[name])}" for name in names[:4])
    state = "" if run.state is State.FINISHED else f" ({run.state.value})"
    subject = f"{escape.line(run.name, 60) or run.id}{state}" + (f": {told}" if told else "")
    return f"{subject}\n\n{records.TRAILER}: {records.trailer(run)}\n"


def _files(run: Run, account: live.Account) -> dict[str, bytes]:
    """Everything below `experiment/`, path → content."""
    series = {name: one for name, one in account.series.items() if not name.startswith("_")}
    thinned = {name: len(one) for name, one in sorted(series.items()) if len(one) > MOST_ROWS}
    files = {
        "run.yaml": dump(records.run_document(run, {**account.provenance, "thinned": thinned})),
        "params.yaml": dump(_sorted(run.params)),
        "metrics.yaml": dump(_sorted(run.metrics)),
        "dvc.yaml": _PLOTS + ("plots:\n  - history: {x: step}\n" if series else ""),
    }
    for name, one in series.items():
        files[f"history/{history_path(name)}"] = _tsv(name, thin(one))
    if log := _console(account.output):
        files["output.log"] = log
    if run.used or run.logged:
        lists = {
            kind: [records.artifact_document(version) for version in versions]
            for kind, versions in (("used", run.used), ("logged", run.logged))
            if versions
        }
        files["artifacts.yaml"] = dump(lists)
    for version in run.logged:  # so that stock DVC can fetch the bytes, and its collection keeps them
        out = pointers.Out(path=version.name, hash=version.hash, size=version.size)
        files[f"artifacts/{version.name}.dvc"] = pointers.render([out])
    return {path: text.encode("utf-8", "replace") for path, text in files.items()}


def _sorted(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _sorted(value) if isinstance(value, Mapping) else value for key, value in sorted(tree.items())}


def history_path(metric: str) -> str:
    """Where a metric's series lies below `history/`: `val/acc` nests; whatever could leave the folder is quoted."""
    parts = metric.split("/", MOST_FOLDERS)
    safe = [_component(part, last=number == len(parts) - 1) for number, part in enumerate(parts)]
    return f"{'/'.join(safe)}.tsv"


def _component(part: str, *, last: bool) -> str:
    from urllib.parse import quote

    quoted = quote(part, safe=" +=@,()[]{}!$&'", errors="replace").replace("~", "%7E")
    if len(quoted) > MOST_NAME:  # two long names may begin alike
        from hashlib import sha256

        quoted = f"{quoted[: MOST_NAME - 16]}-{sha256(part.encode('utf-8', 'replace')).hexdigest()[:15]}"
    if quoted.startswith(".") or quoted != quoted.strip() or (not last and quoted.endswith(".tsv")):
        quoted = quoted.replace(".", "%2E").replace(" ", "%20")
    return quoted or "%"


def _tsv(name: str, series: Series) -> str:
    column = "".join(char if char.isprintable() else " " for char in name)
    rows = zip(series.steps, series.runtimes, series.timestamps, series.values, strict=True)
    lines = [f"{step}\t{runtime:.3f}\t{moment:.3f}\t{value!r}" for step, runtime, moment, value in rows]
    return "\n".join((f"step\t_runtime\t_timestamp\t{column}", *lines, ""))


def _console(output: bytes) -> str:
    """The console as text: ANSI stripped, a progress bar's last state kept, secrets hidden, capped."""
    text = output.decode(errors="replace").replace("\r\n", "\n")
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return secrets.redact(escape.terminal("\n".join(lines)))
