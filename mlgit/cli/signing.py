"""`mlgit model sign` and `verify`: who vouches for a version."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.core import figures
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.registry.vouching import Checked

_BASE = click.option("--base", metavar="BRANCH", help="The branch whose stages and keys count.  [default: main]")
_PEM = click.Path(path_type=Path, dir_okay=False, exists=True)


def _sigstore(command: Callable[..., None]) -> Callable[..., None]:
    """Which Sigstore, and how long it may take."""
    for option in (
        click.option("--staging", is_flag=True, help="Sigstore's instance for trials; worth nothing elsewhere."),
        click.option("--trust-config", type=_PEM, metavar="JSON",
                     help="A Sigstore of your own: its trust configuration."),
        click.option("--timeout", "seconds", type=click.FloatRange(min=0.1), default=60, show_default=True,
                     metavar="SECONDS", help="How long Sigstore may take to answer."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command(short_help="Sign a version with a key, or through Sigstore.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("--key", type=_PEM, metavar="PEM", help="A private key (EC); a password of it in MLGIT_KEY_PASSWORD.")
@click.option("--certificate", type=_PEM, metavar="PEM", help="A certificate of that key, which says whose it is.")
@click.option("--chain", type=_PEM, metavar="PEM", multiple=True,
              help="A certificate between that one and those whom others trust; more than once.")  # fmt: skip
@click.option("--sigstore", is_flag=True, help="Sign as yourself, or as the CI job, through Sigstore.")
@click.option("--identity-token", "token", envvar="SIGSTORE_IDENTITY_TOKEN", default="", metavar="TOKEN",
              help="Who you are, for Sigstore.  [default: the CI job's, or you are asked in a browser]")  # fmt: skip
@_sigstore
@_BASE
def sign(
    version: str, key: Path | None, certificate: Path | None, chain: tuple[Path, ...], sigstore: bool, token: str,
    base: str | None, **which: Any,
) -> None:  # fmt: skip
    """Vouch for the files of a version, as OpenSSF Model Signing does: `pip install "mlgit[signing]"` brings it.

    Each byte is checked before. The signature is kept in git beside the version, which stays as it is; mlgit sync
    shares it. A version may have several.

    \b
    Examples:
      mlgit model sign digits@v1.0.0 --key private.pem
      mlgit model sign digits@v1.0.0 --key private.pem --certificate ada.pem
      mlgit model sign digits@production --sigstore
    """
    from mlgit.registry import shelf, signing
    from mlgit.store import registry as store

    if bool(key) == sigstore:
        raise UsageError("A signature is made with a key or through Sigstore.", fix="either --key PEM or --sigstore")
    if (certificate and not key) or (chain and not certificate):
        raise UsageError("A certificate tells of a key.", fix="--key PEM --certificate PEM [--chain PEM]")
    repo = wiring.place().repo
    found = shelf.find(repo, version, base=store.base_name(repo, base))
    signing.sign(repo, found, signing.Signer(
        key=key, password=os.environ.get("MLGIT_KEY_PASSWORD", ""), certificate=certificate, chain=chain, token=token,
        person=output.is_terminal(sys.stdin), sigstore=_which(**which),
    ))  # fmt: skip
    output.say(f"{found.model} {found.version} is signed.")
    how = "--identity WHO --issuer URL" if sigstore else "--chain CA" if certificate else "--key PUBLIC"
    output.note(f"Next: mlgit model verify {found.model}@{found.version} {how}")


@click.command(short_help="Check the bytes of a version, and who signed them.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("--signed", is_flag=True, help="Fail where nobody has signed it whom the base branch trusts.")
@click.option("--key", type=_PEM, metavar="PEM",
              help="The public key whose signature counts.  [default: those in registry/keys]")  # fmt: skip
@click.option("--chain", type=_PEM, metavar="PEM", multiple=True,
              help="A certificate; signatures count whose own certificate leads to it.")  # fmt: skip
@click.option("--identity", default="", metavar="WHO", help="Who is to have signed through Sigstore: an address.")
@click.option("--issuer", "--identity-provider", default="", metavar="URL", help="By whom that identity is known.")
@_sigstore
@_BASE
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def verify(
    version: str, signed: bool, key: Path | None, chain: tuple[Path, ...], identity: str, issuer: str, base: str | None,
    as_json: bool, **which: Any,
) -> None:  # fmt: skip
    """Check every byte of a version against its record, and its signatures against those bytes.

    Exits with 1 where the bytes are others, where none of its signatures counts, or where it has none and one is asked
    for by --signed, --key, --chain or --identity. Nothing is loaded.

    \b
    Examples:
      mlgit model verify digits@v1.2.0
      mlgit model verify digits@production --signed
      mlgit model verify digits@production --key public.pem
      mlgit model verify digits@production --chain company-ca.pem
      mlgit model verify digits@production --identity ada@example.com \\
        --issuer https://accounts.google.com
    """
    from mlgit.registry import shelf, trusting, vouching
    from mlgit.store import registry as store

    if bool(identity) != bool(issuer):
        raise UsageError("An identity of Sigstore's is a name and who knows it.", fix="--identity WHO --issuer URL")
    repo = wiring.place().repo
    name = store.base_name(repo, base)
    found = shelf.find(repo, version, base=name)
    keys = {str(path): path.read_bytes() for path in (key, *chain) if path}
    asked = bool(keys or identity)
    trust = trusting.sound(
        trusting.Trusted(keys=keys, identity=identity, issuer=issuer, sigstore=_which(**which))
        if asked
        else trusting.trusted(repo, name)
    )
    for broken, fault in trust.broken.items():
        if asked:
            raise UsageError(f"{broken} {fault}.", fix="openssl ec -in KEY -pubout writes a public key")
        output.note(f"{trusting.KEYS}/{broken}.pem {fault}: no signature counts by it.")
    checked = vouching.verify(repo, found, trust)
    if as_json:
        output.as_json({
            "model": found.model, "version": found.version, "sha256": dict(found.sha256),
            "signed": any(not one.why for one in checked), "signatures": [plain(one) for one in checked],
            "broken_keys": dict(trust.broken),
        })  # fmt: skip
    else:
        count = len(found.sha256)
        output.say(f"{found.model} {found.version}: {count} file{'' if count == 1 else 's'}, "
                   f"{figures.size(found.size)}, every byte as registered.")  # fmt: skip
        for line in told(checked):
            output.say(line)
    if refused := vouching.refusal(found, checked, asked=asked or signed):
        raise refused


def _which(staging: bool, trust_config: Path | None, seconds: float) -> Any:
    """The Sigstore that options name."""
    from mlgit.registry.signing import Sigstore

    if staging and trust_config:
        raise UsageError("Two of Sigstore's instances are named.", fix="either --staging or --trust-config")
    return Sigstore(staging=staging, config=trust_config, seconds=seconds)


def told(checked: Sequence[Checked]) -> list[str]:
    """A line for each signature, those of which the same is to be said once; or one that says that there is none."""
    lines = (
        f"signature by {one.by}: {one.why}"
        if one.why
        else f"signed by {one.by} on {figures.moment(one.signature.when)}"
        for one in checked
    )
    return list(dict.fromkeys(lines)) or ["not signed"]


def plain(one: Checked) -> dict[str, object]:
    """A signature for a script."""
    return {
        "by": one.by, "valid": not one.why, "why": one.why or None, "added_by": one.signature.who,
        "added": figures.moment(one.signature.when),
    }  # fmt: skip
