"""`mlgit model sign`: vouch for a version."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model.signing import BASE, PEM, sigstore_options, which_sigstore
from mlgit.errors import UsageError


@click.command(short_help="Sign a version with a key, or through Sigstore.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("--key", type=PEM, metavar="PEM", help="A private key (EC); a password of it in MLGIT_KEY_PASSWORD.")
@click.option("--certificate", type=PEM, metavar="PEM", help="A certificate of that key, which says whose it is.")
@click.option("--chain", type=PEM, metavar="PEM", multiple=True,
              help="A certificate between that one and those whom others trust; more than once.")  # fmt: skip
@click.option("--sigstore", is_flag=True, help="Sign as yourself, or as the CI job, through Sigstore.")
@click.option("--identity-token", "token", envvar="SIGSTORE_IDENTITY_TOKEN", default="", metavar="TOKEN",
              help="Who you are, for Sigstore.  [default: the CI job's, or you are asked in a browser]")  # fmt: skip
@sigstore_options
@BASE
def command(
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
    from mlgit.registry.trust import signing
    from mlgit.registry.versions import shelf
    from mlgit.store import registry as store

    if bool(key) == sigstore:
        raise UsageError("A signature is made with a key or through Sigstore.", fix="either --key PEM or --sigstore")
    if (certificate and not key) or (chain and not certificate):
        raise UsageError("A certificate tells of a key.", fix="--key PEM --certificate PEM [--chain PEM]")
    repo = wiring.place().repo
    found = shelf.find(repo, version, base=store.base_name(repo, base))
    signing.sign(repo, found, signing.Signer(
        key=key, password=os.environ.get("MLGIT_KEY_PASSWORD", ""), certificate=certificate, chain=chain, token=token,
        person=output.is_terminal(sys.stdin), sigstore=which_sigstore(**which),
    ))  # fmt: skip
    output.say(f"{found.model} {found.version} is signed.")
    how = "--identity WHO --issuer URL" if sigstore else "--chain CA" if certificate else "--key PUBLIC"
    output.note(f"Next: mlgit model verify {found.model}@{found.version} {how}")
