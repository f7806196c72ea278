"""What `mlgit model sign` and `verify` share: which Sigstore, and signatures as they are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlgit.core import figures
from mlgit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.registry.trust.vouching import Checked

BASE = click.option("--base", metavar="BRANCH", help="The branch whose stages and keys count.  [default: main]")
PEM = click.Path(path_type=Path, dir_okay=False, exists=True)


def sigstore_options(command: Callable[..., None]) -> Callable[..., None]:
    """Which Sigstore, and how long it may take."""
    for option in (
        click.option("--staging", is_flag=True, help="Sigstore's instance for trials; worth nothing elsewhere."),
        click.option("--trust-config", type=PEM, metavar="JSON",
                     help="A Sigstore of your own: its trust configuration."),
        click.option("--timeout", "seconds", type=click.FloatRange(min=0.1), default=60, show_default=True,
                     metavar="SECONDS", help="How long Sigstore may take to answer."),
    ):  # fmt: skip
        command = option(command)
    return command


def which_sigstore(staging: bool, trust_config: Path | None, seconds: float) -> Any:
    """The Sigstore that options name."""
    from mlgit.registry.trust.signing import Sigstore

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
