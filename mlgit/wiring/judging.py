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

    def fetch(commits: Sequence[str]) -> None:
        from mlgit.registry import shared

        if remote:
            shared.bring_commits(remote, commits)

    return Sources(
        goals=place.settings.goals if goals is None else goals, repeats=repeats, bring=bring, fetch=fetch
    )  # fmt: skip
