"""`mlgit registry verify`: whether every live stage is what its records say."""

from __future__ import annotations

from dataclasses import asdict

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.cli.registry.options import BASE, JSON, MODELS
from mlgit.errors import GateFailedError


@click.command(short_help="Whether every live stage is what its records say.")
@MODELS
@click.option("--bytes", "content", is_flag=True, help="Check every byte of what is live, and its signatures, too.")
@BASE
@JSON
def command(model: str | None, content: bool, base: str | None, as_json: bool) -> None:
    """Derive every live stage (of MODEL) again, and say what does not hold; exits with 4 where something does not.

    A stage's file and its tag agree; the tag lies where it was made, for a commit that is on the branch and asks for
    that version; the version's file, tag and digest agree; the gates are those of the policy that stood before the
    change, each was asked and passed, and passes again by what git has or by the inputs that it recorded; the stage was
    not frozen; no tag was deleted. What went past its gates in an emergency is told for ever, and is no error.

    \b
    Examples:
      mlgit registry verify
      mlgit registry verify digits --bytes
      mlgit registry verify --json
    """
    from mlgit.wiring import auditing

    found, count = auditing.verify(wiring.place(), base=base, model=model, content=content)
    broken = [one for one in found if not one.holds]
    if as_json:
        output.as_json({"stages": count, "holds": not broken, "findings": [asdict(one) for one in found]})
    else:
        for one in found:
            about = " ".join(filter(None, (one.model, one.stage, one.version)))
            output.say(f"{'note' if one.holds else 'BROKEN'}  {about}: {one.what}")
            if one.fix:
                output.say(f"        to fix: {one.fix}")
        if not broken:
            output.say(f"{count:,} stage{'s' * (count != 1)}: all as recorded.")
    if broken:
        stages = len({(one.model, one.stage) for one in broken})
        raise GateFailedError(
            f"{stages} of {count:,} stages {'is' if stages == 1 else 'are'} not what the records say."
        )
