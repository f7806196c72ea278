"""`registry/policy.yaml`: the stages there are, and what each asks of which models (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from mlgit.documents import reader
from mlgit.documents.reader import Document
from mlgit.errors import ConfigError, UsageError
from mlgit.registry import ledger
from mlgit.registry.policy import order
from mlgit.registry.policy.gates import KINDS, Gate, soak, upstream
from mlgit.registry.policy.gates.upstream import After
from mlgit.registry.policy.kind import Kind


@dataclass(frozen=True, kw_only=True)
class StageRules:
    """What one stage asks."""

    after: After | None = field(
        default=None,
        metadata={"help": "the stage that a version serves before; of a list all, of {one_of: […]} one is enough"},
    )
    gates: tuple[Gate, ...] = field(default=(), metadata={"help": "all of them have to pass"})
    emergency: bool = field(default=True, metadata={"help": "whether mlgit promote --emergency may go past them"})


@dataclass(frozen=True, kw_only=True)
class ModelRules:
    """What stages ask of some models, besides what they ask of every one."""

    models: str = field(metadata={"help": "the models' names, with * and ? as in file names"})
    stages: Mapping[str, StageRules | None] = field(metadata={"help": "stage → what it asks"})


@dataclass(frozen=True, kw_only=True)
class PolicyFile:
    """The file. A stage that is not listed does not exist."""

    stages: Mapping[str, StageRules | None] = field(
        default_factory=dict, metadata={"help": "stage → what it asks of every model"}
    )
    models: tuple[ModelRules, ...] = field(
        default=(), metadata={"help": "what is asked of some models besides; all that match are asked"}
    )


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A gate and where it is written."""

    gate: Gate | upstream.Settings
    where: str
    """`registry/policy.yaml:12`."""

    @property
    def kind(self) -> Kind[Any]:
        """How it is judged."""
        return KINDS[type(self.gate)]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What the file asks, in one place of it, of the models that match."""

    models: str
    stage: str
    gates: tuple[Placed, ...]
    where: str
    emergency: bool = True
    """Whether an emergency goes past the gates."""

    @property
    def after(self) -> After | None:
        """The stages that come before."""
        return next((placed.gate.after for placed in self.gates if isinstance(placed.gate, upstream.Settings)), None)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The file, understood."""

    rules: tuple[Rule, ...]
    source: str
    """The file's name, for what is said of it."""

    def stages(self, model: str) -> list[str]:
        """The stages that *model* may be promoted to, in the file's order."""
        return list(dict.fromkeys(rule.stage for rule in self.rules if fnmatchcase(model, rule.models)))

    def asked(self, model: str, stage: str) -> list[Rule]:
        """The rules that ask something of *model* for *stage*, in the file's order."""
        return [rule for rule in self.rules if rule.stage == stage and fnmatchcase(model, rule.models)]

    def gates(self, model: str, stage: str) -> list[Placed]:
        """What *stage* asks of *model*: of every rule that matches, in the file's order, nothing twice.

        Raises `UsageError` for a stage that no rule lists: a slip of the pen must not pass every gate; `ConfigError`
        where what rules ask of this model together cannot be meant.
        """
        stages = self.stages(model)
        if stage not in stages:
            close = difflib.get_close_matches(stage, stages, 1)
            fix = f"did you mean {close[0]}?" if close else f"add it to {self.source} on the base branch first"
            raise UsageError(
                f"There is no stage {stage!r}.", why=f"{self.source} lists: {', '.join(stages) or 'none'}.", fix=fix
            )
        if problem := _circle([rule for rule in self.rules if fnmatchcase(model, rule.models)]):
            raise ConfigError(f"{problem}.")
        asked = self.asked(model, stage)
        afters = list(dict.fromkeys(rule.after for rule in asked if rule.after))
        once: list[Placed] = []
        for placed in (_resolved(placed, afters) for rule in asked for placed in rule.gates):
            if placed.gate not in [other.gate for other in once]:
                once.append(placed)
        return once

    def firm(self, model: str, stage: str) -> str:
        """Where it says that no emergency goes past the gates of *stage* for *model*; empty where one does."""
        asked = (rule for rule in self.rules if rule.stage == stage and fnmatchcase(model, rule.models))
        return next((rule.where for rule in asked if not rule.emergency), "")


def read(text: str | bytes, *, source: str) -> Policy:
    """The policy in *text*; *source* names the file. Raises `ConfigError` with the line of what cannot be."""
    document = reader.parse(text, source=source)
    file = document.read(PolicyFile)
    if not file.stages and not file.models:
        raise ConfigError(f"{source}:1: stages: required, but missing.")
    found = list(_rules(document, "*", file.stages, ("stages",)))
    for number, one in enumerate(file.models):
        found += _rules(document, one.models, one.stages, ("models", str(number), "stages"))
    _check_order(document, found)
    return Policy(rules=tuple(rule for rule, _ in found), source=source)


def gates_of(policy: Policy | None, model: str, stage: str) -> Sequence[Placed]:
    """What *policy* asks of *model* for *stage*; nothing where there is no policy at all. Raises `UsageError`."""
    return () if policy is None else policy.gates(model, stage)


def _rules(
    document: Document, models: str, stages: Mapping[str, StageRules | None], path: tuple[str, ...]
) -> Iterator[tuple[Rule, tuple[str, ...]]]:
    """The rules that *stages* are, each with its path."""
    for stage, rules in stages.items():
        here = (*path, stage)
        try:
            ledger.name(stage, "stage")
        except UsageError as exc:
            document.fail(here, f"{exc.what} {exc.why}".removesuffix("."))
        gates = rules.gates if rules else ()
        placed = tuple(_placed(document, gate, (*here, "gates", str(at))) for at, gate in enumerate(gates))
        if rules and rules.after is not None:
            placed = (_placed(document, upstream.Settings(after=rules.after), (*here, "after")), *placed)
        where = _where(document, (*here, "emergency") if rules and not rules.emergency else here)
        yield Rule(
            models=models, stage=stage, gates=placed, where=where, emergency=rules is None or rules.emergency
        ), here  # fmt: skip


def _placed(document: Document, gate: Gate | upstream.Settings, path: tuple[str, ...]) -> Placed:
    placed = Placed(gate=gate, where=_where(document, path))
    if problem := placed.kind.problem(gate):
        document.fail(path, problem)
    return placed


def _where(document: Document, path: tuple[str, ...]) -> str:
    return f"{document.source}:{document.line_of(path)}"


def _check_order(document: Document, found: Sequence[tuple[Rule, tuple[str, ...]]]) -> None:
    """Raise `ConfigError` for stages that wait for themselves or for what is none, and a soak that is nowhere."""
    stages = list(dict.fromkeys(rule.stage for rule, _ in found))
    for rule, path in found:
        is_ordered = any(other.after for other, _ in found if other.stage == rule.stage)
        gates = [(placed, (*path, "after")) for placed in rule.gates if isinstance(placed.gate, upstream.Settings)]
        written = [placed for placed in rule.gates if not isinstance(placed.gate, upstream.Settings)]
        gates += [(placed, (*path, "gates", str(at))) for at, placed in enumerate(written)]
        for placed, place in gates:
            gate = placed.gate
            if isinstance(gate, soak.Settings) and gate.stage is None and not is_ordered:
                document.fail(place, f"soak in which stage? give it here (stage: …), or {rule.stage} an after")
            named = gate.after if isinstance(gate, upstream.Settings) else getattr(gate, "stage", None)
            for name in upstream.stages(named) if named else ():
                if name not in stages:
                    close = difflib.get_close_matches(name, stages, 1)
                    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(stages)}"
                    document.fail(place, f"there is no stage {name!r}; {hint}")
    for models in dict.fromkeys(rule.models for rule, _ in found):
        if problem := _circle([rule for rule, _ in found if rule.models in ("*", models)]):
            raise ConfigError(f"{problem}.")


def _circle(rules: Sequence[Rule]) -> str:
    """Where stages wait for one another by *rules*, in words that begin with a place; empty where none does."""
    waits: dict[str, dict[str, str]] = {}
    for rule in rules:
        for placed in rule.gates:
            if isinstance(placed.gate, upstream.Settings):
                waits.setdefault(rule.stage, {}).update(dict.fromkeys(upstream.stages(placed.gate.after), placed.where))
    if not (stages := order.circle(waits)):
        return ""
    return f"{waits[stages[0]][(stages * 2)[1]]}: stages wait for one another: {order.told(waits, stages)}"


def _resolved(placed: Placed, afters: Sequence[After]) -> Placed:
    """*placed*, a soak without a stage with what the stage comes after. Raises `ConfigError` where that is unclear."""
    if not isinstance(placed.gate, soak.Settings) or placed.gate.stage is not None:
        return placed
    if len(afters) != 1:
        seen = "several rules say after" if afters else "no rule that matches says after"
        raise ConfigError(f"{placed.where}: soak in which stage? {seen}; give it here (stage: …).")
    return replace(placed, gate=replace(placed.gate, stage=afters[0]))
