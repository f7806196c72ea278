"""Signatures by certificates and through Sigstore: whose they are is said by who certified them."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import mlgit as wandb
from mlgit.errors import MlgitError, UsageError
from mlgit.git.repo import Repo
from mlgit.registry.trust import signing
from mlgit.registry.trust.signing import Signer, Sigstore
from mlgit.registry.versions import shelf
from mlgit.store import signatures
from tests.integrations.signing.conftest import Mlgit, trust


@dataclass
class Holder:
    """Somebody with a key and a certificate of it, as files and as objects."""

    key: Any
    certificate: Any
    private: str
    public: str


def holder(
    name: str, by: Holder | None = None, *, authority: bool = False, signs: bool = True, mail: str = ""
) -> Holder:
    """*name*, certified *by* somebody, or by themselves."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    others = ("content_commitment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only")
    usage = dict.fromkeys(others, False) | {"key_encipherment": not signs, "digital_signature": signs}
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(key_cert_sign=authority, crl_sign=authority, **usage), critical=True)
    )
    if mail:
        made = made.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(mail)]), critical=False)
    if not signs:
        made = made.add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    certificate = made.sign(by.key if by else key, hashes.SHA256())
    slug = name.encode("ascii", "ignore").decode().replace(" ", "-").replace("\n", "")
    private, public = Path(f"{slug}.pem"), Path(f"{slug}.crt")
    private.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()))
    public.write_bytes(certificate.public_bytes(form.Encoding.PEM))
    return Holder(key, certificate, str(private), str(public))


def test_who_is_certified_by_somebody_trusted_signs(registered: Repo, mlgit: Mlgit, tmp_path: Path):
    company = holder("company", authority=True)
    team = holder("team", company, authority=True)
    ada = holder("Ada\nsigned by ceo", team)
    certified = ("--certificate", ada.public, "--chain", team.public)
    done = mlgit("model", "sign", "digits", "--key", ada.private, *certified)
    mlgit("model", "get", "digits", "-o", str(tmp_path / "got"))
    (tmp_path / "sig").write_bytes(signatures.of(registered, "digits", "v1.0.0")[0].bundle)
    stock = [sys.executable, "-m", "model_signing", "verify", "certificate", str(tmp_path / "got")]
    stock += ["--signature", str(tmp_path / "sig"), "--certificate_chain", company.public]

    checked = mlgit("model", "verify", "digits", "--chain", company.public)
    other = mlgit("model", "verify", "digits", "--chain", holder("other", authority=True).public, check=False)
    trust(registered, company=company.public)

    assert "verify digits@v1.0.0 --chain CA" in done.stderr
    assert checked.stdout.splitlines()[1].startswith("signed by CN=Ada signed by ceo on ")
    assert other.returncode == 1
    assert "CN=Ada signed by ceo: nobody here knows who certified that" in other.stderr
    assert "signed by CN=Ada" in mlgit("model", "verify", "digits", "--signed").stdout
    assert subprocess.run(stock, capture_output=True).returncode == 0


def test_a_certified_signature_of_other_bytes_is_refused(registered: Repo, mlgit: Mlgit):
    company = holder("company", authority=True)
    ada = holder("ada", company)
    trust(registered, company=company.public)
    mlgit("model", "sign", "digits", "--key", ada.private, "--certificate", ada.public)
    Path("net/weights").write_text("others")
    with wandb.init(project="digits", name="second") as run:
        run.log_model("net", name="net")
    mlgit("model", "register", "second", "--name", "digits")
    (signed,) = signatures.of(registered, "digits", "v1.0.0")
    signatures.add(registered, "digits", "v1.1.0", signed.bundle)

    got = mlgit("model", "get", "digits@v1.1.0", check=False)

    assert got.returncode == 1
    assert "CN=ada: Signature mismatch" in got.stderr


def test_a_certificate_that_is_not_of_the_key_or_not_for_signing_does_not_sign(registered: Repo, mlgit: Mlgit):
    company = holder("company", authority=True)
    ada, eve, server = holder("ada", company), holder("eve", company), holder("server", company, signs=False)

    mixed = mlgit("model", "sign", "digits", "--key", eve.private, "--certificate", ada.public, check=False)
    alone = mlgit("model", "sign", "digits", "--sigstore", "--certificate", ada.public, check=False)
    mlgit("model", "sign", "digits", "--key", server.private, "--certificate", server.public)
    checked = mlgit("model", "verify", "digits", "--chain", company.public, check=False)

    assert (mixed.returncode, alone.returncode, checked.returncode) == (2, 2, 1)
    assert "does not match" in mixed.stderr
    assert "CN=server: Signing certificate cannot be used for signing" in checked.stderr


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a proxy that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def token(**claims: Any) -> str:
    """An identity token that nobody has signed."""
    now = int(time.time())
    told = {"iss": "https://accounts.google.com", "sub": "1", "email": "ada@example.com", "aud": "sigstore"}
    parts = [{"alg": "none"}, told | {"iat": now, "exp": now + 600} | claims]
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "eA"]
    )


def refused(repo: Repo, **which: Any) -> MlgitError:
    """Why Sigstore, asked so, signs no model."""
    claims = which.pop("token", token())
    with pytest.raises(MlgitError) as caught:
        signing.sign(repo, shelf.find(repo, "digits", base="main"), Signer(token=claims, sigstore=Sigstore(**which)))
    return caught.value


def test_sigstore_out_of_reach_or_silent_is_said_in_time(
    registered: Repo, monkeypatch: pytest.MonkeyPatch, silent: str
):  # fmt: skip
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    unreachable = [refused(registered), refused(registered, staging=True)]
    monkeypatch.setenv("HTTPS_PROXY", silent)
    late = refused(registered, seconds=0.5)

    assert [error.what for error in unreachable] == ["Sigstore could not be asked."] * 2
    assert ["sigstage.dev" in error.why for error in unreachable] == [False, True]
    assert late.what == "Sigstore has not answered within 0.5 seconds."
    assert late.fix.startswith("try again where it can be reached")
    assert signatures.of(registered, "digits", "v1.0.0") == []


def test_what_sigstore_cannot_be_asked_is_said_before_it_is(registered: Repo, mlgit: Mlgit):
    Path("bad.json").write_text('{"mediaType": "x"}')
    done = mlgit("model", "sign", "digits", "--sigstore", "--trust-config", "bad.json", "--staging", check=False)
    errors = [
        refused(registered, token=""),
        refused(registered, token="a.b.c"),
        refused(registered, token=token(exp=1)),
        refused(registered, config=Path("bad.json")),
    ]

    assert all(isinstance(error, UsageError) for error in errors)
    assert [error.what for error in errors] == [
        "Sigstore cannot know who signs: there is no identity token.",
        *["There is no identity token that Sigstore takes."] * 2,
        "Sigstore cannot be asked like that.",
    ]
    assert (done.returncode, "Two of Sigstore's instances are named" in done.stderr) == (2, True)


def test_who_signed_through_sigstore_is_named_and_not_believed(
    registered: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    ada = holder("ada", mail="ada@example.com")
    mlgit("model", "sign", "digits", "--key", ada.private, "--certificate", ada.public)
    (signed,) = signatures.of(registered, "digits", "v1.0.0")
    bundle = json.loads(signed.bundle)
    material = bundle["verificationMaterial"]
    material["certificate"] = material.pop("x509CertificateChain")["certificates"][0]
    mlgit("model", "register", "last", "--name", "other")
    signatures.add(registered, "other", "v1.0.0", json.dumps(bundle).encode())
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    asking = ("model", "verify", "other", "--identity", "ada@example.com", "--identity-provider", "https://x")

    told = mlgit("model", "verify", "other", check=False)
    asked = mlgit(*asking, check=False)

    assert (told.returncode, asked.returncode) == (1, 1)
    assert told.stdout.splitlines()[1] == (
        "signature by ada@example.com: it is not checked, for no identity was asked for"
    )
    assert "Sigstore could not be asked" in asked.stderr
