"""`mlgit model sign` and `verify`: who vouches for a version."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.core import figures
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.registry.signing import Checked

_BASE = click.option("--base", metavar="BRANCH", help="The branch whose stages and keys count.  [default: main]")


@click.command(short_help="Sign a version with a key, or through Sigstore.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="PEM",
              help="A private key (EC); a password of it in MLGIT_KEY_PASSWORD.")  # fmt: skip
@click.option("--sigstore", is_flag=True, help="Sign as yourself, or as the CI job, through Sigstore.")
@click.option("--identity-token", "token", envvar="SIGSTORE_IDENTITY_TOKEN", default="", metavar="TOKEN",
              help="Who you are, for Sigstore.  [default: the CI job's]")  # fmt: skip
@_BASE
def sign(version: str, key: Path | None, sigstore: bool, token: str, base: str | None) -> None:
    """Vouch for the files of a version, as OpenSSF Model Signing does: `pip install "mlgit[signing]"` brings it.

    Each byte is checked before. The signature is kept in git beside the version, which stays as it is; mlgit sync
    shares it. A version may have several.

    \b
    Examples:
      mlgit model sign digits@v1.2.0 --key private.pem
      mlgit model sign digits@production --sigstore
    """
    from mlgit.registry import shelf, signing
    from mlgit.store import registry as store

    if bool(key) == sigstore:
        raise UsageError("A signature needs a key or Sigstore.", fix="--key PEM, or --sigstore")
    repo = wiring.place().repo
    found = shelf.find(repo, version, base=store.base_name(repo, base))
    password = os.environ.get("MLGIT_KEY_PASSWORD", "")
    signing.sign(repo, found, signing.Signer(key=key, password=password, token=token))
    output.say(f"{found.model} {found.version} is signed.")
    output.note(f"Next: mlgit model verify {found.model}@{found.version} --key PUBLIC")


@click.command(short_help="Check the bytes of a version, and who signed them.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("--key", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="PEM",
              help="The public key whose signature counts.  [default: those in registry/keys]")  # fmt: skip
@click.option("--identity", default="", metavar="WHO", help="Who is to have signed through Sigstore: an address.")
@click.option("--issuer", default="", metavar="URL", help="By whom that identity is known.")
@_BASE
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def verify(version: str, key: Path | None, identity: str, issuer: str, base: str | None, as_json: bool) -> None:
    """Check every byte of a version against its record, and its signatures against those bytes.

    Exits with 1 where the bytes are others, where none of its signatures counts, or where it has none and one is asked
    for by --key or --identity. Nothing is loaded.

    \b
    Examples:
      mlgit model verify digits@v1.2.0
      mlgit model verify digits@production --key public.pem
      mlgit model verify digits@production --identity ada@example.com \\
        --issuer https://accounts.google.com
    """
    from mlgit.registry import shelf, signing
    from mlgit.store import registry as store

    if bool(identity) != bool(issuer):
        raise UsageError("An identity of Sigstore's is a name and who knows it.", fix="--identity WHO --issuer URL")
    repo = wiring.place().repo
    name = store.base_name(repo, base)
    found = shelf.find(repo, version, base=name)
    if key or identity:
        keys = {str(key): key.read_bytes()} if key else {}
        trust = signing.Trusted(keys=keys, identity=identity, issuer=issuer)
    else:
        trust = signing.trusted(repo, name)
    checked = signing.verify(repo, found, trust)
    if as_json:
        output.as_json({
            "model": found.model, "version": found.version, "sha256": dict(found.sha256),
            "signed": any(not one.why for one in checked), "signatures": [plain(one) for one in checked],
        })  # fmt: skip
    else:
        count = len(found.sha256)
        output.say(f"{found.model} {found.version}: {count} file{'' if count == 1 else 's'}, "
                   f"{figures.size(found.size)}, every byte as registered.")  # fmt: skip
        for line in told(checked):
            output.say(line)
    if refused := signing.refusal(found, checked, asked=bool(key or identity)):
        raise refused


def told(checked: Sequence[Checked]) -> list[str]:
    """A line for each signature, or one that says that there is none."""
    return [
        f"signature by {one.by}: {one.why}"
        if one.why
        else f"signed by {one.by} on {figures.moment(one.signature.when)}"
        for one in checked
    ] or ["not signed"]


def plain(one: Checked) -> dict[str, object]:
    """A signature for a script."""
    return {
        "by": one.by, "valid": not one.why, "why": one.why or None, "added_by": one.signature.who,
        "added": figures.moment(one.signature.when),
    }  # fmt: skip
