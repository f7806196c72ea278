"""`mlgit checkout`: the code of a run, or files of it, back in the work tree."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit.cli import edits, output
from mlgit.cli.choose import RUN
from mlgit.core import again
from mlgit.core.compare import flatten
from mlgit.core.run import Run
from mlgit.errors import MlgitError, NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.git.objects import Entry
    from mlgit.git.repo import Repo


@click.command()
@click.argument("run", type=RUN)
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("-b", "--branch", metavar="NAME", help="Begin a branch of this name there.")
@click.option("--to", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="Write the files, all of the code if none is named, into this folder instead.")  # fmt: skip
@click.option("-f", "--force", is_flag=True, help="Overwrite what is in no commit, too: it is lost.")
@click.option("--json", "as_json", is_flag=True, help="Print the commit, and the files that were written, as JSON.")
def command(run: str, paths: tuple[Path, ...], branch: str | None, to: Path | None, force: bool, as_json: bool) -> None:
    """Bring back the code as RUN ran it, uncommitted changes of then included; or only the PATHs.

    Without PATH, HEAD goes to that commit, detached unless --branch is given, as by git switch. A PATH is a file or a
    folder, seen from here; below experiment/ it is what the run recorded, wherever its project lies. Index and HEAD
    then stay as they are. What you have not committed is never overwritten.

    \b
    Examples:
      mlgit checkout radiant-glade-12
      mlgit checkout radiant-glade-12 --branch try-again
      mlgit checkout radiant-glade-12 train.py configs/
      mlgit checkout latest experiment/params.yaml --to /tmp/then
      mlgit checkout latest --to ../as-it-ran
    """
    from mlgit import wiring
    from mlgit.git import bringing
    from mlgit.index import query
    from mlgit.store import runs
    from mlgit.store.place import here

    place = wiring.place()
    repo = place.repo
    has_tree = not (repo.work_tree is None or place.is_scratch)
    found = query.find(repo, run, project=place.meant)
    source = runs.source(repo, found)
    if to is None and not has_tree:
        raise UsageError("There is no work tree here.", fix="give --to DIR")
    if branch and (paths or to):
        raise UsageError("A branch holds all of the code.", fix="leave out --branch, or the paths and --to")
    if not paths and to is None:
        _switch(repo, found, source, branch, force=force, as_json=as_json)
        return
    into = repo.folder if to is None else Path(os.path.abspath(to))  # noqa: PTH100  (a link that the user names stays)
    written: list[str] = []
    modules: dict[str, str] = {}
    seen_from = here() if has_tree else repo.folder.resolve()
    for commit, wanted in _wanted(repo, found, source, paths, seen_from).items():
        written += bringing.bring(repo, commit, wanted, into, force=force)
        modules |= bringing.submodules(wanted)
    if as_json:
        output.as_json({"run": found.id, "source": source, "folder": str(into), "written": written})
        return
    where = "" if to is None else f" in {to}"
    output.say(f"{output.some(written) or 'All of it'}{where}: as {edits.label(found)} had it")
    for path, commit in modules.items():
        output.note(f"the submodule {path} is left out: it was at {commit[:10]}")
    known = repo.git("ls-files", "-z", "--full-name", ":/").split("\0") if to is None else []
    if back := [os.path.relpath(into / path) for path in written if path in known]:
        output.note(f"undo: {shlex.join(('git', 'restore', *back))}")


def _switch(repo: Repo, run: Run, source: str, branch: str | None, *, force: bool, as_json: bool) -> None:
    """HEAD, index and work tree at *source*, as a person would do it at the prompt."""
    from mlgit.git import bringing
    from mlgit.store import runs

    status = repo.git("status", "--porcelain", "--untracked-files=no", "--ignore-submodules")
    if status and not force:
        changed = [line.split(maxsplit=1)[1] for line in status.splitlines()]
        raise UsageError(
            f"What you changed in {output.some(changed, 3)} is in no commit.",
            fix="git stash or commit them; or --to DIR brings the code elsewhere; or --force, to lose them",
        )  # fmt: skip
    if branch and repo.resolve(f"refs/heads/{branch}"):
        raise UsageError(f"There is a branch {branch} already.", fix="give --branch another name")
    before = repo.head()
    back = before.removeprefix("refs/heads/") if before else f"--detach {(repo.resolve('HEAD') or '')[:10]}"
    bringing.switch(repo, source, branch=branch, force=force)
    if as_json:
        output.as_json({"run": run.id, "source": source, "branch": branch})
        return
    where = f"the new branch {branch}" if branch else f"{source[:10]}, on no branch"
    output.say(f"The code is that of {edits.label(run)}: HEAD is at {where}.")
    output.note(f"back: git switch {back}")
    if (repo.folder / ".gitmodules").exists():
        output.note("its submodules: git submodule update")
    if run.data:
        output.note("its data: dvc checkout")
    about = runs.provenance(repo, run) if run.commit else {}
    if words := about.get("command"):
        params = {name: value for name, value in flatten(run.params).items() if name in run.given}
        cwd = about.get("cwd", ".")
        output.note(f"run it again{'' if cwd == '.' else f' in {cwd}'}: {again.command(words, params)}")


@dataclass(frozen=True)
class _Part:
    """Where the files of a path are."""

    commit: str
    path: str


def _wanted(
    repo: Repo, run: Run, source: str, paths: Sequence[Path], seen_from: Path
) -> Mapping[str, dict[str, Entry]]:  # fmt: skip
    """The files that *paths*, or all of the code, stand for: commit → path in it → entry. Raises `NotFoundError`."""
    from mlgit.git import bringing
    from mlgit.store import records

    wanted: dict[str, dict[str, Entry]] = {}
    for path in paths or [repo.folder.resolve()]:
        part = _part(repo, run, source, seen_from / path)
        found = bringing.files(repo, part.commit, part.path)
        if not found and path.parts[0] == records.FOLDER:  # of a project that lies elsewhere
            part = _part(repo, run, source, repo.folder.resolve() / run.folder / path)
            found = bringing.files(repo, part.commit, part.path)
        if not found:
            close = difflib.get_close_matches(part.path, bringing.files(repo, part.commit), 1)
            fix = f"did you mean {close[0]}?" if close else f"git ls-tree -r --name-only {part.commit[:10]} lists all"
            raise NotFoundError(f"{run.name} had no {part.path}.", fix=fix)
        wanted.setdefault(part.commit, {}).update(found)
    return wanted


def _part(repo: Repo, run: Run, source: str, path: Path) -> _Part:
    """The full *path*: a piece of the code, or of what the run recorded."""
    from mlgit.store import runs

    top = repo.folder.resolve()
    full = os.path.normpath(path)
    inside = os.path.relpath(full, top)
    if inside.startswith(".."):
        raise UsageError(f"{path} is outside of {top}.", fix="name a path in the repository")
    records = runs.place_of(run, "").rstrip("/")
    if inside != records and not inside.startswith(f"{records}/"):
        return _Part(source, "" if inside == "." else inside)
    if not run.commit:
        raise MlgitError(f"{run.name} is under way: it has recorded nothing yet.", fix="mlgit show has what it said")
    return _Part(run.commit, inside)
