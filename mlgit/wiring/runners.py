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


def own(place: Place, queue: Queue) -> Pool:
    """`pool`, to start runners there: of a repository that this clone is of, as its remotes say and not mlgit.yaml.

    Else whoever wrote the mlgit.yaml of something that was cloned could have what runs get another repository's jobs,
    with their secrets. Raises `UsageError` as `pool` does, too.
    """
    from mlgit.core import escape
    from mlgit.forge.github.where import named

    found = pool(place, queue)
    urls = [url for key, url in place.repo.config.items() if key.startswith("remote.") and key.endswith(".url")]
    names = {told[1].lower() for url in urls if (told := named(url))}
    if names and found.repository.lower() not in names:
        raise UsageError(
            f"mlgit.yaml would have runners of {escape.line(found.repository)}, of which this is no clone.",
            why=f"Its remotes are {', '.join(map(escape.line, sorted(names)))}.",
            fix="start them in a clone of it; or, if you mean it, make it a remote: git remote add upstream URL",
        )
    owner = found.repository.partition("/")[0]
    if found.organization and found.organization.lower() != owner.lower():
        raise UsageError(
            f"The runners of {escape.line(found.organization)} do no jobs of {escape.line(found.repository)}.",
            why=f"queues.{queue.name}.runner.organization is another than the repository's owner.",
            fix=f"organization: {escape.line(owner)}",
        )
    return found


def pools(place: Place) -> list[Pool]:
    """All that the project's queues have runners in, the repository's first. Raises `UsageError` as `pool` does."""
    from mlgit.launch import queues

    found = [pool(place), *(pool(place, queue) for queue in queues.read(place.settings).values())]
    return list({one.title: one for one in found}.values())
