"""One live stage, derived again from its file, its tag and the commit behind that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from mlgit.core import figures
from mlgit.core.model import Emergency, Hold, ModelVersion, Stage
from mlgit.errors import ConfigError, MlgitError
from mlgit.git.repo import split_commit, time_of
from mlgit.registry import ledger
from mlgit.registry.audit import asked
from mlgit.registry.audit.happened import commit_of
from mlgit.registry.audit.room import Finding, Room
from mlgit.registry.decision import Decision
from mlgit.registry.decision import of_message as decision_of
from mlgit.registry.ledger import Action, Event, Ledger
from mlgit.registry.moving.waiving import forbidden, waiver
from mlgit.registry.policy import file, freezes, spells
from mlgit.registry.policy.evidence import Evidence
from mlgit.registry.stages import champion_of, last
from mlgit.store import registry as store
from mlgit.store.registry import Tag

_SKEW = 3600.0
"""So many seconds two clocks may be apart before it is said."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """One stage, with all that its verification looks at."""

    room: Room
    known: Ledger
    stage: str
    file: Stage | ConfigError | None

    @cached_property
    def served(self) -> str | None:
        return self.known.stages.get(self.stage)

    @cached_property
    def event(self) -> Event:
        return last(self.known, self.stage)

    @cached_property
    def decision(self) -> Decision | None:
        return decision_of(self.event.tag.message)

    def findings(self) -> list[Finding]:
        """Everything, the worst first."""
        found = [*self._of_file(), *self._of_tag()]
        if self.served:
            found += [*self._of_policy(), *self._of_version(self.served), *self._of_decision(self.served)]
        return sorted(found, key=lambda one: one.holds)

    def _finding(self, what: str, fix: str = "", *, holds: bool = False) -> Finding:
        said = self.file.version if isinstance(self.file, Stage) else ""
        return Finding(
            model=self.known.model, stage=self.stage, version=self.served or said, what=what, fix=fix, holds=holds
        )

    def _of_file(self) -> Iterator[Finding]:
        path = store.stage_path(self.known.model, self.stage)
        settle = (
            "mlgit registry reconcile asks the gates, and moves the stage where they pass; else git revert the edit"
        )
        if isinstance(self.file, ConfigError):
            yield self._finding(f"its file cannot be read: {self.file.what}", f"mend {path} by a pull request")
        elif self.file is None:
            if commit_of(self.event.tag.message):
                yield self._finding(f"{path} is gone, and the stage serves {self.served} still", settle)
            else:
                yield self._finding(
                    f"it has no file: {self.served} was assigned with GTO, and no gate asked",
                    f"mlgit promote {self.known.model}@{self.served} {self.stage}", holds=True,
                )  # fmt: skip
        elif self.file.version != self.served:
            what = f"the tag lets it serve {self.served}" if self.served else "no tag lets it serve anything"
            yield self._finding(f"{path} says {self.file.version}, and {what}", settle)

    def _of_policy(self) -> Iterator[Finding]:
        """Whether the stage is one still."""
        stands = self.room.stands
        if stands and self.stage not in stands.stages(self.known.model):
            yield self._finding(
                f"{stands.source} lists no such stage: it serves {self.served} still, and nothing moves it",
                f"list it again, or take {store.stage_path(self.known.model, self.stage)} away by a pull request",
                holds=True,
            )

    def _of_tag(self) -> Iterator[Finding]:
        """Whether the stage's tags lie where they were made."""
        for event in self.known.history:
            if event.stage != self.stage or event.action is not Action.ASSIGN:
                continue
            said = event.tag.message.removeprefix(f"{self.known.model} ").partition(" is ")[0]
            if not commit_of(event.tag.message) or said == event.version:
                continue
            lies = f"it lies on {event.version}" if event.version else f"no version lies on {event.tag.commit[:10]}"
            yield self._finding(
                f"the tag {event.tag.name} was moved: it says {said}, and {lies}",
                "git fetch origin --tags --force brings it back from a remote that has it as it was",
            )

    def _of_version(self, version: str) -> Iterator[Finding]:
        """Whether the version is what its tag and its file say."""
        tag = self.known.versions[version]
        record = store.of_message(tag.message)
        if record is None:
            yield self._finding(f"the tag {tag.name} holds no record of the version", holds=self.file is None)
            return
        if not self._stands_on(tag.commit, record.commit):
            yield self._finding(
                f"the tag {tag.name} was moved: it was made for {record.commit[:10]}, and lies on {tag.commit[:10]}"
            )
        if self.decision and self.decision.digest and self.decision.digest != record.hash:
            yield self._finding(
                f"its tag records the content {self.decision.digest[:12]}, and {version} is {record.hash[:12]}"
            )
        if self.file is not None:
            yield from self._of_version_file(record, tag)
        if self.room.ways.content:
            try:
                self.room.ways.content(record)
            except MlgitError as exc:
                yield self._finding(f"{exc.what} {exc.why}".strip(), exc.fix)

    def _of_version_file(self, record: ModelVersion, tag: Tag) -> Iterator[Finding]:
        path = store.version_path(record.model, record.version)
        text = self.room.reader.blob(f"{self.room.tip}:{path}")
        if text is None:
            yield self._finding(f"{path} is gone", "bring it back: a version's file is evidence")
        elif text != store.version_text(record).encode():
            try:
                some = store.differences(store.of_text(text, source=path), record)
            except ConfigError as exc:
                yield self._finding(f"its version cannot be read: {exc.what}", "git revert the edit")
                return
            if some:
                is_other = f"{', '.join(some)} is not as the tag {tag.name} has it"
                yield self._finding(f"{path} was edited: {is_other}", "git revert the edit")

    def _stands_on(self, commit: str, result: str) -> bool:
        """Whether a version's tag on *commit* is about the run's *result*: its own, or an empty child of it."""
        if commit == result:
            return True
        found = self.room.reader.read(commit)
        return bool(found) and found is not None and result in split_commit(found[2])[1]

    def _of_decision(self, version: str) -> Iterator[Finding]:
        commit = commit_of(self.event.tag.message)
        if self.event.action is not Action.ASSIGN or (not commit and self.file is None):
            return
        if not commit:
            yield self._finding(
                f"the tag {self.event.tag.name} was not made by mlgit: no gate asked",
                f"mlgit promote {self.known.model}@{version} {self.stage}",
            )
            return
        if commit not in self.room.history:
            yield self._finding(
                f"it was let serve {version} by {commit[:10]}, which is not on the base branch any more",
                "the branch was rewritten, or this clone lacks its history: git fetch --unshallow",
            )
            return
        yield from self._of_time(commit)
        if (asks := self._asks(commit)) != version:
            yield self._finding(
                f"the tag {self.event.tag.name} names {commit[:10]}, which asks for {asks or 'nothing'} and not for "
                f"{version}"
            )
        if self.decision is None:
            if self._asked_any(commit, version):
                yield self._finding(
                    f"its tag does not say what the gates saw that {store.POLICY} asked",
                    f"mlgit rollback {self.known.model} {self.stage}, or promote another",
                )
            else:
                yield self._finding("its tag does not say who asked for it: an older mlgit made it", holds=True)
            return
        if self.decision.commit != commit:
            yield self._finding(f"the tag {self.event.tag.name} contradicts itself about the commit that asked")
        yield from self._of_gates(self.decision, version)

    def _asked_any(self, commit: str, version: str) -> bool:
        """Whether a policy asks something of the stage, that stood before *commit* or stands since."""
        blob = self.room.policy(f"{commit}^1") or self.room.policy(commit)
        return blob is not None and next(self._faults(blob, Decision(commit=commit), version), "") != ""

    def _said(self, commit: str) -> Stage | None:
        """What the stage's file says at *commit*; None of none that can be read."""
        try:
            return store.stage_at(self.room.reader, commit, self.known.model, self.stage)
        except ConfigError:
            return None

    def _asks(self, commit: str) -> str:
        """The version that it names there."""
        said = self._said(commit)
        return said.version if said else ""

    def _of_time(self, commit: str) -> Iterator[Finding]:
        found = self.room.reader.read(commit)
        asked, made = time_of(found[2]) if found else 0, self.event.tag.when
        if made < asked - _SKEW:
            yield self._finding("clocks differ: its tag is dated before the commit that asked for it", holds=True)
        if made > self.room.ways.now + _SKEW:
            yield self._finding("clocks differ: its tag is dated in the future", holds=True)

    def _of_gates(self, made: Decision, version: str) -> Iterator[Finding]:
        waived = self._waived(made)
        if isinstance(waived, Emergency) and made.emergency:
            yield self._finding(f"EMERGENCY by {made.emergency.by}, past its gates: {made.emergency.why}", holds=True)
        if (at := self._said(made.commit)) and (at.emergency, at.hold) != (made.emergency, made.hold):
            yield self._finding(
                f"the tag {self.event.tag.name} records an emergency or a hold that the stage's file did not at "
                f"{made.commit[:10]}"
            )
        if waived is None:
            yield from self._of_freeze(made.commit)
        if (served := self._instead()) and made.instead != served:
            yield self._finding(f"its tag says that it took the place of {made.instead or 'nothing'}, not of {served}")
        for blob, why in self._policies(made):
            if why:
                yield self._finding(why, "git log -p -- registry/policy.yaml shows what became of it")
            for fault in self._faults(blob, made, version, waived):
                yield self._finding(fault, f"mlgit rollback {self.known.model} {self.stage}, or promote another")

    @cached_property
    def before(self) -> tuple[Event, ...]:
        """What had happened to the model when the stage moved."""
        return self.known.history[: self.known.history.index(self.event)]

    def _instead(self) -> str | None:
        """What the stage served before, by its tags; a version, of which there is a record."""
        found = champion_of(ledger.of((one.tag for one in self.before), self.known.model), self.stage)
        return found.version if found else None

    def _of_freeze(self, commit: str) -> Iterator[Finding]:
        """Whether the stage moved while it stood still. No commit lifts the freeze that it goes through."""
        moved, before = self.event.tag.when, f"{commit}^1"
        asked_by = before if self._asks(before) != self._asks(commit) else commit
        try:
            known = freezes.read(self.room.reader.blob(f"{asked_by}:{freezes.SOURCE}"))
        except ConfigError:
            return
        frozen = [freezes.standing(known, self.known.model, self.stage, at) for at in (moved - _SKEW, moved)]
        if all(frozen):
            yield self._finding(f"it moved at {figures.moment(moved)}, and was {frozen[1]}")

    def _waived(self, made: Decision) -> Emergency | Hold | None:
        """What had the gates told, and not asked."""
        said = self._said(made.commit)
        return waiver(replace(self.known, history=self.before), said) if said else None

    def _policies(self, made: Decision) -> Iterator[tuple[str | None, str]]:
        """(the policy that counts, by blob, what is wrong with that the tag names another).

        A change goes through the policy that stood before it. After a push of several commits that is an older one; by
        one that was changed later, what was refused may be asked once more.
        """
        room, before = self.room, f"{made.commit}^1"
        stood = room.policy(before)
        merge = room.brought(made.commit)
        if merge and (own := room.policy(f"{merge}^1")) != stood:
            brought = f"{made.commit[:10]}, which {merge[:10]} brought together with its own policy"
            yield own, f"its tag names {brought}, and the branch's was not asked"
        elif made.policy is None and (stood or room.policy(made.commit)):
            yield stood or room.policy(made.commit), "no policy was asked, though there was one"
        elif made.policy is None or made.policy == stood or stood is None:
            yield made.policy, ""
        elif made.policy not in room.policies:
            yield stood, f"its tag names a policy that the base branch never had ({made.policy[:10]})"
        elif made.policy == room.policy(made.commit) and self._asks(before) != self._asks(made.commit):
            yield stood, "the commit that asked for it changed the policy too, and the old one was not asked"
        else:
            yield made.policy, ""

    def _faults(
        self, blob: str | None, made: Decision, version: str, waived: Emergency | Hold | None = None
    ) -> Iterator[str]:
        if blob is None:
            return
        text = self.room.reader.blob(blob)
        if text is None:
            yield f"the policy that was asked ({blob[:10]}) is not in this repository"
            return
        candidate = store.of_message(self.known.versions[version].message)
        if candidate is None:
            return
        beaten = self.known.versions.get(made.instead or "")
        seen = Evidence(
            stage=self.stage, candidate=candidate, champion=store.of_message(beaten.message) if beaten else None,
            goals=self.room.ways.goals(made.commit), now=self.event.tag.when,
            is_return=spells.is_return(self.before, self.stage, version), history=self.before,
        )  # fmt: skip
        try:
            policy = file.read(text, source=store.POLICY)
            gates: Sequence[file.Placed] = policy.gates(self.known.model, self.stage)
        except MlgitError as exc:
            yield f"the policy that was asked cannot be read: {exc.what}"
            return
        wanted = Stage(model=self.known.model, stage=self.stage, version=version)
        if isinstance(waived, Emergency) and (refused := forbidden(policy, wanted)):
            yield refused.what
        found, tagged = self.room.reader.read(made.commit), self.event.tag.when
        first = min(tagged, time_of(found[2])) if found else tagged
        yield from asked.faults(
            gates, made.gates, seen, waived=waived is not None, between=(first - _SKEW, tagged + _SKEW)
        )  # fmt: skip
