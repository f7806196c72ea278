"""Signing models and checking signatures as OpenSSF Model Signing does: stock `model_signing verify` reads ours.

A signature says who vouches for the sha256 of every file of a version, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mlgit.core.model import ModelVersion
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.models import frameworks
from mlgit.registry import deliver
from mlgit.store import registry as store
from mlgit.store import signatures
from mlgit.store.signatures import Signature

KEYS = f"{store.FOLDER}/keys"
"""Where the base branch has the public keys that a team trusts: `registry/keys/<who>.pem`."""
PACKAGE = "mlgit[signing]"

Way = Callable[[Any, Path], Any]
"""Lets the library's settings check a signature in some way; the folder is for its files."""


@dataclass(frozen=True, kw_only=True)
class Signer:
    """What to sign with: a private key, or, without one, Sigstore."""

    key: Path | None = None
    password: str = ""
    """Of the key, where it has one."""
    token: str = ""
    """An identity token (OIDC) for Sigstore; that of the CI job unless given."""


@dataclass(frozen=True, kw_only=True)
class Trusted:
    """Whose signatures count."""

    keys: Mapping[str, bytes] = field(default_factory=dict)
    """Name → public key, as PEM."""
    identity: str = ""
    """Who is to have signed through Sigstore, and by which *issuer* that is known."""
    issuer: str = ""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A signature, looked at."""

    signature: Signature
    by: str
    """Whose it is, or says that it is."""
    why: str = ""
    """Why it does not count; empty where it does."""


def trusted(repo: Repo, base: str) -> Trusted:
    """Whose signatures count by what *base* says, which is reviewed."""
    try:
        commit = store.base_commit(repo, base)
    except NotFoundError:
        return Trusted()
    with repo.reader() as reader:
        found = (reader.tree(f"{commit}:{KEYS}") or {}).items()
        keys = {name.removesuffix(".pem"): reader.blob(entry.oid) for name, entry in found if name.endswith(".pem")}
    return Trusted(keys={name: key for name, key in keys.items() if key})


def sign(repo: Repo, version: ModelVersion, signer: Signer) -> None:
    """Sign the files of *version*, each byte verified before, and keep the signature in git.

    Raises `UsageError` for a key that cannot be, `MlgitError` where the library is missing or Sigstore out of reach.
    """
    signing = frameworks.library("model_signing.signing", PACKAGE)
    errors = frameworks.library("sigstore.errors", PACKAGE)
    with _aside(repo) as top:
        folder = top / f"{version.model}-{version.version}"  # its name is in the signature
        deliver.deliver(repo, version, folder)
        try:
            _configured(signing.Config(), signer).sign(folder, top / "model.sig")
        except errors.Error as exc:
            raise MlgitError("Sigstore could not be asked.", why=str(exc), fix="sign with --key") from exc
        except (ValueError, TypeError) as exc:
            whose = signer.key or "That token"
            raise UsageError(f"{whose} cannot sign.", why=str(exc), fix="give an EC key as PEM") from exc
        signatures.add(repo, version.model, version.version, (top / "model.sig").read_bytes())


def _configured(config: Any, signer: Signer) -> Any:
    if signer.key is None:
        return config.use_sigstore_signer(
            identity_token=signer.token or None, use_ambient_credentials=not signer.token, force_oob=True
        )
    return config.use_elliptic_key_signer(private_key=signer.key, password=signer.password.encode() or None)


def verify(repo: Repo, version: ModelVersion, trust: Trusted) -> list[Checked]:
    """Check each byte of *version* against its record, and its signatures against those bytes; one answer each.

    Raises `MlgitError` where the bytes are not what was registered, or the library is missing.
    """
    with _aside(repo) as top:
        return check(repo, version, deliver.deliver(repo, version, top / "model"), trust)


def check(repo: Repo, version: ModelVersion, place: Path, trust: Trusted) -> list[Checked]:
    """Check the signatures of *version* against what was delivered to *place*; one answer each.

    Raises `MlgitError` where the library is missing.
    """
    found = signatures.of(repo, version.model, version.version)
    with _aside(repo) as top:
        folder = place
        if found and not place.is_dir():  # beside a file alone may lie others, which are no part of the model
            folder = top / "model"
            folder.mkdir()
            shutil.copyfile(place, folder / place.name)
        return [_checked(one, folder, top, trust) for one in found]


def refusal(version: ModelVersion, checked: Sequence[Checked], *, asked: bool) -> MlgitError | None:
    """The error where a signature of *version* is there, or was *asked* for, and none counts."""
    if (not checked and not asked) or any(not one.why for one in checked):
        return None
    return MlgitError(
        f"{version.model} {version.version} has no signature that counts.",
        why="; ".join(f"{one.by}: {one.why}" for one in checked[:5]),
        fix="--key PUBLIC, or put the key into registry/keys/ by a pull request" if checked else "mlgit model sign",
    )  # fmt: skip


def vouched(repo: Repo, version: ModelVersion, place: Path, base: str) -> list[Checked]:
    """The signatures of what was delivered to *place*, looked at by the keys that *base* trusts.

    Raises `MlgitError` where one claims to be of such a key and is not, and no other counts.
    """
    trust = trusted(repo, base)
    checked = check(repo, version, place, trust)
    false = [one for one in checked if one.why and one.by in trust.keys]
    if refused := refusal(version, checked, asked=True) if false else None:
        raise refused
    return checked


def _checked(one: Signature, folder: Path, scratch: Path, trust: Trusted) -> Checked:
    try:
        material = json.loads(one.bundle)["verificationMaterial"]
        hint = str(material["publicKey"]["hint"]) if "publicKey" in material else ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return Checked(signature=one, by="nobody", why="it is no signature of a model")
    for by, way in _ways(trust, hint):
        return Checked(signature=one, by=by, why=_refused(one, folder, scratch, way))
    if hint:
        return Checked(signature=one, by=f"the key {hint[:12]}", why="nobody here knows that key")
    return Checked(signature=one, by="an identity of Sigstore's", why="no identity was asked for")


def _ways(trust: Trusted, hint: str) -> Iterator[tuple[str, Way]]:
    """Who may have made a signature with the key that is *hint*ed at, or with none, and how that is checked."""
    for name, pem in trust.keys.items() if hint else ():
        if _hint(name, pem) == hint:
            yield name, partial(_by_key, pem)
    if trust.identity and not hint:
        yield (
            trust.identity,
            lambda config, _: config.use_sigstore_verifier(identity=trust.identity, oidc_issuer=trust.issuer),
        )


def _hint(name: str, pem: bytes) -> str:
    """What a signature says of the public key *pem* that it was made for. Raises `UsageError` for what is none."""
    serialization = frameworks.library("cryptography.hazmat.primitives.serialization", PACKAGE)
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError as exc:
        raise UsageError(f"{name} is no public key.", why=str(exc), fix="openssl ec -in KEY -pubout") from exc
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.PEM, form)).hexdigest()


def _refused(one: Signature, folder: Path, scratch: Path, way: Way) -> str:
    """Why the signature does not hold for *folder*; empty where it does."""
    verifying = frameworks.library("model_signing.verifying", PACKAGE)
    errors = frameworks.library("sigstore.errors", PACKAGE)
    forged = frameworks.library("cryptography.exceptions", PACKAGE).InvalidSignature
    place = scratch / "model.sig"
    place.write_bytes(one.bundle)
    try:
        way(verifying.Config(), scratch).verify(folder, place)
    except (ValueError, TypeError, LookupError, AttributeError, forged, errors.Error) as exc:
        return str(exc) or "the signature is not that of the key"
    return ""


def _by_key(pem: bytes, config: Any, scratch: Path) -> Any:
    path = scratch / "key.pem"
    path.write_bytes(pem)
    return config.use_elliptic_key_verifier(public_key=path)


@contextmanager
def _aside(repo: Repo) -> Iterator[Path]:
    """A folder on the repository's disk, which goes with the block."""
    repo.own.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="signing-", dir=repo.own) as name:
        yield Path(name)
