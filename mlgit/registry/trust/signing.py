"""Signing models as OpenSSF Model Signing does: stock `model_signing verify` reads our signatures.

A signature says who vouches for the sha256 of every file of a version, and for its name, and nothing else.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from mlgit.core import escape
from mlgit.core.model import ModelVersion
from mlgit.dvc import workshop
from mlgit.errors import MlgitError, UsageError
from mlgit.formats import frameworks
from mlgit.git.repo import Repo
from mlgit.registry import deliver
from mlgit.store import signatures

PACKAGE = "mlgit[signing]"
PATIENCE = 60.0
"""Seconds in which Sigstore is to have answered."""


@dataclass(frozen=True, kw_only=True)
class Sigstore:
    """Which Sigstore is asked, and for how long. It is the public one unless said otherwise."""

    staging: bool = False
    """The public one for trials, whose signatures are worth nothing."""
    config: Path | None = None
    """Of a Sigstore of one's own: its trust configuration (a `ClientTrustConfig`, as JSON)."""
    seconds: float = PATIENCE

    @property
    def options(self) -> dict[str, Any]:
        """It as the library asks for it."""
        return {"use_staging": self.staging, "trust_config": self.config}


@dataclass(frozen=True, kw_only=True)
class Signer:
    """What to sign with: a private key, perhaps with a certificate of it; or, without one, Sigstore."""

    key: Path | None = None
    password: str = ""
    """Of the key, where it has one."""
    certificate: Path | None = None
    """Who the key's owner is, by somebody whom others trust."""
    chain: tuple[Path, ...] = ()
    """The certificates between that one and the one that others trust."""
    token: str = ""
    """An identity token (OIDC) for Sigstore; that of the CI job unless given."""
    person: bool = False
    """Whether somebody is there who can say who they are in a browser, where there is no token."""
    sigstore: Sigstore = field(default_factory=Sigstore)


def name_of(version: ModelVersion) -> str:
    """What a signature calls *version*: by the name of the folder that is signed."""
    return f"{version.model}-{version.version}"


def sign(repo: Repo, version: ModelVersion, signer: Signer) -> None:
    """Sign the files of *version*, each byte verified before, and keep the signature in git.

    Raises `UsageError` for a key, certificate or token that cannot be, `MlgitError` where the library is missing or
    Sigstore out of reach.
    """
    signing = frameworks.library("model_signing.signing", PACKAGE)
    with aside(repo) as top:
        folder = top / name_of(version)
        deliver.deliver(repo, version, folder)
        bundle = top / "model.sig"
        if signer.key is None:
            _through_sigstore(everything(signing.Config()), signer, folder, bundle)
        else:
            _with_key(everything(signing.Config()), signer, folder, bundle)
        signatures.add(repo, version.model, version.version, bundle.read_bytes())


def everything(config: Any) -> Any:
    """*config*, which signs or verifies, over every file: of itself its library leaves `.gitattributes` out."""
    hashing = frameworks.library("model_signing.hashing", PACKAGE)
    return config.set_hashing_config(hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False))


def _with_key(config: Any, signer: Signer, folder: Path, bundle: Path) -> None:
    try:
        if signer.certificate:  # the library wants a chain where there is none between
            config.use_certificate_signer(
                private_key=signer.key, signing_certificate=signer.certificate,
                certificate_chain=signer.chain or [signer.certificate],
            )  # fmt: skip
        else:
            config.use_elliptic_key_signer(private_key=signer.key, password=signer.password.encode() or None)
        config.sign(folder, bundle)
    except (ValueError, TypeError, AttributeError) as exc:  # the last is what the library makes of an RSA key
        what = f"{signer.key} with {signer.certificate}" if signer.certificate else str(signer.key)
        fix = (
            "give an EC key as PEM, its password in MLGIT_KEY_PASSWORD where it has one, and a certificate of it if any"
        )
        raise UsageError(f"{what} cannot sign.", why=str(exc), fix=fix) from exc


def _through_sigstore(config: Any, signer: Signer, folder: Path, bundle: Path) -> None:
    """Sign as who the identity token says. Each act of Sigstore's has time of its own; a person takes theirs."""
    token = _token(signer)
    options = signer.sigstore.options | {"identity_token": token or None, "force_oob": True}
    try:
        asked(signer.sigstore, lambda: config.use_sigstore_signer(**options))
        if token:
            asked(signer.sigstore, lambda: config.sign(folder, bundle))
        else:
            config.sign(folder, bundle)
    except (ValueError, TypeError, LookupError) as exc:
        raise UsageError("Sigstore cannot be asked like that.", why=str(exc), fix="look at --trust-config") from exc
    except Exception as exc:  # what its servers refuse has no class of its own
        if not type(exc).__module__.startswith("sigstore."):
            raise
        fix = "look at the identity token, or sign with --key"
        raise MlgitError("Sigstore has not signed it.", why=_refusal(exc), fix=fix) from exc


def _refusal(exc: BaseException) -> str:
    """What a server of Sigstore's has said; its library leaves that out of some errors."""
    said = getattr(getattr(exc.__cause__, "response", None), "text", "")
    return str(exc) or " ".join(filter(None, (str(exc.__cause__ or type(exc).__name__), escape.line(said, 300))))


def _token(signer: Signer) -> str:
    """Who signs, for Sigstore: as given, else as the CI job; empty where a person is to be asked.

    Raises `UsageError` where nobody says so.
    """
    oidc = frameworks.library("sigstore.oidc", PACKAGE)
    fix = "--identity-token TOKEN, or in GitHub Actions `permissions: id-token: write`"
    try:
        found = signer.token or asked(signer.sigstore, oidc.detect_credential) or ""
        if found:
            oidc.IdentityToken(found)
    except oidc.IdentityError as exc:
        raise UsageError("There is no identity token that Sigstore takes.", why=str(exc), fix=fix) from exc
    if not found and not signer.person:
        raise UsageError("Sigstore cannot know who signs: there is no identity token.", fix=fix)
    return str(found)


def asked(sigstore: Sigstore, ask: Callable[[], Any]) -> Any:
    """What *ask* answers. Its library waits for some servers for ever, so it waits in a thread that ends with us.

    Raises `MlgitError` where Sigstore is out of reach, refuses, or has not answered in time; whatever is the caller's.
    """
    requests = frameworks.library("requests", PACKAGE)
    errors = frameworks.library("sigstore.errors", PACKAGE)
    pool = ThreadPool(1)
    answer = pool.apply_async(ask)
    pool.close()
    fix = "try again where it can be reached (HTTPS_PROXY is honoured), or sign with --key"
    try:
        return answer.get(sigstore.seconds)
    except multiprocessing.TimeoutError as exc:
        raise MlgitError(f"Sigstore has not answered within {sigstore.seconds:g} seconds.", fix=fix) from exc
    except (requests.RequestException, errors.NetworkError, errors.TUFError) as exc:
        raise MlgitError("Sigstore could not be asked.", why=str(exc.__cause__ or exc), fix=fix) from exc


@contextmanager
def aside(repo: Repo) -> Iterator[Path]:
    """A folder on the repository's disk, which goes with the block; those of who was killed go before."""
    with workshop.folder(repo.own / "signing") as made:
        yield made
