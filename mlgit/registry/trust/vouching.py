"""Who vouches for a model: its signatures, each checked against the bytes by OpenSSF's own library.

A signature counts by a key, a certificate or an identity that somebody trusts, never by what it says
of itself.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mlgit.core import escape
from mlgit.core.model import ModelVersion
from mlgit.errors import MlgitError
from mlgit.formats import frameworks, loading
from mlgit.git.repo import Repo
from mlgit.registry import deliver
from mlgit.registry.trust.signing import PACKAGE, aside, asked, everything, name_of
from mlgit.registry.trust.trusting import KEYS, Trusted, hint, sound, trusted
from mlgit.store import signatures
from mlgit.store.signatures import Signature

_DIGESTS = re.compile(r": Expected .*? Actual 'Digest\(.*?\)\\?'(?=[\"'][,\]])")
"""What the library tells of two hashes, as bytes that nobody can read."""

Way = Callable[[Any], Any]
"""Lets the library's settings check a signature in some way."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a signature says of itself, which proves nothing."""

    hint: str = ""
    """Of the key that it was made with."""
    certificate: str = ""
    """Whose certificate it brings with it."""
    identity: str = ""
    """Who signed through Sigstore."""
    model: str = ""
    """For what it was made: `digits-v1.0.0`."""
    files: frozenset[str] = frozenset()
    """The paths that it is made over."""


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A signature, looked at."""

    signature: Signature
    by: str
    """Whose it is, or says that it is."""
    why: str = ""
    """Why it does not count; empty where it does."""
    false: bool = False
    """Whether it is said to be of somebody who is trusted, and does not hold for these bytes."""


def verify(repo: Repo, version: ModelVersion, trust: Trusted) -> list[Checked]:
    """Check each byte of *version* against its record, and its signatures against those bytes; one answer each.

    Raises `MlgitError` where the bytes are not what was registered, or the library is missing.
    """
    with aside(repo) as top:
        return check(repo, version, deliver.deliver(repo, version, top / "model"), trust)


def check(repo: Repo, version: ModelVersion, place: Path, trust: Trusted) -> list[Checked]:
    """Check the signatures of *version* against what was delivered to *place*; one answer each.

    Raises `MlgitError` where the library is missing, or Sigstore is to be asked and out of reach.
    """
    found = signatures.of(repo, version.model, version.version)
    trust = sound(trust) if found else trust
    with aside(repo) as top:
        folder = place
        if found and not place.is_dir():  # beside a file alone may lie others, which are no part of the model
            folder = top / "model"
            folder.mkdir()
            shutil.copyfile(place, folder / place.name)
        return [_checked(one, name_of(version), folder, top, trust) for one in found]


def refusal(version: ModelVersion, checked: Sequence[Checked], *, asked: bool) -> MlgitError | None:
    """The error where a signature of *version* is there, or was *asked* for, and none counts."""
    if (not checked and not asked) or any(not one.why for one in checked):
        return None
    if not checked:
        name = f"{version.model}@{version.version}"
        return MlgitError(
            f"{version.model} {version.version} is not signed.",
            fix=f"mlgit model sign {name}, or mlgit sync to bring it",
        )
    return MlgitError(
        f"{version.model} {version.version} has no signature that counts.",
        why="; ".join(list(dict.fromkeys(f"{one.by}: {one.why}" for one in checked))[:5]),
        fix="do not use it" if any(one.false for one in checked) else _TRUST,
    )  # fmt: skip


_TRUST = f"say whom you trust: --key, --chain or --identity; or put the key into {KEYS}/ by a pull request"


def vouched(repo: Repo, version: ModelVersion, place: Path, base: str) -> list[Checked]:
    """The signatures of what was delivered to *place*, looked at by the keys that *base* trusts.

    Raises `MlgitError` where one claims to be of such a key and is not, and no other counts.
    """
    checked = check(repo, version, place, trusted(repo, base))
    if refused := refusal(version, checked, asked=True) if any(one.false for one in checked) else None:
        raise refused
    return checked


def _checked(one: Signature, name: str, folder: Path, scratch: Path, trust: Trusted) -> Checked:
    try:
        claim = _claim(json.loads(one.bundle))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Checked(signature=one, by="nobody", why="it is no signature of a model")
    by, way, unknown = _way(trust, claim, scratch)
    if way is None:
        return Checked(signature=one, by=by, why=unknown)
    why, stranger = _refused(one, folder, scratch, way)
    if not why and claim.model != name:
        why = f"it was made for {claim.model}"
    if not why and (left := loading.files_of(folder).keys() - claim.files):
        why = f"it leaves {min(left)[:200]} out"
    if stranger:
        return Checked(signature=one, by=by, why=escape.line(f"{unknown} ({why})", 500))
    return Checked(signature=one, by=by, why=escape.line(why, 500), false=bool(why))


def _claim(bundle: Any) -> Claim:
    """What stands in *bundle*. Raises `ValueError`, `LookupError`, `TypeError` or `AttributeError` for what is none."""
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    model = escape.line(str(statement["subject"][0]["name"]))
    made = Claim(model=model, files=frozenset(str(one["name"]) for one in statement["predicate"]["resources"]))
    material = bundle["verificationMaterial"]
    if "publicKey" in material:
        return replace(made, hint=escape.line(str(material["publicKey"]["hint"])))
    if "x509CertificateChain" in material:
        certificate = _certificate(material["x509CertificateChain"]["certificates"][0])
        return replace(made, certificate=escape.line(certificate.subject.rfc4514_string()) or "nobody by name")
    return replace(made, identity=_identity(_certificate(material["certificate"])))


def _certificate(told: Mapping[str, str]) -> Any:
    x509 = frameworks.library("cryptography.x509", PACKAGE)
    return x509.load_der_x509_certificate(base64.b64decode(told["rawBytes"]))


def _identity(certificate: Any) -> str:
    """The address, or the workflow, that Sigstore certified."""
    x509 = frameworks.library("cryptography.x509", PACKAGE)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension):
        return "an identity of Sigstore's"
    return escape.line(", ".join(str(getattr(name, "value", "")) for name in names))


def _way(trust: Trusted, claim: Claim, scratch: Path) -> tuple[str, Way | None, str]:
    """(whose signature it says that it is, how that is checked if somebody trusts them, why not)."""
    if claim.hint:
        by = next((name for name, pem in trust.keys.items() if hint(pem) == claim.hint), "")
        way = partial(_by_key, trust.keys[by], scratch) if by else None
        return by or f"the key {claim.hint[:12]}", way, _but_for("nobody here knows that key", trust)
    if claim.certificate:
        way = partial(_by_certificate, trust.certificates, scratch) if trust.certificates else None
        return claim.certificate, way, _but_for("nobody here knows who certified that", trust)
    way = partial(_by_identity, trust) if trust.identity else None
    return claim.identity, way, "it is not checked, for no identity was asked for"


def _but_for(unknown: str, trust: Trusted) -> str:
    """That somebody is *unknown*, unless they are whose file is broken."""
    return "; ".join((unknown, *(f"{name} {fault}" for name, fault in trust.broken.items())))


def _refused(one: Signature, folder: Path, scratch: Path, way: Way) -> tuple[str, bool]:
    """(why the signature does not hold for *folder*, empty where it does; whether nobody trusted certified its key)."""
    verifying = frameworks.library("model_signing.verifying", PACKAGE)
    errors = frameworks.library("sigstore.errors", PACKAGE)
    forged = frameworks.library("cryptography.exceptions", PACKAGE).InvalidSignature
    openssl = frameworks.library("OpenSSL.crypto", PACKAGE)
    place = scratch / "model.sig"
    place.write_bytes(one.bundle)
    try:
        way(everything(verifying.Config())).verify(folder, place)
    except openssl.X509StoreContextError as exc:
        return str(exc), True
    except (ValueError, TypeError, LookupError, AttributeError, forged, errors.Error, openssl.Error) as exc:
        return _DIGESTS.sub("", str(exc)) or "the signature is not that of the key", False
    return "", False


def _by_key(pem: bytes, scratch: Path, config: Any) -> Any:
    path = scratch / "key.pem"
    path.write_bytes(pem)
    return config.use_elliptic_key_verifier(public_key=path)


def _by_certificate(certificates: Mapping[str, bytes], scratch: Path, config: Any) -> Any:
    path = scratch / "chain.pem"
    path.write_bytes(b"\n".join(certificates.values()))
    return config.use_certificate_verifier(certificate_chain=[path])


def _by_identity(trust: Trusted, config: Any) -> Any:
    who = {"identity": trust.identity, "oidc_issuer": trust.issuer}
    return asked(trust.sigstore, lambda: config.use_sigstore_verifier(**who, **trust.sigstore.options))
