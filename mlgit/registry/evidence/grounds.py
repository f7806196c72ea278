"""By what the gates of a stage are asked that was merged a while ago, and that nobody has settled.

A change goes through the policy that stood before it, also where the job that was to ask it never ran.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mlgit.errors import ConfigError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.registry.policy import file, freezes
from mlgit.registry.policy.gates import command
from mlgit.registry.trust.trusting import KEYS
from mlgit.store import registry as store

_LAST = ("log", "-1", "--first-parent", "--no-patch", "--no-show-signature", "--format=%H")


def base_of(repo: Repo, tip: str, model: str, stage: str, *, deepen: Callable[[str], None]) -> str:
    """The commit whose policy, freezes, keys and programs count for what the file of *stage* says at *tip*.

    It is *tip*, so that what was mended since counts; but where the commit that asked for it has itself changed one of
    them, and nobody has since, the one before. *deepen*: has the past of a commit, where a clone is shallow.
    """
    asking = _asking(repo, tip, model, stage)
    if asking and repo.resolve(f"{asking}^1") is None:
        deepen(tip)
        asking = _asking(repo, tip, model, stage)
    before = repo.resolve(f"{asking}^1") if asking else None
    if before is None:
        return tip
    with repo.reader() as reader:
        for path in _read_by_gates(reader, before, model, stage):
            was, asked, now = (_id(reader, commit, path) for commit in (before, asking, tip))
            if was != asked == now:
                return before
    return tip


def _asking(repo: Repo, tip: str, model: str, stage: str) -> str:
    """The last commit along first parents that changed the file of *stage*; empty where there is none."""
    return repo.git(*_LAST, "--end-of-options", tip, "--", f":(top,literal){store.stage_path(model, stage)}")


def _read_by_gates(reader: Reader, commit: str, model: str, stage: str) -> Iterator[str]:
    """The paths that gates go by, as far as the policy at *commit* names them."""
    yield from (store.POLICY, freezes.SOURCE, KEYS)
    text = reader.blob(f"{commit}:{store.POLICY}")
    try:
        policy = None if text is None else file.read(text, source=store.POLICY)
    except ConfigError:
        policy = None  # it was mended since, or is named above
    for rule in policy.asked(model, stage) if policy else ():
        for placed in rule.gates:
            if isinstance(placed.gate, command.Settings):
                yield from (word.removeprefix("./") for word in placed.gate.command if "\n" not in word)


def _id(reader: Reader, commit: str, path: str) -> str | None:
    found = reader.read(f"{commit}:{path}") if path else None
    return found[0] if found else None
