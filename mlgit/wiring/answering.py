"""What a job of CI answers on pull requests, from a clone that has one commit and no runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mlgit.wiring import reporting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlgit.ci.subject import Subject
    from mlgit.forge.base import PullRequest
    from mlgit.forge.github.forge import GitHubForge
    from mlgit.store.place import Place
    from mlgit.wiring.reporting import Reported


def reports(place: Place, forge: GitHubForge, subject: Subject) -> Iterator[tuple[PullRequest, Reported]]:
    """Report on each pull request that *subject* means, where the forge lets us: it, and its report.

    What sweeps of its head's code have found is told besides, a comment each. The runs are brought here before, by the
    forge's own token.
    """
    from mlgit.store import meeting, sync

    numbers = [subject.number] if subject.number else [pull.number for pull in forge.pulls(head=subject.branch)]
    pulls = list(map(forge.get, numbers))  # with what each is about
    if pulls and forge.clone:
        sync.exchange(forge.clone.remote, meeting.Wish(pushes=False))
    for pull in pulls:
        told = reporting.report_where_allowed(place, forge, pull)
        searches = [reporting.post_findings(place, found, pull, at=forge) for found in reporting.searches(place, pull)]
        yield pull, replace(told, text="\n\n".join((told.text, *searches)))
