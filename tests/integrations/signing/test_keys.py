"""Signatures of models, made and checked by OpenSSF's own library, and by its own command."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mlgit as wandb
from mlgit import whole
from mlgit.core import refs
from mlgit.errors import MlgitError
from mlgit.git.remote import Remote
from mlgit.git.repo import Move, Repo
from mlgit.registry import shared
from mlgit.registry.trust import trusting, vouching
from mlgit.registry.versions import shelf
from mlgit.store import signatures
from tests.integrations.signing.conftest import Mlgit, trust


def keys(name: str, password: str = "") -> tuple[str, str]:
    """The paths of a new private key and of its public one."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    locked = form.BestAvailableEncryption(password.encode()) if password else form.NoEncryption()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, locked)
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    Path(f"{name}.pem").write_bytes(private)
    Path(f"{name}.pub").write_bytes(public)
    return f"{name}.pem", f"{name}.pub"


def test_a_version_is_signed_and_verified_by_its_key(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    before = mlgit("model", "verify", "digits")
    mlgit("model", "sign", "digits@v1.0.0", "--key", private)

    checked = mlgit("model", "verify", "digits@v1.0.0", "--key", public)
    other = mlgit("model", "verify", "digits", "--key", keys("eve")[1], check=False)
    unknown = mlgit("model", "verify", "digits", "--json", check=False)

    assert before.stdout.splitlines() == ["digits v1.0.0: 2 files, 14 B, every byte as registered.", "not signed"]
    assert checked.stdout.splitlines()[1].startswith("signed by ada.pub on ")
    assert (other.returncode, unknown.returncode) == (1, 1)
    assert "digits v1.0.0 has no signature that counts" in other.stderr
    assert json.loads(unknown.stdout)["signatures"][0]["why"] == "nobody here knows that key"
    assert len(signatures.of(registered, "digits", "v1.0.0")) == 1


def test_the_library_s_own_command_verifies_what_was_brought(registered: Repo, mlgit: Mlgit, tmp_path: Path):
    private, public = keys("ada")
    mlgit("model", "sign", "digits", "--key", private)
    mlgit("model", "get", "digits", "-o", str(tmp_path / "got"))
    (tmp_path / "sig").write_bytes(signatures.of(registered, "digits", "v1.0.0")[0].bundle)
    words = [sys.executable, "-m", "model_signing", "verify", "key", str(tmp_path / "got")]
    words += ["--signature", str(tmp_path / "sig"), "--public_key", public]

    good = subprocess.run(words, capture_output=True, text=True)
    (tmp_path / "got" / "weights").write_text("others!")
    bad = subprocess.run(words, capture_output=True, text=True)

    assert (good.returncode, bad.returncode) == (0, 1), good.stderr


def test_keys_on_the_base_branch_say_who_signed(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    trust(registered, ada=public, eve=keys("eve")[1])
    mlgit("model", "sign", "digits", "--key", private)

    assert "signed by ada on " in mlgit("model", "verify", "digits").stdout
    assert "verified; signed by ada on " in mlgit("model", "get", "digits", "-o", "got").stderr


BROKEN = {
    "empty": b"",
    "noise": b"\xff\0 no key at all",
    "halved": b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0D\n-----END PUBLIC KEY-----\n",
    "uncertified": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


def test_a_broken_file_among_the_keys_is_named_and_takes_nobody_elses_trust_away(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    for name, content in BROKEN.items():
        Path(name).write_bytes(content)
    trust(registered, ada=public, **{name: name for name in BROKEN}, careless=private)
    mlgit("model", "sign", "digits", "--key", private)

    checked = mlgit("model", "verify", "digits", "--signed")
    told = json.loads(mlgit("model", "verify", "digits", "--json").stdout)
    got = mlgit("model", "get", "digits", "-o", "got")
    doctor = json.loads(mlgit("doctor", "--json", check=False).stdout)

    assert "signed by ada on " in checked.stdout
    assert "verified; signed by ada on " in got.stderr
    for name in (*BROKEN, "careless"):
        assert f"registry/keys/{name}.pem is " in checked.stderr
    assert "registry/keys/careless.pem is a private key, which whoever reads it can sign with" in checked.stderr
    assert told["broken_keys"].keys() == {*BROKEN, "careless"}
    assert {one["what"]: one["health"] for one in doctor if "key" in one["what"]} == {
        "keys": "ok", "key careless": "fail", **{f"key {name}": "fail" for name in BROKEN},
    }  # fmt: skip
    assert "make a new pair" in next(one["fix"] for one in doctor if one["what"] == "key careless")


def test_a_signature_by_a_key_whose_file_is_broken_says_which_file_that_is(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    Path(public).write_bytes(Path(public).read_bytes()[:90])
    trust(registered, ada=public)
    mlgit("model", "sign", "digits", "--key", private)

    checked = mlgit("model", "verify", "digits", check=False)
    asked = mlgit("model", "verify", "digits", "--key", public, check=False)
    got = mlgit("model", "get", "digits", "-o", "got")

    for said in (checked.stdout, checked.stderr, got.stderr):
        assert "nobody here knows that key; ada is neither a public key nor a certificate as PEM" in said
    assert (checked.returncode, asked.returncode) == (1, 2)
    assert "ada.pub is neither a public key nor a certificate as PEM." in asked.stderr


def test_a_key_of_another_kind_counts_for_nobody(registered: Repo, mlgit: Mlgit):
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ed25519

    key = ed25519.Ed25519PrivateKey.generate().public_key()
    Path("ed.pub").write_bytes(key.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo))

    refused = mlgit("model", "verify", "digits", "--key", "ed.pub", check=False)

    assert refused.returncode == 2
    assert "ed.pub is a public key of a kind that signs no model" in refused.stderr


def test_a_file_alone_is_signed_too_whatever_lies_beside_it(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    with wandb.init(project="digits", name="second") as run:
        run.log_model("net/weights", name="alone")
    mlgit("model", "register", "second", "--name", "alone")
    mlgit("model", "sign", "alone", "--key", private)
    trust(registered, ada=public)
    Path("got").mkdir()
    Path("got/other").write_text("x")

    assert "signed by ada.pub" in mlgit("model", "verify", "alone", "--key", public).stdout
    assert "signed by ada" in mlgit("model", "get", "alone", "-o", "got").stderr


def test_a_key_with_a_password_signs(registered: Repo, mlgit: Mlgit, monkeypatch: pytest.MonkeyPatch):
    private, public = keys("ada", "secret")
    monkeypatch.setenv("MLGIT_KEY_PASSWORD", "wrong")
    refused = mlgit("model", "sign", "digits", "--key", private, check=False)
    monkeypatch.setenv("MLGIT_KEY_PASSWORD", "secret")
    mlgit("model", "sign", "digits", "--key", private)

    assert (refused.returncode, "cannot sign" in refused.stderr) == (2, True)
    assert "signed by" in mlgit("model", "verify", "digits", "--key", public).stdout


def test_a_key_of_another_kind_is_refused_with_a_remedy(registered: Repo, mlgit: Mlgit):
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ed25519

    kind = form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    Path("ed.pem").write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(*kind))

    refused = mlgit("model", "sign", "digits", "--key", "ed.pem", check=False)

    assert refused.returncode == 2
    assert "ed.pem cannot sign" in refused.stderr
    assert "give an EC key" in refused.stderr


def test_who_signed_twice_is_told_of_once(registered: Repo, mlgit: Mlgit):
    private, _ = keys("ada")
    for _ in range(2):
        mlgit("model", "sign", "digits", "--key", private)

    checked = mlgit("model", "verify", "digits", check=False)

    assert len(signatures.of(registered, "digits", "v1.0.0")) == 2
    assert (checked.stdout + checked.stderr).count("nobody here knows that key") == 2


def test_a_signature_of_other_bytes_does_not_count(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    Path("net/weights").write_text("others")
    with wandb.init(project="digits", name="second") as run:
        run.log_model("net", name="net")
    mlgit("model", "register", "second", "--name", "digits")
    mlgit("model", "sign", "digits@v1.0.0", "--key", private)
    (signed,) = signatures.of(registered, "digits", "v1.0.0")
    signatures.add(registered, "digits", "v1.1.0", signed.bundle)
    trust(registered, ada=public)

    checked = mlgit("model", "verify", "digits@v1.1.0", check=False)
    got = mlgit("model", "get", "digits@v1.1.0", check=False)

    assert (checked.returncode, got.returncode) == (1, 1)
    assert "signature by ada: Signature mismatch" in checked.stdout
    assert "no signature that counts" in got.stderr
    with pytest.raises(MlgitError, match="no signature that counts"):
        wandb.load_model("digits@v1.1.0")


def test_what_is_no_signature_or_a_forged_one_does_not_count(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    mlgit("model", "sign", "digits", "--key", private)
    (signed,) = signatures.of(registered, "digits", "v1.0.0")
    forged, other = json.loads(signed.bundle), json.loads(signed.bundle)
    envelope = forged["dsseEnvelope"]["signatures"][0]
    envelope["sig"] = f"MEUCIQ{envelope['sig'][6:-8]}AAAAAAA="
    other["dsseEnvelope"]["payload"] = f"{other['dsseEnvelope']['payload'][:-8]}AAAAAAA="
    registered.move([Move(ref, old, None) for ref, old in registered.refs(refs.SIGNATURES).items()], why="test")
    wrong = [b"{}", b"[]", b"\xff", b"[" * 100_000, json.dumps(forged).encode(), json.dumps(other).encode()]
    wrong += [b'{"verificationMaterial": {"publicKey": {"hint": 3}}}', b'{"verificationMaterial": {"certificate": {}}}']
    for bundle in wrong:
        signatures.add(registered, "digits", "v1.0.0", bundle)

    checked = mlgit("model", "verify", "digits", "--key", public, "--json", check=False)
    mlgit("model", "sign", "digits", "--key", private)
    again = mlgit("model", "verify", "digits", "--key", public, "--json")

    assert (checked.returncode, "Traceback" in checked.stderr) == (1, False)
    assert [one["valid"] for one in json.loads(checked.stdout)["signatures"]] == [False] * 8
    assert [one["valid"] for one in json.loads(again.stdout)["signatures"]].count(True) == 1


def test_a_ref_that_is_not_named_by_its_signature_is_none(registered: Repo):
    signatures.add(registered, "digits", "v1.0.0", b"{}")
    ((ref, commit),) = registered.refs(refs.SIGNATURES).items()
    registered.move([Move(f"{ref[:-4]}0000", None, commit)], why="test")

    assert len(signatures.of(registered, "digits", "v1.0.0")) == 1


def test_a_signature_is_of_these_files_with_these_bytes(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    mlgit("model", "sign", "digits", "--key", private)
    version = shelf.find(registered, "digits", base="main")
    trust = trusting.Trusted(keys={"ada": Path(public).read_bytes()})

    def checked(**files: bytes) -> vouching.Checked:
        shutil.rmtree("got", ignore_errors=True)
        Path("got").mkdir()
        for name, content in files.items():
            Path("got", name).write_bytes(content)
        return vouching.check(registered, version, Path("got"), trust)[0]

    assert checked(weights=b"weights", labels=b"cat dog").why == ""
    both = checked(weights=b"Weights", labels=b"cat dot").why
    assert both == """Signature mismatch: ["Hash mismatch for 'labels'", "Hash mismatch for 'weights'"]"""
    for changed in (
        checked(weights=b"Weights", labels=b"cat dog"),
        checked(weights=b"weights", labels=b"cat dot"),
        checked(weights=b"weights", labels=b"cat dog", more=b""),
        checked(weights=b"weights"),
        checked(weight=b"weights", labels=b"cat dog"),
    ):
        assert (changed.by, changed.false) == ("ada", True)
        assert changed.why.startswith("Signature mismatch: ")


def test_what_git_reads_in_a_model_s_folder_is_signed_too(registered: Repo, mlgit: Mlgit):
    from model_signing import signing

    private, public = keys("ada")
    Path("net/.gitattributes").write_text("*.safetensors filter=lfs")
    with wandb.init(project="digits", name="second") as run:
        run.log_model("net", name="net")
    mlgit("model", "register", "second", "--name", "digits")
    mlgit("model", "sign", "digits@v1.1.0", "--key", private)
    version = shelf.find(registered, "digits@v1.1.0", base="main")
    trust = trusting.Trusted(keys={"ada": Path(public).read_bytes()})
    mlgit("model", "get", "digits@v1.1.0", "-o", "digits-v1.1.0")
    signing.Config().use_elliptic_key_signer(private_key=private).sign("digits-v1.1.0", "less.sig")

    def checked() -> set[str]:
        return {one.why for one in vouching.check(registered, version, Path("digits-v1.1.0"), trust)}

    assert checked() == {""}
    signatures.add(registered, "digits", "v1.1.0", Path("less.sig").read_bytes())
    assert checked() == {"", "it leaves .gitattributes out"}
    Path("digits-v1.1.0/.github").mkdir()
    Path("digits-v1.1.0/.github/planted").touch()
    assert all(checked())


def test_a_signature_of_the_same_bytes_under_another_name_does_not_count(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    trust(registered, ada=public)
    mlgit("model", "sign", "digits", "--key", private)
    mlgit("model", "register", "last", "--name", "fraud")
    (signed,) = signatures.of(registered, "digits", "v1.0.0")
    signatures.add(registered, "fraud", "v1.0.0", signed.bundle)

    checked = mlgit("model", "verify", "fraud", check=False)
    got = mlgit("model", "get", "fraud", check=False)

    assert (checked.returncode, got.returncode) == (1, 1)
    assert checked.stdout.splitlines()[1] == "signature by ada: it was made for digits-v1.0.0"
    assert "To fix: do not use it" in got.stderr


def test_copies_that_were_left_by_who_was_killed_go(registered: Repo, mlgit: Mlgit):
    (registered.own / "signing").mkdir()
    left = whole.workshop(registered.own / "signing")
    (left / "weights").write_text("a large copy")

    mlgit("model", "verify", "digits")

    assert list((registered.own / "signing").iterdir()) == []


def test_a_version_that_is_not_signed_fails_where_a_signature_is_asked_for(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    unsigned = mlgit("model", "verify", "digits", "--signed", check=False)
    mlgit("model", "sign", "digits", "--key", private)
    unknown = mlgit("model", "verify", "digits", "--signed", check=False)
    trust(registered, ada=public)

    assert unsigned.returncode == unknown.returncode == 1
    assert "To fix: mlgit model sign digits@v1.0.0, or mlgit sync" in unsigned.stderr
    assert "To fix: say whom you trust: --key, --chain or --identity; or put the key into" in unknown.stderr
    assert "signed by ada" in mlgit("model", "verify", "digits", "--signed").stdout


def test_signatures_go_with_a_sync(registered: Repo, mlgit: Mlgit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    private, _ = keys("ada")
    mlgit("model", "sign", "digits", "--key", private)
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "far.git")], check=True)
    registered.git("remote", "add", "origin", str(tmp_path / "far.git"))
    mlgit("sync")
    registered.git("push", "-q", "origin", "main")
    subprocess.run(["git", "clone", "-q", str(tmp_path / "far.git"), str(tmp_path / "other")], check=True)
    monkeypatch.chdir(tmp_path / "other")

    mlgit("sync")
    other = Repo.find(tmp_path / "other")

    assert other
    assert [one.bundle for one in signatures.of(other, "digits", "v1.0.0")] == [
        one.bundle for one in signatures.of(registered, "digits", "v1.0.0")
    ]


def test_a_stage_takes_only_what_somebody_trusted_has_signed(registered: Repo, mlgit: Mlgit):
    private, public = keys("ada")
    trust(registered, ada=public, eve=keys("eve")[1])
    policy = b"stages: {production: {gates: [{signed: true}, {signed: {by: [eve]}}]}}\n"
    commit = registered.commit(registered.resolve("main"), {"registry/policy.yaml": policy}, "policy")
    registered.move([Move("refs/heads/main", registered.resolve("main"), commit)], why="test")
    unsigned = mlgit("promote", "digits@v1.0.0", "production", "--dry-run")
    mlgit("model", "sign", "digits", "--key", private)

    signed = mlgit("promote", "digits@v1.0.0", "production", "--dry-run", check=False)

    assert unsigned.stdout.startswith("waits  signed by somebody trusted: no signature  (registry/policy.yaml:1)")
    assert signed.stdout.startswith("passed  signed by somebody trusted: signed by ada  (registry/policy.yaml:1)")
    assert signed.returncode == 4
    assert "it is signed by ada alone, the gate asks eve" in signed.stderr


def test_a_clone_without_signatures_has_those_that_a_gate_asks_for(registered: Repo, mlgit: Mlgit, tmp_path: Path):
    private, public = keys("ada")
    trust(registered, ada=public)
    mlgit("model", "sign", "digits", "--key", private)
    subprocess.run(["git", "clone", "-q", str(registered.folder), str(tmp_path / "job")], check=True)
    job = Repo.find(tmp_path / "job")
    assert job
    assert signatures.of(job, "digits", "v1.0.0") == []

    for _ in range(2):
        shared.bring_signatures(Remote(repo=job, name="origin"), "digits", "v1.0.0")

    assert signatures.of(job, "digits", "v1.0.0") == signatures.of(registered, "digits", "v1.0.0") != []
