"""Another repository, reached by git's own transports: what it has, objects from there, refs moved there.

Hooks, credentials and prompts are the user's own, as in a `git push` by hand. Nothing here is tried twice: who calls
looks anew at what is there by now, for a push whose answer was lost may have been done.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import IO

from mlgit.errors import GitError, OutOfReachError, RefMovedError, RefusedError, UnreachableError, UsageError
from mlgit.git import process
from mlgit.git.repo import Move, Repo

_FOR_GOOD = (
    "Authentication failed|could not read (Username|Password)|Permission denied|Host key verification|hook declined"
    "|returned error: 40[134]|[Rr]epository .*not found|does not appear to be a git repository|does not support"
    "|No space left|Read-only file system"
)
"""What git says of a remote that will not answer otherwise the next time: a pattern, which takes 3 ms to compile."""
_OUT_OF_REACH = "Could not resolve host|Failed to connect|Connection refused|Network is unreachable|No route to host"
_OVERTAKEN = (
    "stale info|fetch first|non-fast-forward|needs force|cannot lock ref|failed to (lock|update)|already exists"
    "|updated since checkout|atomic (push|transaction) fail|incorrect old value|unpacker error"
)
"""Why a ref is refused that somebody else has moved, or is moving; the others of the same push go with it. Such too."""


@dataclass(frozen=True, kw_only=True)
class Remote:
    """The remote or address *name* as it is seen from *repo*. *watch* hears what git says of its progress."""

    repo: Repo
    name: str
    watch: Callable[[str], None] | None = None
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What git finds in its environment besides, where it asks the remote."""

    def __post_init__(self) -> None:
        if not self.name or self.name.startswith("-") or "::" in self.name:
            raise UsageError(
                f"{self.name[:80]!r} is no address to push to.", fix="give a remote's name, a URL or a path"
            )

    @property
    def is_known(self) -> bool:
        """Whether the repository has a remote of this name."""
        return f"remote.{self.name.lower()}.url" in self.repo.config

    @cached_property
    def address(self) -> str:
        """Where it lies, as git goes there (`url.….insteadOf`), without a password."""
        config = self.repo.config
        if not self.is_known or not any(key.endswith(".insteadof") for key in config):
            return bare(config.get(f"remote.{self.name.lower()}.url", self.name))
        return bare(self.repo.git("remote", "get-url", "--", self.name).partition("\n")[0])

    @property
    def is_near(self) -> bool:
        """Whether it lies on a disk of this machine."""
        return not re.search("://|^[^/]+:", self.address) or self.address.startswith("file://")

    def refs(self, *patterns: str) -> dict[str, str]:
        """Its refs that fit *patterns* (`refs/heads/exp/*`), each with the id it points at. Raises `GitError`."""
        out = self._run("ls-remote", "--quiet", "--refs", "--end-of-options", self.name, *patterns)
        return {ref: oid for oid, _, ref in (line.partition("\t") for line in out.split("\n") if line)}

    def fetch(self, oids: Iterable[str], *, whole: bool = False, depth: int | None = None) -> None:
        """Have the commits and tags *oids*, of its refs, and all that they hold; no ref moves. Raises `GitError`.

        They are asked for by id, which git takes as they are: by name it compares each with each. A partial clone
        gets what it filters out one by one when it is read, but for what it has *whole*. With *depth*, so many commits
        of their pasts come along at most.
        """
        if wanted := "".join(f"{oid}\n" for oid in dict.fromkeys(oids)):
            self._run(
                "fetch", *self._progress(), "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--stdin",
                *(("--no-filter",) if whole else ()), *(() if depth is None else (f"--depth={depth}",)),
                "--end-of-options", self.name, stdin=wanted,
            )  # fmt: skip

    def copy(self, refspecs: Sequence[str], *, depth: int, without: str) -> None:
        """Have the refs of *refspecs* (`+refs/tags/a@*:refs/tags/a@*`) as they are there, and go where they are gone.

        Only those are asked for, where `refs` hears of all there are: git itself filters what `ls-remote` lists. So
        many commits of their pasts come along, and nothing that the filter *without* leaves out. Raises `GitError`.
        """
        self._run(
            "fetch", *self._progress(), "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--prune",
            "--no-auto-maintenance", f"--depth={depth}", f"--filter={without}",
            "--end-of-options", self.name, *refspecs,
        )  # fmt: skip

    def push(self, moves: Sequence[Move], *, whole: str = "") -> None:
        """Move refs there, all or none, and each only from where *moves* says that it is.

        With *whole*, all refs below it are the same here and there but for *moves*: they go by a pattern then, for of
        those that are named one by one git compares each with each.

        Raises `RefMovedError` where one is elsewhere by now, `RefusedError` where the remote does not want one,
        `UnreachableError` where it may have been done or not, `GitError` where it can't be.
        """
        args = [f"--force-with-lease={move.ref}:{move.old or ''}" for move in moves]
        named = [move for move in moves if move.new is None or not whole or not move.ref.startswith(whole)]
        args += ["--end-of-options", self.name, *(f"{move.new or ''}:{move.ref}" for move in named)]
        args += [f"{whole}*:{whole}*"] if whole else []
        git = self._start("push", *self._progress(), "--atomic", "--porcelain", "--recurse-submodules=no", *args)
        out, said = self._hear(git)
        refused = [line.split("\t") for line in out.split("\n") if line.startswith("!\t")]
        reasons = {parts[1].rpartition(":")[2]: parts[2] for parts in refused if len(parts) > 2}
        wrong = {ref: why for ref, why in reasons.items() if not re.search(_OVERTAKEN, why)}
        if wrong:
            names = ", ".join(f"{ref.removeprefix('refs/heads/')} {why}" for ref, why in list(wrong.items())[:5])
            words = "\n".join(line for line in said.splitlines() if line.startswith("remote: "))
            raise RefusedError(f"{bare(self.name)} refused {names}; nothing was pushed.", why=words)
        if reasons:
            why = "; ".join(dict.fromkeys(reasons.values()))
            raise RefMovedError(f"{bare(self.name)} has moved on meanwhile.", why=why)
        if git.returncode:
            raise self._failure("pushed to", said)

    def _progress(self) -> tuple[str, ...]:
        return ("--progress",) if self.watch else ("--quiet",)

    def _run(self, *args: str, stdin: str = "") -> str:
        git = self._start(*args)
        out, said = self._hear(git, stdin)
        if git.returncode:
            raise self._failure("read from", said)
        return out

    def _start(self, *args: str) -> subprocess.Popen[bytes]:
        env = {"GIT_TERMINAL_PROMPT": os.environ.get("GIT_TERMINAL_PROMPT", "1"), **self.env}
        return process.start(args, folder=self.repo.folder, env=env, stdin=subprocess.PIPE, hooks=True)

    def _hear(self, git: subprocess.Popen[bytes], stdin: str = "") -> tuple[str, str]:
        """What *git* printed, and what it said besides, which *watch* hears as it comes."""
        errors, git.stderr = git.stderr, None
        assert errors
        said: list[str] = []
        listener = threading.Thread(target=self._listen, args=(errors, said))
        listener.start()
        out, _ = git.communicate(stdin.encode())
        listener.join()
        return out.decode(errors="surrogateescape"), "".join(said)

    def _listen(self, errors: IO[bytes], said: list[str]) -> None:
        with errors:
            while piece := os.read(errors.fileno(), 4096):
                said.append(piece.decode(errors="replace"))
                if self.watch:
                    self.watch(said[-1])

    def _failure(self, what: str, said: str) -> GitError:
        why = bare(said.strip()[-2000:])
        found = re.search(f"(?P<away>{_OUT_OF_REACH})|{_FOR_GOOD}", said)
        kind = UnreachableError if not found else OutOfReachError if found["away"] else GitError
        return kind(f"{bare(self.name)} could not be {what}.", why=why, fix="git ls-remote says whether it is there")


def bare(text: str) -> str:
    """*text*, of whose addresses none has a password any more."""
    return re.sub(r"(\w+://)[^/\s@]*@", r"\1", text)
