"""`mlgit policy check`: all that is wrong with a policy."""

from __future__ import annotations

from pathlib import Path

import click

from mlgit import wiring
from mlgit.cli import output
from mlgit.errors import ConfigError, NotFoundError


@click.command(short_help="Find all that is wrong with a policy.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True), required=False)
@click.option("--base", metavar="BRANCH", help="The branch whose models and stages it is for.  [default: main]")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(file: Path | None, base: str | None, as_json: bool) -> None:
    """Find all that is wrong with a policy, each with its line: registry/policy.yaml as it lies here, or FILE.

    Exits with 2 where it cannot be read. What is odd about it is told besides, and is no error: globs that no model
    meets, stages that serve something and are listed no more, rules that match together, and a CODEOWNERS that lets
    anybody change it.

    \b
    Examples:
      mlgit policy check
      mlgit policy check drafts/policy.yaml --json
    """
    from mlgit.registry import surveying
    from mlgit.registry.policy import faults
    from mlgit.registry.policy import file as policies
    from mlgit.store import registry as store

    repo = wiring.place().repo
    try:
        commit: str | None = store.base_commit(repo, store.base_name(repo, base))
    except NotFoundError:
        commit = None
    source, text = _policy(repo.folder, file)
    wrong = faults.faults(text, source=source)
    odd = [] if wrong else surveying.remarks(repo, commit, policies.read(text, source=source))
    if as_json:
        output.as_json({"file": source, "errors": wrong, "remarks": odd})
    for remark in () if as_json else odd:
        output.say(remark)
    if wrong:
        for fault in wrong[:-1]:
            output.note(f"{fault}")
        raise ConfigError(wrong[-1])
    if not as_json:
        output.say(f"{source} can be read.")


def _policy(top: Path, file: Path | None) -> tuple[str, bytes]:
    """(its name, its text). Raises `NotFoundError`."""
    from mlgit.store import registry as store

    path = file or top / store.POLICY
    if not path.exists():
        raise NotFoundError(f"There is no {store.POLICY} here.", fix="mlgit policy init writes one")
    return str(file) if file else store.POLICY, path.read_bytes()
