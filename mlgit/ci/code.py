"""The code that CI runs: the files of a commit, or those that one is about to hold; never what merely lies here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from mlgit import settings
from mlgit.ci.request import Trailer
from mlgit.core.asking import RUN, SWEEP
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.settings import Settings
from mlgit.store.place import Place


@dataclass(frozen=True, kw_only=True)
class Code:
    """What a commit holds of a project."""

    repo: Repo
    folder: str
    """The project's, from the repository's top; empty: the top."""
    commit: str = ""
    """Its id; empty: the next one, with what is staged."""
    is_all: bool = False
    """Of the next commit, whether what has changed here goes along as `git commit -a` has it."""

    def read(self, path: str) -> bytes | None:
        """What is in the file *path*, from the project's folder, or None. Raises `UsageError` for one outside."""
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or not path.isprintable():
            raise UsageError(f"{path[:200]!r} is no file of the project.", fix="a path from the project's folder")
        inside = PurePosixPath(self.folder, path).as_posix()
        found = self.repo.read(self.commit, inside)
        here = self.repo.folder / inside
        if found is None or not self.is_all:
            return found
        return here.read_bytes() if here.is_file() else None

    def above(self, path: str) -> bytes | None:
        """What is in the file *path* of the repository's top, or None."""
        return self.repo.read(self.commit, path)

    def names(self) -> list[str]:
        """The project's files, from its folder."""
        below = (self.folder,) if self.folder else ()
        listed = ("ls-tree", "-r", "-z", "--name-only", "--full-tree", self.commit, "--", *below)
        found = self.repo.git(*(listed if self.commit else ("ls-files", "-z", "--", *below))).split("\0")
        return [name.removeprefix(f"{self.folder}/") for name in found if name]

    def settings(self, place: Place) -> Settings:
        """What its mlgit.yaml says of *place*'s project. Raises `ConfigError`."""
        content = self.read(settings.FILE)
        folder = place.settings.folder
        return settings.written(content, folder) if content is not None else Settings(settings.name_of(folder), folder)

    @property
    def title(self) -> str:
        """What it is called."""
        return f"commit {self.commit[:7]}" if self.commit else "the next commit"


def of(place: Place, rev: str) -> Code:
    """The code of *place*'s project at the commit that *rev* names. Raises `UsageError` where there is none."""
    commit = place.repo.resolve(rev)
    if commit is None:
        raise UsageError(f"There is no commit {rev[:80]!r} here.", fix="git fetch, or name another")
    return Code(repo=place.repo, folder=place.folder, commit=commit)


def next_one(place: Place, *, is_all: bool) -> Code:
    """The code of the next commit: what is staged, with *is_all* what has changed as well."""
    return Code(repo=place.repo, folder=place.folder, is_all=is_all)


def is_one_of_several(place: Place) -> bool:
    """Whether the repository holds other projects beside *place*'s, as far as git knows."""
    return len(place.repo.git("ls-files", "-z", "--", f":(top,glob)**/{settings.FILE}").split("\0")) > 2


def trailers(code: Code) -> list[Trailer]:
    """The trailers of a commit's message, as git reads them."""
    return _message(code)[0]


def strays(code: Code) -> list[Trailer]:
    """The lines of a commit's message that read like trailers of ours and are none: they do not stand at its end."""
    found, lines = _message(code)
    known = {one.line for one in found}
    parted = ((number, line.partition(":")) for number, line in enumerate(lines, 1) if number not in known)
    ours = {key.lower() for key in (RUN, SWEEP)}
    return [
        Trailer(key=key, value=value.strip(), line=number) for number, (key, _, value) in parted if key.lower() in ours
    ]


def _message(code: Code) -> tuple[list[Trailer], list[str]]:
    """The trailers of a commit's message, and its lines."""
    separate = ("-c", "trailer.separators=:")
    told = ("--no-show-signature", "-1", "--format=%(trailers:only=true,unfold=true)%x00%B", "--end-of-options")
    found, _, message = code.repo.git(*separate, "log", *told, code.commit).partition("\0")
    lines = message.split("\n")  # as git has it: there are more ends of lines in Unicode
    placed, at = list[Trailer](), len(lines)
    for text in reversed([line for line in found.split("\n") if line]):
        key, _, value = text.partition(":")
        while at > 0 and not lines[at - 1].startswith(key):
            at -= 1
        is_apart = at > 0 and lines[at - 1][len(key) :][:1].isspace()
        placed.append(Trailer(key=key.strip(), value=value.strip(), line=at, is_apart=is_apart))
        at -= 1
    return placed[::-1], lines
