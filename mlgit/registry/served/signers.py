"""Whose signature a stage asks for, by the policy of the base branch: who takes a model up checks it once more."""

from __future__ import annotations

from collections.abc import Sequence

from mlgit.core.model import ModelVersion
from mlgit.errors import ConfigError, MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.registry.moving.propose import policy_at
from mlgit.registry.policy import file
from mlgit.registry.policy.gates import signed
from mlgit.registry.trust import vouching
from mlgit.registry.trust.vouching import Checked
from mlgit.store import registry as store


def asked(repo: Repo, base: str, model: str, stage: str) -> list[tuple[str, ...]]:
    """The names of keys of which one has to have signed, for each gate that says so; no names: anybody trusted.

    Nothing is asked of what came in an emergency, nor where the policy cannot be read, as one of a newer mlgit: whoever
    can change it could take the gate away as well.
    """
    try:
        commit = store.base_commit(repo, base)
        with repo.reader() as reader:
            said = store.stage_at(reader, commit, model, stage)
            gates = file.gates_of(policy_at(reader, commit), model, stage)
    except (NotFoundError, ConfigError, UsageError):
        return []
    if said and said.emergency:
        return []
    settings = [placed.gate.signed for placed in gates if isinstance(placed.gate, signed.Settings)]
    return [one.by if isinstance(one, signed.By) else () for one in settings]


def refusal(version: ModelVersion, checked: Sequence[Checked], wanted: Sequence[tuple[str, ...]]) -> MlgitError | None:
    """The error where none of the signatures that were *checked* is of one of those who are *wanted*."""
    for names in wanted:
        counted = [one for one in checked if not one.why and (not names or one.by in names)]
        if not counted:
            return vouching.refusal(version, checked, asked=True) or MlgitError(
                f"{version.model} {version.version} is not signed by {' or '.join(names)}.",
                why=f"The policy asks for that; it is signed by {', '.join(one.by for one in checked if not one.why)}.",
                fix=f"mlgit model sign {version.model}@{version.version} with that key",
            )
    return None
