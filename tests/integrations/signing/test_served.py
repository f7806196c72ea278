"""Signatures of a model that is brought without a clone: they come along, and count by the keys of the base branch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

import mlgit as package
from mlgit.errors import MlgitError
from mlgit.registry.trust import signing
from mlgit.registry.trust.signing import Signer
from mlgit.store import registry as store
from tests.conftest import need
from tests.integrations.signing.test_keys import keys
from tests.registry.served.conftest import Team, outside, team

__all__ = ["outside", "team"]  # fixtures
POLICY = "stages:\n  production:\n    gates:\n      - signed: {by: [ada]}\n"


@pytest.fixture
def has_signing() -> None:
    need("model-signing", importlib.util.find_spec("model_signing") is not None)


def commit(team: Team, files: dict[str, bytes]) -> None:
    team.repo.git("reset", "-q", "--hard", team.repo.commit("HEAD", files, "files"))


def test_a_signature_comes_with_the_model_and_is_asked_for_by_the_policy(
    has_signing: None, team: Team, outside: Path, monkeypatch: pytest.MonkeyPatch
):
    made = team.train("good")
    team.promote(made)
    first = package.models.get("churn@production", repo=team.url)
    ada, eve = keys("ada"), keys("eve")
    commit(
        team, {f"registry/keys/{who}.pem": Path(pair[1]).read_bytes() for who, pair in {"ada": ada, "eve": eve}.items()}
    )
    signing.sign(team.repo, made, Signer(key=Path(eve[0])))
    team.publish()

    by_eve = package.models.get("churn@production", repo=team.url, verify=True)
    commit(team, {store.POLICY: POLICY.encode()})
    team.publish()
    with pytest.raises(MlgitError, match="is not signed by ada"):
        package.models.get("churn@production", repo=team.url)
    signing.sign(team.repo, made, Signer(key=Path(ada[0])))
    team.publish()
    by_both = package.models.get("churn@production", repo=team.url)
    monkeypatch.setattr("mlgit.registry.trust.vouching.check", None)  # what was checked is remembered
    again = package.models.get("churn@production", repo=team.url)

    assert list(first.signatures) == []
    assert [one.by for one in by_eve.signatures if not one.why] == ["eve"]
    assert sorted(one.by for one in by_both.signatures if not one.why) == ["ada", "eve"]
    assert again == by_both
