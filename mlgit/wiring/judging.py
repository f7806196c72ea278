"""Where the gates' evidence comes from: other rooms, and the forge, handed to the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit.wiring import forge, on_github

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlgit.core.compare import Goal
    from mlgit.core.model import ModelVersion
    from mlgit.core.run import Run
    from mlgit.forge.base import PullRequest
    from mlgit.git.remote import Remote
    from mlgit.registry.evidence.gathering import Case, Sources
    from mlgit.registry.moving.asking import People
    from mlgit.registry.policy.evidence import Reviewed, Seeded
    from mlgit.registry.policy.gates import approvals
    from mlgit.store.place import Place


def sources(
    place: Place, *, goals: Mapping[str, Goal] | None = None, remote: Remote | None = None,
    asks: Callable[[Case], PullRequest | None] | None = None, only_looks: bool = False,
) -> Sources:  # fmt: skip
    """The sources of *place*; *goals*: those of another commit than what lies here.

    *asks* tells which pull request asks for a promotion; *only_looks*: no program of a gate is run.

    With *remote*, as a job of CI has it whose clone holds no runs, those that are needed are brought from there.
    """
    from mlgit.registry.evidence.gathering import Sources

    def bring(run: Run) -> None:
        from mlgit.registry import shared

        if remote:
            shared.bring_runs(remote, run)

    def repeats(run: Run) -> Sequence[Seeded]:
        from mlgit.registry.policy.evidence import Seeded
        from mlgit.report import evidence
        from mlgit.report import repeats as alike

        bring(run)
        known = evidence.Known(repo=place.repo, project=run.project, folder=run.folder)
        return [Seeded(run=one.run.id, seed=one.seed, metrics=one.run.scalars) for one in alike.find(known, run)]

    def differing(one: Run, two: Run) -> Sequence[tuple[str, str]] | None:
        from mlgit.errors import NotFoundError
        from mlgit.report import changed
        from mlgit.store import registry as store
        from mlgit.store import runs

        try:
            found = changed.between(place.repo, *(runs.source(place.repo, run) for run in (one, two)))
        except NotFoundError:
            return None
        return [(file.path, file.told) for file in found if not file.path.startswith(f"{store.FOLDER}/")]

    def fetch(commits: Sequence[str]) -> None:
        from mlgit.registry import shared

        if remote:
            shared.bring_commits(remote, commits)

    def deepen(commit: str) -> None:
        from mlgit.registry import shared

        if remote:
            shared.bring_past(remote, commit)

    def bring_signatures(version: ModelVersion) -> None:
        from mlgit.registry import shared

        if remote:
            shared.bring_signatures(remote, version.model, version.version)

    def reviewed(case: Case, gates: Sequence[approvals.Settings]) -> Reviewed | None:
        from mlgit.registry.moving import asking

        pull = asks(case) if asks else None
        if pull is None:
            return None
        if place.repo.resolve(pull.head_commit) is None:
            fetch([pull.head_commit])  # its message tells who asked for it
        return asking.reviewed(forge(place), _people(place), pull, gates, askers=asking.askers(place.repo, pull))

    return Sources(
        goals=place.settings.goals if goals is None else goals, repeats=repeats, changed=differing, bring=bring,
        fetch=fetch, deepen=deepen, reviewed=reviewed, bring_signatures=bring_signatures, only_looks=only_looks,
    )  # fmt: skip


def opened(place: Place, base: str) -> Callable[[Case], PullRequest | None]:
    """Tells which open pull request into *base* asks for a promotion."""
    from mlgit.registry.moving import asking

    return lambda case: asking.opened(forge(place), base)(case)


def merged(
    place: Place, base: str, *, commit: str | None = None, remote: Remote | None = None
) -> Callable[[Case], PullRequest | None]:  # fmt: skip
    """Tells which pull request that was merged into *base* asked for a promotion: as *commit*, where that is one."""
    from mlgit.registry import shared
    from mlgit.registry.moving import asking

    def fetch(commits: Sequence[str]) -> None:
        if remote:
            shared.bring_commits(remote, commits)

    return lambda case: asking.merged(place.repo, forge(place), base, commit=commit, fetch=fetch)(case)


def _people(place: Place) -> People:
    """Who may write, and belongs to which team, where pull requests live: in a folder, whoever can open it may."""
    from mlgit.registry.moving.asking import People

    if not (there := on_github(place)):
        return People()
    from mlgit.forge.github import people
    from mlgit.forge.github.people import Role

    rest, name = there[0].rest, there[0].name
    return People(
        may_write=lambda who: people.role(rest, name, who).allows(Role.WRITE),
        belongs=lambda team, who: people.belongs(rest, team, who),
    )
