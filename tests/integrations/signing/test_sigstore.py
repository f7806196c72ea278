"""Signing as who one is, through the real `sigstore` library and a Sigstore on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import mlgit as wandb
from mlgit.git.repo import Repo
from mlgit.store import signatures
from tests.integrations.signing.conftest import Mlgit
from tests.integrations.signing.sigstore_here import SigstoreHere, serving
from tests.integrations.signing.test_certificates import token

ADA = ("--identity", "ada@example.com", "--issuer", "https://accounts.google.com")


@dataclass
class Reached:
    """A Sigstore that is there, and the words by which a command finds it."""

    here: SigstoreHere
    words: tuple[str, ...]


@pytest.fixture
def sigstore(registered: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reached]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    here, path = SigstoreHere(), tmp_path / "trust.json"
    with serving(here) as url:
        path.write_text(json.dumps(here.trust_config(url)))
        yield Reached(here, ("--trust-config", str(path)))


def signed(mlgit: Mlgit, sigstore: Reached, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    words = ("--sigstore", "--identity-token", token())
    return mlgit("model", "sign", "digits@v1.0.0", *words, *sigstore.words, check=check)


def test_a_version_is_signed_as_somebody_and_verified_as_theirs(registered: Repo, mlgit: Mlgit, sigstore: Reached):
    done = signed(mlgit, sigstore)

    checked = mlgit("model", "verify", "digits", *ADA, *sigstore.words)
    eve = mlgit("model", "verify", "digits", "--identity", "eve@example.com", *ADA[2:], *sigstore.words, check=False)
    elsewhere = mlgit("model", "verify", "digits", *ADA[:3], "https://x.example", *sigstore.words, check=False)

    assert "verify digits@v1.0.0 --identity WHO --issuer URL" in done.stderr
    assert checked.stdout.splitlines()[1].startswith("signed by ada@example.com on ")
    assert (eve.returncode, elsewhere.returncode, len(sigstore.here.entries)) == (1, 1, 1)
    assert "ada@example.com: " in eve.stderr
    assert "Traceback" not in eve.stderr + elsewhere.stderr


def test_the_library_s_own_command_verifies_it_too(
    registered: Repo, mlgit: Mlgit, sigstore: Reached, tmp_path: Path
):  # fmt: skip
    signed(mlgit, sigstore)
    mlgit("model", "get", "digits", "-o", str(tmp_path / "got"))
    (tmp_path / "sig").write_bytes(signatures.of(registered, "digits", "v1.0.0")[0].bundle)
    stock = [sys.executable, "-m", "model_signing", "verify", "sigstore", str(tmp_path / "got")]
    stock += ["--signature", str(tmp_path / "sig"), "--trust_config", sigstore.words[1]]
    stock += ["--identity", "ada@example.com", "--identity_provider", "https://accounts.google.com"]

    done = subprocess.run(stock, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_a_signature_of_somebody_of_other_bytes_is_refused(registered: Repo, mlgit: Mlgit, sigstore: Reached):
    signed(mlgit, sigstore)
    Path("net/weights").write_text("others")
    with wandb.init(project="digits", name="second") as run:
        run.log_model("net", name="net")
    mlgit("model", "register", "second", "--name", "digits")
    (one,) = signatures.of(registered, "digits", "v1.0.0")
    signatures.add(registered, "digits", "v1.1.0", one.bundle)

    checked = mlgit("model", "verify", "digits@v1.1.0", *ADA, *sigstore.words, check=False)

    assert checked.returncode == 1
    assert "ada@example.com: Signature mismatch: [\"Hash mismatch for 'weights'\"]" in checked.stderr


@pytest.mark.parametrize("theirs", ["tlogs", "ctlogs", "certificateAuthorities"])
def test_what_another_sigstore_has_vouched_for_does_not_count(
    theirs: str, registered: Repo, mlgit: Mlgit, sigstore: Reached, tmp_path: Path
):
    signed(mlgit, sigstore)
    other, mixed = SigstoreHere(), tmp_path / "other.json"
    config = sigstore.here.trust_config("http://127.0.0.1:9")
    config["trustedRoot"][theirs] = other.trust_config("http://127.0.0.1:9")["trustedRoot"][theirs]
    mixed.write_text(json.dumps(config))

    checked = mlgit("model", "verify", "digits", *ADA, "--trust-config", str(mixed), check=False)

    assert (checked.returncode, "Traceback" in checked.stderr) == (1, False)
    assert "digits v1.0.0 has no signature that counts" in checked.stderr


@pytest.mark.parametrize("path", ["/api/v2/signingCert", "/api/v1/log/entries", "//.well-known/openid-configuration"])
def test_what_a_server_of_sigstore_refuses_is_said_and_nothing_is_kept(
    path: str, registered: Repo, mlgit: Mlgit, sigstore: Reached
):
    sigstore.here.refuses = {path: 403, path[1:]: 403}

    done = signed(mlgit, sigstore, check=False)

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "Sigstore has not signed it" in done.stderr
    assert "403" in done.stderr
    assert path.endswith("openid-configuration") or "not today" in done.stderr
    assert signatures.of(registered, "digits", "v1.0.0") == []
