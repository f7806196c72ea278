"""Freezes are written to `registry/freezes.yaml`, and taken out of it; what has ended goes with the next change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlgit.errors import NotFoundError
from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.registry.filing import Edit
from mlgit.registry.policy import freezes
from mlgit.registry.policy.freezes import Freeze
from mlgit.store import registry as store


def known(repo: Repo, *, base: str) -> tuple[Freeze, ...]:
    """The freezes that are written on *base*, those that have ended too. Raises `ConfigError`, `NotFoundError`."""
    commit = store.base_commit(repo, base)
    with repo.reader() as reader:
        return _read(reader, commit)


def freeze(new: Freeze) -> Edit:
    """The change that writes *new* down; nothing where one that says the same stands already."""

    def change(reader: Reader, commit: str) -> Mapping[str, bytes | None]:
        left = _left(reader, commit, new.since)
        if any(_target(one) == _target(new) and (one.until, one.why) == (new.until, new.why) for one in left):
            return {}
        return _written([*left, new])

    return change


def unfreeze(models: str, stages: str, *, now: float) -> Edit:
    """The change that takes out what freezes just these *models* and *stages*. Raises `NotFoundError` for none."""

    def change(reader: Reader, commit: str) -> Mapping[str, bytes | None]:
        left = _left(reader, commit, now)
        rest = [one for one in left if _target(one) != (models, stages)]
        if len(rest) < len(left):
            return _written(rest)
        over = [one for one in left if one.covers(models, stages)]
        near = over or left
        said = "; ".join(f"{one.models} {one.stages} ({one.where})" for one in near)
        raise NotFoundError(
            f"Nothing freezes {models} {stages}, as it is written.",
            why=f"What {'covers it' if over else 'there is'}: {said}." if near else "Nothing is frozen.",
            fix=f"mlgit unfreeze '{near[0].models}' '{near[0].stages}'" if near else "",
        )

    return change


def _target(freeze: Freeze) -> tuple[str, str]:
    return freeze.models, freeze.stages


def _left(reader: Reader, commit: str, now: float) -> list[Freeze]:
    return [one for one in _read(reader, commit) if not one.is_over(now)]


def _read(reader: Reader, commit: str) -> tuple[Freeze, ...]:
    return freezes.read(reader.blob(f"{commit}:{freezes.SOURCE}"))


def _written(left: Sequence[Freeze]) -> dict[str, bytes | None]:
    return {freezes.SOURCE: freezes.text(left).encode() if left else None}
