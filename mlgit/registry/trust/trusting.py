"""Whose signatures count: by the keys and certificates that a team has reviewed, or that a person names.

What is neither is set apart with the reason, so that one broken file takes nobody else's trust away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mlgit.errors import NotFoundError
from mlgit.formats import frameworks
from mlgit.git.repo import Repo
from mlgit.registry.trust.signing import PACKAGE, Sigstore
from mlgit.store import registry as store

KEYS = f"{store.FOLDER}/keys"
"""Where the base branch has the public keys and the certificates that a team trusts: `registry/keys/<who>.pem`."""
_CERTIFICATE, _PRIVATE = b"-----BEGIN CERTIFICATE-----", b"PRIVATE KEY-----"
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
"""The kinds of keys that a model can be signed with."""


@dataclass(frozen=True, kw_only=True)
class Trusted:
    """Whose signatures count."""

    keys: Mapping[str, bytes] = field(default_factory=dict)
    """Name → a public key, or the certificate of who certifies keys, as PEM."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """Name → why what is called so is neither: `is empty`."""
    identity: str = ""
    """Who is to have signed through Sigstore, and by which *issuer* that is known."""
    issuer: str = ""
    sigstore: Sigstore = field(default_factory=Sigstore)

    @property
    def certificates(self) -> dict[str, bytes]:
        """Those of *keys* that are certificates."""
        return {name: pem for name, pem in self.keys.items() if _CERTIFICATE in pem}


def trusted(repo: Repo, base: str) -> Trusted:
    """Whose signatures count by what *base* says, which is reviewed; none of it is looked at yet."""
    try:
        commit = store.base_commit(repo, base)
    except NotFoundError:
        return Trusted()
    return trusted_at(repo, commit)


def trusted_at(repo: Repo, commit: str) -> Trusted:
    """Whose signatures count by the files of *commit*; none of them is looked at yet."""
    with repo.reader() as reader:
        found = (reader.tree(f"{commit}:{KEYS}") or {}).items()
        keys = {name.removesuffix(".pem"): reader.blob(entry.oid) for name, entry in found if name.endswith(".pem")}
    return Trusted(keys={name: key for name, key in keys.items() if key is not None})


def sound(trust: Trusted) -> Trusted:
    """*trust*, with those of its keys apart that are broken. Raises `MlgitError` where the library is missing."""
    faults = {name: fault for name, pem in trust.keys.items() if (fault := _fault(pem))}
    keys = {name: pem for name, pem in trust.keys.items() if name not in faults}
    return replace(trust, keys=keys, broken={**trust.broken, **faults})


def _fault(pem: bytes) -> str:
    """Why *pem* is neither a public key that signs models nor a certificate, in words; empty where it is one."""
    if not pem.strip():
        return "is empty"
    if _PRIVATE in pem:
        return "is a private key, which whoever reads it can sign with"
    x509 = frameworks.library("cryptography.x509", PACKAGE)
    unsupported = frameworks.library("cryptography.exceptions", PACKAGE).UnsupportedAlgorithm
    try:
        if _CERTIFICATE in pem:
            x509.load_pem_x509_certificates(pem)
            return ""
        key = frameworks.library("cryptography.hazmat.primitives.serialization", PACKAGE).load_pem_public_key(pem)
    except (ValueError, TypeError, unsupported):
        return "is neither a public key nor a certificate as PEM"
    kind = getattr(getattr(key, "curve", None), "name", "")
    return "" if kind in _CURVES else "is a public key of a kind that signs no model: EC keys of NIST's curves do"


def hint(pem: bytes) -> str:
    """What a signature says of the public key *pem* that it was made for; nothing is said of a certificate."""
    if _CERTIFICATE in pem:
        return ""
    serialization = frameworks.library("cryptography.hazmat.primitives.serialization", PACKAGE)
    key = serialization.load_pem_public_key(pem)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.PEM, form)).hexdigest()
