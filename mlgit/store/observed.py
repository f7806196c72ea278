"""What targets really run, in git: `refs/mlgit/observed/<target>`, a file `<model>/<stage>.json` for each stage.

A ref of its own, for machines write it: the base branch changes by pull request alone. Each look is a commit, so what
ran when is kept. It is a claim of whoever could push the ref.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mlgit.core import escape, refs
from mlgit.core.run import in_calendar
from mlgit.errors import GitError, UsageError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo, is_passing
from mlgit.store import records

_TRIES = 50
_DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
_LARGEST = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What one target ran of one stage, when somebody looked."""

    target: str
    model: str
    stage: str
    digests: tuple[str, ...]
    """Of each of its replicas that run something else: DVC's hash of the model, or the sha256 of its only file."""
    seen: float
    """Seconds since the epoch."""
    by: str = ""


def digest(text: str) -> str:
    """*text* as a digest: hex, of 32 or 64 digits; `sha256:` before it and `.dir` behind it are left out.

    Raises `UsageError`.
    """
    found = text.strip().lower().removeprefix("sha256:").removeprefix("md5:").removesuffix(".dir")
    if _DIGEST.fullmatch(found):
        return found
    raise UsageError(
        f"{text[:80]!r} is no digest.", why="One is 64 hexadecimal digits (sha256), or 32 (DVC's).",
        fix="sha256sum FILE, or --version, where the target knows that",
    )  # fmt: skip


def record(repo: Repo, seen: Observation) -> str:
    """Keep *seen* as what its target runs now; return the commit. Raises `UsageError`, `GitError` where git refuses."""
    ref = refs.observed(seen.target)
    path = f"{refs.component(seen.model, 'model')}/{refs.component(seen.stage, 'stage')}.json"
    why = f"{seen.target} runs {', '.join(one[:12] for one in seen.digests)} as {seen.model} {seen.stage}"
    for tries in range(_TRIES):
        tip = repo.refs(ref).get(ref)
        try:
            return repo.commit_on(ref, {path: _text(seen)}, escape.line(why), expect=tip)
        except GitError as exc:
            if not is_passing(exc, again=tries < _TRIES - 1):
                raise
    raise AssertionError("the last try returns or raises")


def known(repo: Repo) -> list[Observation]:
    """What every target was last seen to run. Files that cannot be read are passed over: `mlgit fsck` tells."""
    with repo.reader() as reader:
        return [one for ref, tip in repo.refs(refs.OBSERVED).items() for one in read(reader, ref, tip).values()]


def read(reader: Reader, ref: str, tip: str) -> dict[str, Observation]:
    """What the target of *ref* says at *tip*, by path."""
    found = {path: _parse(reader.blob(oid), ref, path) for path, oid in _files(reader, tip)}
    return {path: one for path, one in found.items() if one}


def damage(reader: Reader, ref: str, tip: str) -> Iterator[str]:
    """Which of its files tell nothing."""
    told = read(reader, ref, tip)
    yield from (f"{path} cannot be read" for path, _ in _files(reader, tip) if path not in told)


def joined(repo: Repo, ours: str | None, theirs: str) -> str:
    """A commit that says of each stage what was seen last at *ours* or *theirs*, one of these where it does."""
    if ours is None or repo.is_ancestor(ours, theirs):
        return theirs
    if repo.is_ancestor(theirs, ours):
        return ours
    ref = f"{refs.OBSERVED}both"
    with repo.reader() as reader:
        near, far = read(reader, ref, ours), read(reader, ref, theirs)
    newer = {path: one for path, one in near.items() if path not in far or _rank(one) > _rank(far[path])}
    files = {path: _text(one) for path, one in newer.items()}
    return repo.commit(theirs, files, "observed: on two machines", parents=(theirs, ours))


def _rank(one: Observation) -> tuple[float, tuple[str, ...]]:
    return one.seen, one.digests


def _files(reader: Reader, tip: str) -> Iterator[tuple[str, str]]:
    for model, entry in (reader.tree(f"{tip}^{{tree}}") or {}).items():
        for name, file in ((reader.tree(entry.oid) or {}) if entry.is_tree else {}).items():
            if not file.is_tree:
                yield f"{model}/{name}", file.oid


def _parse(text: bytes | None, ref: str, path: str) -> Observation | None:
    """An observation, or None of what is none: anybody may have pushed it."""
    model, _, name = path.partition("/")
    stage, target = name.removesuffix(".json"), ref.removeprefix(refs.OBSERVED)
    if text is None or len(text) > _LARGEST or not all(map(refs.is_component, (model, stage, target))):
        return None
    with suppress(ValueError, KeyError, TypeError, OverflowError, OSError):
        told: Mapping[str, Any] = records.told(text)
        digests, seen, by = told["digests"], records.seconds_of(told["seen"]), told.get("by", "")
        if (
            isinstance(digests, list)
            and digests
            and all(isinstance(one, str) for one in (*digests, by))
            and in_calendar(seen) == seen
        ):
            return Observation(
                target=target, model=model, stage=stage, digests=tuple(map(digest, digests)), seen=seen, by=by
            )
    return None


def _text(seen: Observation) -> bytes:
    document = {"digests": list(seen.digests), "seen": records.moment(seen.seen), "by": seen.by}
    return json.dumps(document, indent=2, ensure_ascii=False).encode(errors="surrogateescape") + b"\n"
