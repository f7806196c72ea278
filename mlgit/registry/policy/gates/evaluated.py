"""The candidate's figures were measured on a dataset of a known content."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import Literal

from mlgit.core.model import ModelVersion
from mlgit.registry.policy.evidence import Evidence, Need, Origin
from mlgit.registry.policy.kind import Finding, Kind, outcome, unasked

_DIGEST = re.compile(r"(?:md5:)?([0-9a-f]{32})(?:\.dir)?")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A dataset, and which content of it counts."""

    evaluated_on: str = field(metadata={"help": "a path that DVC holds (data/test.csv), or an artifact that runs use"})
    digest: str | None = field(default=None, metadata={"help": "its content by DVC's md5, as its .dvc file says"})
    same_as: Literal["champion"] | None = field(
        default=None, metadata={"help": "the content that the run of what the stage serves now saw"}
    )


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    if (asked.digest is None) is (asked.same_as is None):
        return f"{asked.evaluated_on}: give digest, or same_as: champion"
    if asked.digest is not None and not _DIGEST.fullmatch(asked.digest):
        return f"{asked.evaluated_on}: digest is DVC's md5, 32 hex digits, as {asked.evaluated_on}.dvc says"
    return ""


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether the run that made the candidate saw just that content."""
    gate = f"evaluated on {asked.evaluated_on}" + (f" {asked.digest[:12]}" if asked.digest else " as the champion was")
    if why := seen.lacking.get(Need.ORIGIN):
        return unasked(gate, why)
    ours, became = _seen(asked.evaluated_on, seen.candidate, seen.origins.candidate)
    bar = asked.digest
    inputs = {"data": asked.evaluated_on, "digest": ours, "asked": bar}
    if asked.same_as and (seen.champion is None or seen.is_return):
        passed, observed = bool(ours) and not became, f"{ours or 'not known'} (nothing to compare with)"
    else:
        if asked.same_as and seen.champion:
            bar, _ = _seen(asked.evaluated_on, seen.champion, seen.origins.champion)
        inputs["asked"] = bar
        passed = bool(ours and bar) and not became and _plain(ours) == _plain(bar)
        observed = f"{ours or 'not known'}, asked is {bar or 'not known'}"
    if became:
        observed = f"{ours or 'not known'}, and {became}"
    return Finding(
        gate=gate, outcome=outcome(passed), observed=observed,
        said=f"its run did not see {asked.evaluated_on}" if not ours else f"{asked.evaluated_on} was another one",
        asks=f"{bar[:12]}…" if bar else "that the champion's is known",
        fix=f"dvc checkout {asked.evaluated_on} at the content that is asked for, run it again, and register that run",
        inputs=inputs,
    )  # fmt: skip


def _seen(name: str, version: ModelVersion, origin: Origin) -> tuple[str, str]:
    """(the content that the run of *version* saw under *name*, what had become of it meanwhile), as far as is known."""
    wanted = posixpath.normpath(name.removesuffix(".dvc"))
    folder = origin.run.folder if origin.run else ""
    for path, content in version.data.items():
        if wanted in (path, posixpath.join(folder, path)):
            became = "nobody looked whether it changed" if version.changed_data is None else ""
            return content, became or (version.changed_data or {}).get(path, "")
    for used in origin.run.used if origin.run else ():
        if name in (used.name, used.asked):
            return used.hash, ""
    return "", ""


def _plain(digest: str | None) -> str:
    found = _DIGEST.fullmatch(digest or "")
    return found[1] if found else digest or ""


KIND = Kind(settings=Settings, judge=judge, problem=problem, needs=lambda _: frozenset({Need.ORIGIN}))
