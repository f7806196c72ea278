"""Where a project's runners are registered: at its repository on GitHub, or at organizations that its queues name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit import wiring
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from mlgit.forge.github.runners import Pool
    from mlgit.launch.queues import Queue
    from mlgit.store.place import Place


def pool(place: Place, queue: Queue | None = None) -> Pool:
    """That of *queue*, or else of the repository. Raises `UsageError` where no GitHub is asked."""
    from mlgit.forge.github.runners import Pool

    found = wiring.on_github(place)
    if found is None:
        raise UsageError(
            "Runners are GitHub's, and the pull requests of this project live in a folder.",
            fix=wiring.why_not_github(place),
        )
    forge = found[0]
    if queue is None:
        return Pool(rest=forge.rest, repository=forge.name)
    return Pool(
        rest=forge.rest, repository=forge.name, organization=queue.runner.organization or "", group=queue.runner.group
    )


def pools(place: Place) -> list[Pool]:
    """All that the project's queues have runners in, the repository's first. Raises `UsageError` as `pool` does."""
    from mlgit.launch import queues

    found = [pool(place), *(pool(place, queue) for queue in queues.read(place.settings).values())]
    return list({one.title: one for one in found}.values())
