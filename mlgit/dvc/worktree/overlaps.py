"""What cannot be given into DVC's hands, because git or DVC itself has it, or some of it, already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mlgit.dvc import pointers
from mlgit.dvc.caches.tree import Tree
from mlgit.errors import ConfigError, MlgitError, UsageError
from mlgit.git import process
from mlgit.git.repo import Repo


def refuse(repo: Repo, place: Path, top: Path) -> None:
    """Raise `MlgitError` if git tracks *place* or something in it, `UsageError` if a pointer around it speaks of it.

    *top*: the work tree.
    """
    if tracked := _tracked(repo, place):
        name = place.relative_to(top).as_posix()
        raise MlgitError(
            f"{name} cannot be added: git tracks {tracked} already, and what git holds is not DVC's.",
            fix=f"git rm -r --cached -- {name}, then add it again and commit both",
        )
    for parent in place.parents:
        if parent == top:
            break
        pointer = parent.with_name(f"{parent.name}.dvc")
        if pointer.is_file() and parent in _outs(pointer):
            whole = parent.relative_to(top).as_posix()
            raise UsageError(
                f"{place.relative_to(top).as_posix()} cannot be added by itself: it lies in {whole}, which is added.",
                fix=f"mlgit data add {whole}, which takes what is new in it",
            )
    for pipeline in _pipelines(repo, top):
        for out in _outs(pipeline):
            if out == place or out in place.parents or place in out.parents:
                raise UsageError(
                    f"{place.relative_to(top).as_posix()} cannot be added: {pipeline.relative_to(top)} makes "
                    f"{out.relative_to(top)}.",
                    fix="dvc repro makes it, and DVC holds it then",
                )


def refuse_inside(place: Path, found: Tree) -> None:
    """Raise `UsageError` if some of what was *found* in *place* is added by itself."""
    for name in found.files:
        if name.endswith(".dvc") and (inner := _outs(place / name)):
            raise UsageError(
                f"{place.name} cannot be added as a whole: {inner[0].relative_to(place)} in it is added by itself.",
                fix=f"dvc remove {place.name}/{name}, then add {place.name}",
            )


def _tracked(repo: Repo, place: Path) -> str:
    """The first path at or below *place* that git's index has."""
    args = ("--literal-pathspecs", "ls-files", "-z", "--", str(place))
    return process.run(*args, folder=repo.folder).partition(b"\0")[0].decode(errors="replace")


def _pipelines(repo: Repo, top: Path) -> Iterator[Path]:
    args = ("ls-files", "-z", "--cached", "--", ":(top,glob)**/dvc.lock")
    names = process.run(*args, folder=repo.folder).decode(errors="surrogateescape").split("\0")
    yield from (top / name for name in names if name and (top / name).is_file())
    if "dvc.lock" not in names and (top / "dvc.lock").is_file():
        yield top / "dvc.lock"


def _outs(pointer: Path) -> tuple[Path, ...]:
    """What a `.dvc` file or a `dvc.lock` holds; nothing where it cannot be read."""
    parse = pointers.parse_lock if pointer.name == "dvc.lock" else pointers.parse
    try:
        return tuple(pointer.parent / out.path for out in parse(pointer.read_bytes(), source=str(pointer)))
    except (ConfigError, OSError):
        return ()
