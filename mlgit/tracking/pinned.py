"""What a program finds that is to do again what an earlier run did: that run, and the versions that it used.

`latest` and every other alias may have moved since; a version that the earlier run asked for by such a name is the
answer to it here.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Sequence
from dataclasses import replace

from mlgit.core.artifact import ArtifactVersion
from mlgit.tracking.wish import Wish

_VARIABLE = "MLGIT_PINNED"


def variables(used: Sequence[ArtifactVersion], *, reproduces: str | None) -> dict[str, str]:
    """The environment of a program that is to do again what a run did, which *used* these versions.

    *reproduces*: the run's id, where it is to be made again just as it was.
    """
    told = {"reproduces": reproduces, "used": [version.document() for version in used]}
    return {_VARIABLE: json.dumps(told)}


@functools.cache
def _versions(told: str) -> tuple[ArtifactVersion, ...]:
    return tuple(map(ArtifactVersion.of, json.loads(told)["used"]))


def named(text: str) -> str:
    """*text*, which names a version of an artifact; by its hash, where the earlier run asked for one so."""
    told = os.environ.get(_VARIABLE)
    if not told:
        return text
    from mlgit.artifacts import catalog

    asked = catalog.parse(text)
    like = [one for one in _versions(told) if one.asked == text]
    like = like or [one for one in _versions(told) if not one.asked and one.name == asked.name]
    if not like:
        return text
    project = f"{asked.project}/" if asked.project else ""
    return f"{project}{like[0].name}:{like[0].hash}"


def is_again() -> bool:
    """Whether this process makes a run again, just as it was: its versions take no names from what came later."""
    told = os.environ.get(_VARIABLE)
    return bool(told and json.loads(told)["reproduces"])


def anew(wish: Wish) -> Wish:
    """*wish* without what would have it go on with a run that is there: the earlier one stays as it is.

    Whatever else the program begins, it says that it is a run made again.
    """
    if (told := os.environ.get(_VARIABLE)) is None:
        return wish
    again = json.loads(told)["reproduces"]
    name = f"{wish.name}-again" if wish.name and again else wish.name
    return replace(wish, id=None, resume=None, resume_from=None, fork_from=None, reproduces=again, name=name)
