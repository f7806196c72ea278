"""People have approved just what is merged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mlgit.core.verdict import Outcome, Wait
from mlgit.registry.policy.evidence import Evidence, Need, Reviewed
from mlgit.registry.policy.kind import Finding, Kind, outcome


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How many, and who."""

    approvals: int = field(metadata={"help": "so many people, the pull request's author not among them"})
    teams: tuple[str, ...] = field(default=(), metadata={"help": "whose members count: acme/ml"})
    by: tuple[str, ...] = field(default=(), metadata={"help": "who counts, by name, besides those of the teams"})
    comments: bool = field(
        default=False, metadata={"help": "whether the comment `/mlgit approve COMMIT` counts as a review does"}
    )


def problem(asked: Settings) -> str:
    """Why *asked* cannot be meant."""
    if asked.approvals < 1:
        return "the gate asks nothing; give a number above 0"
    if any(team.count("/") != 1 or not all(team.split("/")) for team in asked.teams):
        return "teams are written with their organisation: acme/ml"
    if asked.by and not asked.teams and len(set(asked.by)) < asked.approvals:
        return f"of {len(set(asked.by))} people there are never {asked.approvals}"
    return ""


def judge(asked: Settings, seen: Evidence) -> Finding:
    """Whether enough of those who count approve the head of the pull request, and none of them asks for changes."""
    who = " or ".join([*asked.teams, *asked.by])
    gate = f"{asked.approvals} approval{'' if asked.approvals == 1 else 's'}{f' of {who}' if who else ''}"
    if why := seen.lacking.get(Need.REVIEWS):
        return Finding(
            gate=gate, outcome=Outcome.ERROR, observed=why, said=f"who approved it cannot be asked ({why})",
            asks=gate, fix="mlgit registry reconcile, once it can be",
        )  # fmt: skip
    pull = seen.reviewed
    if pull and asked.comments:
        pull = pull.with_comments or pull
    if pull is None:
        return Finding(
            gate=gate, outcome=Outcome.FAILED, waits=Wait.PEOPLE, observed="nobody yet",
            said="nobody has approved it", asks=gate, fix="open its pull request, and have it reviewed",
            inputs={"pull": None},
        )  # fmt: skip
    approve, against = ([one for one in side if _counts(one, asked, pull)] for side in (pull.approvers, pull.against))
    passed = len(approve) >= asked.approvals and not against
    told = [", ".join(approve) or "nobody"]
    told += [f"{', '.join(against)} asks for changes"] if against else []
    told += [f"{', '.join(pull.outdated)} approved another head"] if pull.outdated else []
    return Finding(
        gate=gate, outcome=outcome(passed), waits=None if passed else Wait.PEOPLE, observed="; ".join(told),
        said=(f"approved by {', '.join(approve)} alone" if approve else "nobody who counts approves it")
        + (f", and {', '.join(against)} asks for changes" if against else ""),
        asks=gate, fix=f"have #{pull.number} approved as it stands, by others than {pull.author}",
        inputs={
            "pull": pull.number, "author": pull.author, "head": pull.head, "approvers": approve, "against": against,
        },
    )  # fmt: skip


def _counts(person: str, asked: Settings, pull: Reviewed) -> bool:
    if not asked.teams and not asked.by:
        return True
    name = person.casefold()  # of no account on GitHub
    teams = [member.casefold() for team in asked.teams for member in pull.members.get(team, ())]
    return name in teams or name in [one.casefold() for one in asked.by]


def again(asked: Settings, seen: Evidence, inputs: Mapping[str, Any]) -> Evidence:
    """*seen*, with who is recorded to have approved: each once, not the author. Who was in a team is taken on trust."""
    author = str(inputs["author"])
    people = {name.casefold(): name for name in map(str, inputs["approvers"])}
    people.pop(author.casefold(), None)
    approvers, against = tuple(people.values()), tuple(map(str, inputs["against"]))
    pull = Reviewed(
        number=inputs["pull"], author=author, head=str(inputs["head"]), approvers=approvers, against=against,
        members=dict.fromkeys(asked.teams, (*approvers, *against)),
    )  # fmt: skip
    return replace(seen, reviewed=pull)


KIND = Kind(settings=Settings, judge=judge, problem=problem, needs=lambda _: frozenset({Need.REVIEWS}), again=again)
