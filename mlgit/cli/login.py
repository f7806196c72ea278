"""`mlgit login`: who we are where pull requests live, and what we may do there. Nothing is kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.core import figures
from mlgit.errors import MlgitError

if TYPE_CHECKING:
    from mlgit.forge.github.account import Account


@click.command(short_help="Who you are on GitHub, and what your token can do.")
@click.option("--check", is_flag=True, help="Exit with code 1 unless reports and promotions can be written on GitHub.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(check: bool, as_json: bool) -> None:
    """Say who you are on GitHub, where your token was found, and what it can do in this repository.

    Runs need no login. Pull requests on GitHub need a token: of an App (MLGIT_APP_ID, MLGIT_APP_PRIVATE_KEY), in
    GH_TOKEN or GITHUB_TOKEN, or the one that `gh auth login` keeps. It is shown nowhere and stored nowhere. Of a
    repository that is not there pull requests live in its own git folder.

    \b
    Examples:
      mlgit login
      mlgit login --check
      mlgit login --json
    """
    place = wiring.place()
    found = wiring.on_github(place)
    if found is None:
        folder = wiring.opening(place)
        me = folder.me
        if as_json:
            output.as_json({"forge": "folder", "me": me, "writable": True, "capabilities": asdict(folder.capabilities)})
        else:
            output.say(f"{me}, in the repository's own git folder: pull requests need no login there.")
            output.note(wiring.why_not_github(place))
        if check:
            raise MlgitError(
                "Pull requests of this repository do not live on GitHub.", fix=wiring.why_not_github(place)
            )
        return
    from mlgit.forge.github import account

    forge, credential = found
    told = account.look(forge.rest, forge.name, me=forge.me, source=credential.source)
    if as_json:
        where = {"forge": "github", "repository": forge.name, "api": forge.rest.api}
        output.as_json(_plain(told) | where | {"capabilities": asdict(forge.capabilities)})
    else:
        output.say(f"{told.me} on {forge.rest.api}, by {told.source}")
        output.say(f"   {forge.name}: {_may(told)}")
        if rate := told.rate:
            output.say(f"   {rate.remaining:,} of {rate.limit:,} requests left until {figures.moment(rate.reset)}")
    if check and not told.writable:
        raise MlgitError(
            f"{told.me} may not write in {forge.name}.",
            fix="ask for the role 'write', or take a token that may write contents, pull requests and statuses (of the "
            "classic kind: with the scope repo)",
        )


def _may(told: Account) -> str:
    role = f"may {told.role}" if told.role in ("read", "write") else f"has the role {told.role}" if told.role else ""
    scopes = f"scopes {', '.join(told.scopes)}" if told.scopes else "GitHub tells what it lacks where it is refused"
    return "; ".join(filter(None, (role, scopes, "" if told.writable else "nothing can be written")))


def _plain(told: Account) -> dict[str, Any]:
    rate = asdict(told.rate) | {"reset": figures.moment(told.rate.reset)} if told.rate else None
    return asdict(told) | {"scopes": list(told.scopes), "rate": rate}
