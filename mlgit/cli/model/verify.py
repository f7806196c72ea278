"""`mlgit model verify`: its bytes, and who vouches for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.choose import MODEL
from mlgit.cli.model.signing import BASE, PEM, plain, sigstore_options, told, which_sigstore
from mlgit.core import figures
from mlgit.errors import UsageError


@click.command(short_help="Check the bytes of a version, and who signed them.")
@click.argument("version", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("--signed", is_flag=True, help="Fail where nobody has signed it whom the base branch trusts.")
@click.option("--key", type=PEM, metavar="PEM",
              help="The public key whose signature counts.  [default: those in registry/keys]")  # fmt: skip
@click.option("--chain", type=PEM, metavar="PEM", multiple=True,
              help="A certificate; signatures count whose own certificate leads to it.")  # fmt: skip
@click.option("--identity", default="", metavar="WHO", help="Who is to have signed through Sigstore: an address.")
@click.option("--issuer", "--identity-provider", default="", metavar="URL", help="By whom that identity is known.")
@sigstore_options
@BASE
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
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
    from mlgit.registry.trust import trusting, vouching
    from mlgit.registry.versions import shelf
    from mlgit.store import registry as store

    if bool(identity) != bool(issuer):
        raise UsageError("An identity of Sigstore's is a name and who knows it.", fix="--identity WHO --issuer URL")
    repo = wiring.place().repo
    name = store.base_name(repo, base)
    found = shelf.find(repo, version, base=name)
    keys = {str(path): path.read_bytes() for path in (key, *chain) if path}
    asked = bool(keys or identity)
    trust = trusting.sound(
        trusting.Trusted(keys=keys, identity=identity, issuer=issuer, sigstore=which_sigstore(**which))
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
