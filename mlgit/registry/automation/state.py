"""What automations have done: a file for each, on a ref of its own that moves by compare-and-swap, also on a remote.

What is begun is claimed there before: of two machines that see the same event, one does it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from mlgit.documents.reader import load
from mlgit.documents.writer import as_data, dump
from mlgit.errors import RefMovedError
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo

REF = "refs/mlgit/automations"
_TRIES = 20


class How(Enum):
    """How far it came."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    """It will be tried again."""
    GIVEN_UP = "given up"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of one event."""

    how: How
    at: float
    """Seconds since the epoch."""
    tries: int = 1
    said: str = ""
    """What the other side answered, or why it failed."""
    when: float = 0.0
    """When the event happened."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What one automation has done."""

    begun: float
    """When it was first seen: what happened before is none of its business."""
    done: Mapping[str, Done] = field(default_factory=dict)
    """Event → what became of it."""


@dataclass(frozen=True, kw_only=True)
class State:
    """The ref, here and where it is shared."""

    repo: Repo
    remote: Remote | None = None

    def read(self) -> dict[str, Memory]:
        """What each automation has done, by its name, as the remote has it. Raises `GitError` where it is silent."""
        return self._at(self._bring())

    def change(self, name: str, change: Callable[[Memory | None], Memory | None]) -> Memory | None:
        """Have the memory of the automation *name* be what *change* makes of it; None, if it makes none: nothing moves.

        *change* may be called more than once: somebody else may have been quicker. Raises `GitError`.
        """
        for attempt in range(_TRIES):
            there = self._bring() if attempt else self._stands()
            memory = change(self._at(there).get(name))
            if memory is None:
                return None
            text = dump(as_data(memory)).encode()
            made = self.repo.commit(there, {f"{name}.yaml": text}, f"{name}: what it has done")
            try:
                if self.remote:
                    self.remote.push([Move(REF, there, made)])
                self.repo.move([Move(REF, self._stands(), made)], why=f"automation {name}", logged=False)
            except RefMovedError:
                continue
            return memory
        raise RefMovedError(f"{REF} keeps moving; what {name} has done was not kept.", fix="try again")

    def _at(self, commit: str | None) -> dict[str, Memory]:
        with self.repo.reader() as reader:
            files = (reader.tree(f"{commit}^{{tree}}") if commit else None) or {}
            return {
                path.removesuffix(".yaml"): load(reader.blob(entry.oid) or b"", Memory, source=f"{REF}:{path}")
                for path, entry in files.items()
                if path.endswith(".yaml")
            }

    def _stands(self) -> str | None:
        return self.repo.refs(REF).get(REF)

    def _bring(self) -> str | None:
        """Where the ref stands where it is shared, and what it holds, here."""
        here = self._stands()
        if self.remote is None:
            return here
        there = self.remote.refs(REF).get(REF)
        if there and there != here:
            self.remote.fetch([there], depth=1 if (self.repo.common_dir / "shallow").exists() else None)
            self.repo.move([Move(REF, here, there)], why="what automations have done", logged=False)
        return there


def forgotten(memory: Memory, before: float) -> Memory:
    """*memory* without what was done of events from *before* that moment, which nobody asks about any more.

    A hold is asked about until it is known to be lifted.
    """
    over = (How.DONE, How.GIVEN_UP)
    ended = {event for event, done in memory.done.items() if "#lifted#" in event and done.how in over}
    kept = {
        event: done
        for event, done in memory.done.items()
        if done.when >= before
        or done.how not in over
        or ("#held#" in event and event.replace("#held#", "#lifted#") not in ended)
    }
    return replace(memory, begun=max(memory.begun, before), done=kept)
