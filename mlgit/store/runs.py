"""A run's branch: its files, its result commit, and back again (DESIGN: the YAML is the truth, the message its index).

A result commit's tree is its source's, with the folder `experiment/` replaced. A run's record is the nearest
first-parent commit whose message carries `Mlgit-Result`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlgit.core import escape, figures, refs, secrets
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.compare import Goal, goal_of, is_number
from mlgit.core.history import Series, thin
from mlgit.core.run import Run, State
from mlgit.documents.reader import plain
from mlgit.documents.writer import dump
from mlgit.dvc import pointers, project
from mlgit.errors import GitError, MlgitError, NotFoundError, RefMovedError
from mlgit.git.objects import Entry, Reader
from mlgit.git.repo import Move, Repo, message_trailer, split_commit
from mlgit.store import live, records

FOLDER = "experiment"

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

        place = f"{prefix}{FOLDER}"
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
    return replace(
        run, name=secrets.redact(run.name), notes=run.notes and secrets.redact(run.notes),
        tags=tuple(map(secrets.redact, run.tags)), params=secrets.redact_params(run.params),
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
    """Undo `hold`."""
    ref = f"{refs.LIVE}{run.id}"
    if held := repo.refs(ref).get(ref):
        repo.move([Move(ref, held, None)], why="run recorded")


def _move(repo: Repo, run: Run, commit: str) -> str:
    """The run's branch, made at *commit*: with more digits of its id where a namesake already has the short name."""
    for digits in (6, 8, 16, 40):
        ref = refs.run_ref(run.project, run.name, run.id, digits=digits)
        try:
            repo.move([Move(ref, None, commit)], why=f"run {run.id}")
        except RefMovedError:
            there = repo.refs(ref).get(ref)
            known = read(repo, there) if there else None
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
    files = {
        "run.yaml": dump(records.run_document(run, account.provenance)),
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


def read(repo: Repo, commit: str) -> Run | None:
    """The run whose record is nearest to *commit* along first parents, or None."""
    with repo.reader() as reader:
        return next(read_all(reader, [("", commit)]), None)


def read_all(reader: Reader, tips: Iterable[tuple[str, str]]) -> Iterator[Run]:
    """The runs of many branches, (ref, tip) each, in no order; branches without a run are passed over.

    Reads one object a run, unless edits that are no results lie on top, or the record was too big for the message.
    """
    wave = list(tips)
    big: list[tuple[str, str, str]] = []
    for _ in range(100):  # one step back along first parents each time, for those that have found nothing yet
        further: list[tuple[str, str]] = []
        for (ref, commit), found in zip(wave, reader.read_all(commit for _, commit in wave), strict=True):
            if found is None or found[1] != "commit":
                continue
            _, parents, text = split_commit(found[2])
            if (value := message_trailer(text, records.TRAILER)) is None:
                further += [(ref, parents[0])] if parents else []
            elif run := _understood(value):
                yield replace(run, ref=ref, commit=commit)
            elif '"big"' in value:
                big.append((ref, commit, value))
        if not further:
            break
        wave = further
    for ref, commit, value in big:
        if run := _from_files(commit, value, reader):
            yield replace(run, ref=ref, commit=commit)


def _understood(value: str) -> Run | None:
    """The run that a trailer tells; None where it is too big for one, or not ours to understand."""
    try:
        return records.run_of_trailer(value)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _from_files(commit: str, value: str, reader: Reader) -> Run | None:
    """A big record, from its YAML: found by its id among the folders that hold an `experiment/run.yaml`."""
    try:
        return _found_by_id(commit, json.loads(value)["id"], reader)
    except (MlgitError, ValueError, KeyError, TypeError, AttributeError):
        return None  # not ours to understand


def _found_by_id(commit: str, run_id: str, reader: Reader) -> Run | None:
    for place in _places(reader, commit):
        document = _load(reader, commit, f"{place}/run.yaml")
        if document.get("id") == run_id:
            run, _ = records.run_of_document(document)
            artifacts = _load(reader, commit, f"{place}/artifacts.yaml")
            return replace(
                run,
                params=_load(reader, commit, f"{place}/params.yaml"),
                metrics=_load(reader, commit, f"{place}/metrics.yaml"),
                used=tuple(ArtifactVersion(**item) for item in artifacts.get("used", ())),
                logged=tuple(ArtifactVersion(**item) for item in artifacts.get("logged", ())),
            )
    return None


def _places(reader: Reader, commit: str, folder: str = "", depth: int = 4) -> Iterable[str]:
    """Every folder `experiment` in the tree, to a depth."""
    for name, entry in (reader.tree(f"{commit}:{folder}") or {}).items():
        if entry.is_tree and name == FOLDER:
            yield f"{folder}{name}"
        elif entry.is_tree and depth:
            yield from _places(reader, commit, f"{folder}{name}/", depth - 1)


def _load(reader: Reader, commit: str, path: str) -> Any:
    text = reader.blob(f"{commit}:{path}")
    return {} if text is None else plain(text, source=path)


def place_of(run: Run, path: str) -> str:
    """Where *path* of a run's folder lies in its commit's tree."""
    return f"{run.folder}/{FOLDER}/{path}" if run.folder else f"{FOLDER}/{path}"


def provenance(repo: Repo, run: Run) -> Mapping[str, Any]:
    """The run's `run.yaml` as plain data. Raises `NotFoundError` where there is none."""
    with repo.reader() as reader:
        text = reader.blob(f"{run.commit}:{place_of(run, 'run.yaml')}")
    if text is None:
        raise NotFoundError(f"{run.branch or run.id} holds no {place_of(run, 'run.yaml')}.")
    document: Mapping[str, Any] = plain(text, source=f"{run.branch}:run.yaml")
    return document


def output(repo: Repo, run: Run) -> str:
    """The run's console log, empty where it said nothing."""
    return (repo.read(run.commit, place_of(run, "output.log")) or b"").decode(errors="replace")


def history(repo: Repo, run: Run) -> dict[str, Series]:
    """The run's series by metric: at most a thousand rows each, as its branch holds them."""
    if not run.commit:
        folder = live.folder_of(repo, run.id)
        return dict(live.read(folder).series) if folder.exists() else {}
    with repo.reader() as reader:
        paths = list(_blobs(reader, f"{run.commit}:{place_of(run, 'history')}"))
        texts = reader.read_all(oid for _, oid in paths)
        return dict(_series(text[2].decode()) for text in texts if text)


def _blobs(reader: Reader, name: str, prefix: str = "") -> Iterable[tuple[str, str]]:
    for entry_name, entry in (reader.tree(name) or {}).items():
        if entry.is_tree:
            yield from _blobs(reader, entry.oid, f"{prefix}{entry_name}/")
        elif entry_name.endswith(".tsv"):
            yield f"{prefix}{entry_name}", entry.oid


def _series(text: str) -> tuple[str, Series]:
    head, *lines = text.rstrip("\n").split("\n")
    rows = [line.split("\t") for line in lines]
    return head.split("\t")[3], Series(
        [int(row[0]) for row in rows], [float(row[1]) for row in rows], [float(row[2]) for row in rows],
        [_number(row[3]) for row in rows],
    )  # fmt: skip


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def hide(repo: Repo, runs: Sequence[Run]) -> None:
    """Take *runs* out of every listing: their branches move to where only `restore` looks. Nothing is deleted."""
    for run in runs:
        if not run.ref.startswith("refs/heads/"):
            raise MlgitError(f"{run.branch} is somebody else's branch.", fix="hide it where it was made")
        if run.ref in repo.worktrees():
            raise MlgitError(f"{run.branch} is checked out.", fix="git switch to another branch first")
    moves: list[Move] = []
    for run in {run.ref: run for run in runs}.values():
        tip = repo.refs(run.ref)[run.ref]
        moves += [Move(_hidden(run.ref), None, tip), Move(run.ref, tip, None)]
    repo.move(moves, why="rm")


def restore(repo: Repo, hidden: Mapping[str, str]) -> list[str]:
    """Bring hidden branches (*hidden*: ref in the trash → commit) back; return their names."""
    moves: list[Move] = []
    for ref, tip in hidden.items():
        moves += [Move(f"refs/heads/{ref.removeprefix(refs.TRASH)}", None, tip), Move(ref, tip, None)]
    repo.move(moves, why="rm --undo")
    return [ref.removeprefix(refs.TRASH) for ref in hidden]


def _hidden(ref: str) -> str:
    return f"{refs.TRASH}{ref.removeprefix('refs/heads/')}"
