"""Where the gates' evidence comes from: other rooms, and the forge, handed to the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlgit.core.compare import Goal
    from mlgit.core.run import Run
    from mlgit.git.remote import Remote
    from mlgit.registry.gathering import Sources
    from mlgit.registry.policy.evidence import Seeded
    from mlgit.store.place import Place


def sources(place: Place, *, goals: Mapping[str, Goal] | None = None, remote: Remote | None = None) -> Sources:
    """The sources of *place*; *goals*: those of another commit than what lies here.

    With *remote*, as a job of CI has it whose clone holds no runs, those that are needed are brought from there.
    """
    from mlgit.registry.gathering import Sources

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

    return Sources(
        goals=place.settings.goals if goals is None else goals, repeats=repeats,
        changed=differing, bring=bring, fetch=fetch,
    )  # fmt: skip
