"""Signatures of registered models in git: `refs/mlgit/signatures/<model>/<version>/<digest>`, a commit with one file.

A ref is named by what it holds: one is only ever added, after the version was registered too, and none is changed.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass

from mlgit.core import refs
from mlgit.errors import RefMovedError
from mlgit.git.repo import Move, Repo

_FILE = "model.sig"
_FORMAT = "%(objectname)%00%(authorname)%00%(authordate:unix)%00%(refname)"
_LARGEST = 16 << 20
"""Bytes; a signature names every file of its model."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """One signature as it lies in git. *who* and *when*: of the commit, which proves nothing."""

    bundle: bytes
    """Sigstore's bundle, as OpenSSF Model Signing writes it."""
    who: str
    when: float
    """Seconds since the epoch."""


def add(repo: Repo, model: str, version: str, bundle: bytes) -> None:
    """Keep *bundle* as a signature of *version*. The same one twice is there once."""
    commit = repo.commit(None, {_FILE: bundle}, f"Sign {model} {version}")
    with suppress(RefMovedError):
        repo.move([Move(f"{refs.signatures(model, version)}{_digest(bundle)}", None, commit)], why=f"sign {model}")


def of(repo: Repo, model: str, version: str) -> list[Signature]:
    """The signatures of *version*, the first one first. What is not what its ref's name says is none."""
    listed = repo.git("for-each-ref", f"--format={_FORMAT}", refs.signatures(model, version))
    found: list[Signature] = []
    with repo.reader() as reader:
        for line in filter(None, listed.split("\n")):
            commit, who, when, ref = line.split("\0")
            entry = (reader.tree(f"{commit}^{{tree}}") or {}).get(_FILE)
            bundle = (reader.blob(entry.oid) if entry else None) or b""
            if 0 < len(bundle) <= _LARGEST and ref.endswith(f"/{_digest(bundle)}"):
                found.append(Signature(bundle=bundle, who=who, when=float(when or 0)))
    return sorted(found, key=lambda one: one.when)


def _digest(bundle: bytes) -> str:
    return hashlib.sha256(bundle).hexdigest()[:32]
