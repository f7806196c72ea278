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
from typing import TYPE_CHECKING

from mlgit.core.artifact import ArtifactVersion
from mlgit.errors import NotFoundError
from mlgit.tracking.notice import notify
from mlgit.tracking.wish import Wish

if TYPE_CHECKING:
    from mlgit.artifacts.catalog import Held
    from mlgit.core.run import Run
    from mlgit.git.repo import Repo

_VARIABLE = "MLGIT_PINNED"


def variables(used: Sequence[ArtifactVersion], *, reproduces: str | None, sweep: str = "") -> dict[str, str]:
    """The environment of a program that is to do again what a run did, which *used* these versions.

    *reproduces*: the run's id, where it is to be made again just as it was; *sweep*: whose trial it was, if a function
    was called for it.
    """
    told = {"reproduces": reproduces, "used": [version.document() for version in used], "sweep": sweep}
    return {_VARIABLE: json.dumps(told)}


@functools.cache
def _versions(told: str) -> tuple[ArtifactVersion, ...]:
    return tuple(map(ArtifactVersion.of, json.loads(told)["used"]))


def find(repo: Repo, text: str, *, run: Run, type: str | None) -> Held:
    """`log.find` for *run*, but the same version that the earlier run got where it asked for *text*.

    Who logged or added that may not be here, as after `mlgit pull RUN`: then the earlier run's own word on it stands.
    Raises `NotFoundError`.
    """
    from mlgit.artifacts import catalog, log

    pin = _pin(text)
    if pin is None:
        return log.find(repo, text, project=run.project, type=type)
    asked = catalog.parse(text)
    project = f"{asked.project}/" if asked.project else ""
    try:
        return log.find(repo, f"{project}{asked.name}:{pin.hash}", project=run.project, type=type)
    except NotFoundError:
        notify(f"{text}: its content is known here, its number is not; mlgit pull brings what there is to know")
        return catalog.Held(
            version=pin, collection=asked.name, number=0, aliases=(), project=asked.project or run.project,
            folder=run.folder, run=None, is_listed=False, created=pin.created,
        )  # fmt: skip


def _pin(text: str) -> ArtifactVersion | None:
    """What the earlier run got where it asked for *text*, if this is to do again what one did."""
    if not (told := os.environ.get(_VARIABLE)):
        return None
    from mlgit.artifacts import catalog

    name = catalog.parse(text).name
    like = [one for one in _versions(told) if one.asked == text]
    like += [one for one in _versions(told) if not one.asked and one.name == name]
    return like[0] if like else None


def is_again() -> bool:
    """Whether this process makes a run again, just as it was: its versions take no names from what came later."""
    told = os.environ.get(_VARIABLE)
    return bool(told and json.loads(told)["reproduces"])


def sweep() -> str:
    """The sweep one of whose trials this process makes again, by its function; nothing where it does no such thing."""
    told = os.environ.get(_VARIABLE)
    return str(json.loads(told).get("sweep", "")) if told else ""


def anew(wish: Wish) -> Wish:
    """*wish* without what would have it go on with a run that is there: the earlier one stays as it is.

    Whatever else the program begins, it says that it is a run made again.
    """
    if (told := os.environ.get(_VARIABLE)) is None:
        return wish
    again = json.loads(told)["reproduces"]
    name = f"{wish.name}-again" if wish.name and again else wish.name
    return replace(wish, id=None, resume=None, resume_from=None, fork_from=None, reproduces=again, name=name)
