"""The options of a repository's workflows, which `mlgit ci init` and `upgrade` have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from mlgit.ci.workflows import KITS, Options
from mlgit.cli.options import Decorator, together
from mlgit.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from mlgit.store.place import Place

_DEFAULT = Options()
_USUAL = [name for name, one in KITS.items() if one.is_usual]


def options() -> Decorator:
    """Those of the command line, called as the fields of `Options`, and `--only`; None or empty where not given."""
    return together(
        click.option("--only", metavar="NAMES",
                     help=f"Only these: {','.join(KITS)}.  [default: {','.join(_USUAL)}]"),
        click.option("--runners", metavar="LABELS",
                     help="The labels of the runner that plans, collects and reports; mlgit.yaml has those of trials."
                          f"  [default: {','.join(_DEFAULT.runners)}]"),
        click.option("--python", metavar="VERSION",
                     help=f"The Python that it gets; '' for the one that it has.  [default: {_DEFAULT.python}]"),
        click.option("--install", metavar="REQUIREMENT",
                     help="What pip installs there; '' for what it has.  [default: this mlgit, from where pip had it]"),
        click.option("--requirements", metavar="FILE",
                     help="What is installed besides to train, from the repository's top; '' for nothing.  "
                          "[default: requirements.txt, where the project has one]"),
        click.option("--secret", metavar="NAME", multiple=True,
                     help="A secret that trials have, and launched jobs may ask for. May be given several times."),
        click.option("--role", metavar="ARN",
                     help="The role on AWS that trials and collect take by OIDC, for a DVC remote on S3."),
        click.option("--region", metavar="REGION", help=f"Its region.  [default: {_DEFAULT.region}]"),
        click.option("--schedule", metavar="CRON",
                     help="When retrain trains anew, by UTC: '0 3 * * 1'; '' for not by the clock.  [default: '']"),
        click.option("--watch", metavar="PATTERN", multiple=True,
                     help="Further paths that are data, for retrain: 'data/**'. May be given several times.  "
                          "[always: *.dvc and dvc.lock of the project]"),
        click.option("--stage", metavar="STAGE",
                     help=f"What retrain proposes a better model for.  [default: {_DEFAULT.stage}]"),
        click.option("--folder", metavar="FOLDER",
                     help="The project's folder, from the repository's top.  [default: the current project's]"),
    )  # fmt: skip


def given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `Options` that were *asked* for."""
    found = {one.name: asked[one.name] for one in fields(Options) if asked[one.name] not in (None, ())}
    if "runners" in found:
        found["runners"] = tuple(label.strip() for label in found["runners"].split(","))
    return found


def names(only: str | None) -> list[str]:
    """The kits that *only* names, the usual ones without it. Raises `UsageError`."""
    found = [name.strip() for name in only.split(",")] if only is not None else _USUAL
    if unknown := [name for name in found if name not in KITS]:
        raise UsageError(f"There is no workflow or action {unknown[0][:80]!r}.", fix=f"name one of {', '.join(KITS)}")
    return found


def place() -> Place:
    """The current one, which has files. Raises `NotFoundError`, `UsageError`."""
    from mlgit import wiring

    found = wiring.place()
    if found.is_scratch:
        raise NotFoundError("This folder is in no git repository.", fix="mlgit init")
    if found.repo.work_tree is None:
        raise UsageError("This is a bare repository, and workflows are files.", fix="do it in a clone")
    return found
