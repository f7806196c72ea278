"""A repository: its places, its refs, and commits that move a ref only if nobody moved it first.

Everything goes through plumbing, so a run can be recorded while the user edits files, and two can be recorded at once.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mlgit.core.run import in_calendar
from mlgit.errors import GitError, NotFoundError, RefMovedError, UsageError
from mlgit.git import process, refs
from mlgit.git.objects import Entry, Reader, Writer

_COMMITTER = re.compile(rb"^committer .*> (\d+) ", re.MULTILINE)


@dataclass(frozen=True)
class Move:
    """One ref's way: from *old* to *new*. `old=None`: it must not exist yet; `new=None`: it is deleted.

    Both None: it must not exist, and does not afterwards.
    """

    ref: str
    old: str | None
    new: str | None


def is_passing(exc: GitError, *, again: bool) -> bool:
    """Whether another try may help after *exc*: a ref has moved, or, if tried *again*, is held by somebody."""
    return isinstance(exc, RefMovedError) or (again and "File exists" in exc.why)


@dataclass(frozen=True)
class Repo:
    """A repository on disk. `work_tree` is None where it is bare."""

    work_tree: Path | None
    git_dir: Path
    common_dir: Path
    """What worktrees share: objects, refs, and mlgit's own folder."""

    @classmethod
    def find(cls, start: Path) -> Repo | None:
        """The repository that holds the folder *start*, or None. Raises `GitError` where git refuses to look.

        The common cases are read from the disk, as gitrepository-layout(5) lays them out: a process saved in every run.
        """
        for folder in (start, *start.resolve().parents):
            if (git := folder / ".git").exists():
                found = _read_layout(folder.resolve(), git)
                return found if found and _is_usual(found.config) else _ask_git(start)
            if (folder / "HEAD").exists() and (folder / "objects").is_dir():
                break  # a bare repository, in which another one may hold this folder
        return _ask_git(start)

    @property
    def folder(self) -> Path:
        """Where git is run: the work tree, or the bare repository itself."""
        return self.work_tree or self.git_dir

    @property
    def own(self) -> Path:
        """mlgit's own folder in the common git folder."""
        return self.common_dir / "mlgit"

    def git(self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        """What `git ARGS` printed, without the last line's end. Raises `GitError`."""
        return (
            process.run(*args, folder=self.folder, stdin=stdin, env=env).decode(errors="surrogateescape").rstrip("\n")
        )

    @cached_property
    def config(self) -> Mapping[str, str]:
        """Every setting, the last value of each, keys in lower case; asked anew where one of its files has changed."""
        state = _state_of((self.common_dir / "config", self.git_dir / "config.worktree", *_own_files()))
        if (known := _CONFIGS.get(self.git_dir)) is None or known[0] != state:
            out = process.run("config", "--null", "--list", folder=self.folder).decode(errors="replace")
            pairs = (item.partition("\n") for item in out.split("\0") if item)
            known = _CONFIGS[self.git_dir] = state, {key.lower(): value for key, _, value in pairs}
        return known[1]

    @property
    def identity(self) -> str:
        """`Name <email>` for commits: the environment's, the configuration's, or mlgit's own (CI often has none)."""
        env, config = os.environ, self.config
        name = env.get("GIT_COMMITTER_NAME") or config.get("committer.name") or config.get("user.name") or "mlgit"
        email = env.get("GIT_COMMITTER_EMAIL") or config.get("committer.email") or config.get("user.email")
        clean = str.maketrans("", "", "<>\n\0")
        return f"{name.translate(clean).strip()} <{(email or 'mlgit@localhost').translate(clean).strip()}>"

    def reader(self) -> Reader:
        """A reader of objects, to be used as a context manager."""
        return Reader(self.folder)

    def writer(self) -> Writer:
        """A writer of objects."""
        return Writer(
            self.common_dir / "objects",
            sha256=self.config.get("extensions.objectformat") == "sha256",
            shared=self.config.get("core.sharedrepository", "umask").lower(),
        )

    def resolve(self, rev: str) -> str | None:
        """The commit that *rev* names, or None."""
        args = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}")
        if not rev or "\0" in rev or "\n" in rev:
            return None
        return process.run(*args, folder=self.folder, ok=(0, 1, 128)).decode().strip() or None

    def refs(self, *prefixes: str) -> dict[str, str]:
        """The refs below *prefixes* (`refs/heads/exp/`), each with the id it points at."""
        prefixes = prefixes or ("refs/",)
        out = self.git("for-each-ref", "--format=%(objectname) %(refname)", *prefixes)
        return {ref: oid for oid, _, ref in (line.partition(" ") for line in out.split("\n") if line)}

    def head(self) -> str | None:
        """The full name of the branch that is checked out, or None on a detached HEAD."""
        ref = process.run("symbolic-ref", "--quiet", "HEAD", folder=self.folder, ok=(0, 1)).decode().strip()
        return ref or None

    def move(self, moves: Sequence[Move], *, why: str, logged: bool = True) -> None:
        """Move several refs at once, all or none; *why* goes into their reflogs, unless very many branches are made.

        What is not *logged* has no reflog, unless the user's own settings want one: where it stood before, nobody asks.

        Raises `RefMovedError` when one is not where `old` says, `GitError` when git refuses otherwise.
        """
        if logged and self._create(moves, why):
            return
        lines = [b"start\0"]  # with a beginning and an end of its own: a process that dies in between has moved nothing
        for step in moves:
            if not step.ref.startswith("refs/") or any(char in step.ref for char in "\0\n "):
                raise UsageError(f"{step.ref[:120]!r} is no full name of a ref.")
            ref = step.ref.encode(errors="surrogateescape")
            if step.new is None and step.old is None:
                lines.append(b"verify %s\0\0" % ref)
            elif step.new is None:
                lines.append(b"delete %s\0%s\0" % (ref, (step.old or "").encode()))
            elif step.old is None:
                lines.append(b"create %s\0%s\0" % (ref, step.new.encode()))
            else:
                lines.append(b"update %s\0%s\0%s\0" % (ref, step.new.encode(), step.old.encode()))
        lines.append(b"commit\0")
        try:
            process.run(
                "update-ref", "-m", f"mlgit: {why}", *(("--create-reflog",) if logged else ()), "--stdin", "-z",
                folder=self.folder, stdin=b"".join(lines),
            )  # fmt: skip
        except GitError as exc:
            if any(word in exc.why for word in ("but expected", "already exists", "unable to resolve reference")):
                names = ", ".join(step.ref for step in moves)
                raise RefMovedError(f"{names}: moved by somebody else in the meantime.", why=exc.why) from None
            raise

    def _create(self, moves: Sequence[Move], why: str) -> bool:
        """Whether *moves* were one new ref or very many, in a repository that keeps refs as files, and are made now."""
        if {"extensions.refstorage", "core.sharedrepository"} & self.config.keys():
            return False
        new = {move.ref: move.new for move in moves if move.old is None and move.new is not None}
        if len(new) < len(moves):
            return False
        if len(new) == 1:
            ((ref, oid),) = new.items()
            return refs.create(self.common_dir, ref, oid, f"{self.signature()}\t{' '.join(f'mlgit: {why}'.split())}")
        from mlgit.git import packed  # read only where there are many

        return packed.create(self.folder, self.common_dir, new)

    def signature(self, when: float | None = None) -> str:
        """Identity and time as a commit or tag carries them. *when*: seconds since the epoch, or None for now."""
        moment = time.time() if when is None else when
        offset = time.localtime(moment).tm_gmtoff // 60
        return (
            f"{self.identity} {int(moment)} {'-' if offset < 0 else '+'}{abs(offset) // 60:02d}{abs(offset) % 60:02d}"
        )

    def write_commit(
        self, writer: Writer, tree: str, parents: Sequence[str], message: str, *, when: float | None = None,
        walked: float | None = None,
    ) -> str:  # fmt: skip
        """A commit object in *writer*; return its id. *walked*: the time by which git orders it, if that is another."""
        head = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        head += [f"author {self.signature(when)}", f"committer {self.signature(when if walked is None else walked)}"]
        text = "\n".join((*head, "", message if message.endswith("\n") else f"{message}\n"))
        return writer.add("commit", text.encode(errors="surrogateescape"))

    def commit(
        self, base: str | None, changes: Mapping[str, bytes | Entry | None], message: str, *,
        parents: Sequence[str] | None = None, when: float | None = None,
    ) -> str:  # fmt: skip
        """A durable commit: the tree of *base* with *changes* (see `Writer.edit`); return its id. No ref moves.

        Its parent is *base*, unless *parents* says otherwise; a *base* of None is the empty tree.
        """
        writer = self.writer()
        with self.reader() as reader:
            entries: Mapping[str, Entry] = {}
            if base:
                found = reader.read(f"{base}^{{commit}}")
                if found is None:
                    raise NotFoundError(f"There is no commit {base[:120]!r}.")
                base, entries = found[0], reader.tree(f"{found[0]}^{{tree}}") or {}
            tree = writer.edit(entries, changes, lambda oid: reader.tree(oid) or {})
            chosen = ([base] if base else []) if parents is None else parents
            oid = self.write_commit(writer, tree, chosen, message, when=when)
            writer.flush()
        return oid

    def commit_on(
        self, ref: str, changes: Mapping[str, bytes | Entry | None], message: str, *,
        expect: str | None, when: float | None = None,
    ) -> str:  # fmt: skip
        """`commit` on top of *expect*, and *ref* moved from there to it. Raises `RefMovedError`."""
        oid = self.commit(expect, changes, message, when=when)
        self.move([Move(ref, expect, oid)], why=message.partition("\n")[0])
        return oid

    def tag(self, ref: str, commit: str, message: str, *, when: float | None = None) -> str:
        """An annotated tag *ref* (a full name) on *commit*; return its id. Raises `RefMovedError` if it exists."""
        name = ref.removeprefix("refs/tags/")
        writer = self.writer()
        text = f"object {commit}\ntype commit\ntag {name}\ntagger {self.signature(when)}\n\n{message.rstrip()}\n"
        oid = writer.add("tag", text.encode(errors="surrogateescape"))
        writer.flush()
        self.move([Move(ref, None, oid)], why=f"tag {name}")
        return oid

    def read(self, rev: str, path: str) -> bytes | None:
        """The content of *path* at *rev*, or None. For more than one file, use a `reader`."""
        with self.reader() as reader:
            return reader.blob(f"{rev}:{path}")

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Whether *commit* holds all that *ancestor* does."""
        args = ("merge-base", "--is-ancestor", "--end-of-options", ancestor, commit)
        git = process.start(args, folder=self.folder)
        _, err = git.communicate()
        if git.returncode not in (0, 1):
            raise process.failure("merge-base", self.folder, err)
        return git.returncode == 0

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest commit that both *one* and *other* hold, or None."""
        args = ("merge-base", "--end-of-options", one, other)
        return process.run(*args, folder=self.folder, ok=(0, 1)).decode().strip() or None

    def ancestors(self, commit: str, *, most: int = 10_000) -> list[tuple[str, str]]:
        """(commit, tree) of *commit* and its first-parent ancestors, newest first."""
        args = ("rev-list", "--first-parent", f"--max-count={most}", "--no-commit-header", "--format=%H %T",
                "--end-of-options", commit)  # fmt: skip
        pairs = (line.partition(" ") for line in self.git(*args).splitlines())
        return [(oid, tree) for oid, _, tree in pairs]

    def worktrees(self) -> Mapping[str, Path]:
        """Which branch (full name) is checked out where; worktrees whose folder has gone are not counted."""
        places: dict[str, Path] = {}
        folder: Path | None = None
        for line in self.git("worktree", "list", "--porcelain", "-z").split("\0"):
            key, _, value = line.partition(" ")
            if key == "worktree":
                folder = Path(value)
            elif key == "branch" and folder and folder.is_dir():
                places[value] = folder
        return places


_CONFIGS: dict[Path, tuple[object, Mapping[str, str]]] = {}
"""What a repository's settings were, and the state of their files then: a process may make many runs."""


def _own_files() -> tuple[Path, ...]:
    """Where git looks for a user's settings (git-config(1), FILES)."""
    home = Path(os.environ.get("HOME", "/"))
    xdg = os.environ.get("XDG_CONFIG_HOME")
    chosen = [Path(path) for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM") if (path := os.environ.get(name))]
    return (home / ".gitconfig", (Path(xdg) if xdg else home / ".config") / "git" / "config", *chosen)


def _state_of(files: Iterable[Path]) -> tuple[tuple[str, int, int, int], ...]:
    """What changes when one of *files* is written."""
    found = []
    for path in files:
        try:
            about = path.stat()
        except OSError:
            continue
        found.append((str(path), about.st_mtime_ns, about.st_size, about.st_ino))
    return tuple(found)


def _is_usual(config: Mapping[str, str]) -> bool:
    """Whether the places on disk are the whole truth; otherwise it is git that says, or refuses."""
    odd = config.get("core.bare") == "true" or "core.worktree" in config or "core.repositoryformatversion" not in config
    return not odd and not any(key.startswith("extensions.") for key in config)


def _read_layout(work_tree: Path, git: Path) -> Repo | None:
    """The repository whose `.git`, a folder or a file that names one, lies in *work_tree*."""
    if git.is_dir():
        git_dir = git.resolve()
    else:
        text = git.read_text(encoding="utf-8", errors="surrogateescape").strip()
        if not text.startswith("gitdir: "):
            return None
        git_dir = (git.parent / text[8:]).resolve()
    common = git_dir / "commondir"
    common_dir = (git_dir / common.read_text().strip()).resolve() if common.exists() else git_dir
    return Repo(work_tree=work_tree, git_dir=git_dir, common_dir=common_dir) if (git_dir / "HEAD").exists() else None


def _ask_git(start: Path) -> Repo | None:
    """The repository of *start* as git itself finds it: bare ones, and whatever is set up in an unusual way."""
    git = process.start(
        ("rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir", "--show-toplevel"), folder=start
    )
    out, err = git.communicate()
    places = [Path(line) for line in os.fsdecode(out).split("\n") if line]
    if git.returncode and len(places) < 2:
        if b"not a git repository" in err:
            return None
        raise process.failure("rev-parse", start, err)
    return Repo(work_tree=places[2] if len(places) > 2 else None, git_dir=places[0], common_dir=places[1])


def time_of(commit: bytes) -> int:
    """The time by which git orders *commit*, a commit object, in seconds since the epoch; 0 where it says none."""
    found = _COMMITTER.search(commit, 0, commit.find(b"\n\n") + 1)
    return int(in_calendar(int(found[1]))) if found else 0


def message_trailer(message: str, key: str) -> str | None:
    """The value of the last trailer line `key: value` in a commit's *message*, or None."""
    for line in reversed(message.rstrip().splitlines()):
        if line.startswith(f"{key}: "):
            return line[len(key) + 2 :]
    return None


def split_commit(content: bytes) -> tuple[dict[str, str], list[str], str]:
    """A commit object's content as (headers, parents, message)."""
    head, _, message = content.decode(errors="replace").partition("\n\n")
    pairs: Iterable[tuple[str, str, str]] = (line.partition(" ") for line in head.splitlines())
    headers: dict[str, str] = {}
    parents: list[str] = []
    for key, _, value in pairs:
        if key == "parent":
            parents.append(value)
        else:
            headers.setdefault(key, value)
    return headers, parents, message
