"""`mlgit model compare`: what changed between two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mlgit import wiring
from mlgit.cli import differing, output
from mlgit.cli.choose import MODEL
from mlgit.cli.model.shown import BASE, JSON
from mlgit.core import figures
from mlgit.core.compare import Direction, changes, metric_deltas
from mlgit.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlgit.core.model import ModelVersion
    from mlgit.git.repo import Repo
    from mlgit.report.changed import File

_MOST_ROWS = 20


@click.command(short_help="What changed between two versions: metrics, data, size, code.")
@click.argument("before", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.argument("after", type=MODEL, metavar="MODEL[@VERSION|@STAGE]")
@click.option("--all", "everything", is_flag=True, help="Metrics that are the same, too, and every row.")
@BASE
@JSON
def command(before: str, after: str, everything: bool, base: str | None, as_json: bool) -> None:
    """What changed from one version to another: metrics, better or worse by their goal; what it is; params, data, code.

    They may be of two models. The goals are those of mlgit.yaml, else what a name suggests; whether a difference is
    more than chance, a gate of registry/policy.yaml says.

    \b
    Examples:
      mlgit model compare digits@production digits@v1.3.0
      mlgit model compare digits@production digits-small@latest --json
    """
    from mlgit.registry.versions import shelf
    from mlgit.store import registry as store

    place = wiring.place()
    name = store.base_name(place.repo, base)
    one, two = (shelf.find(place.repo, text, base=name) for text in (before, after))
    deltas = [
        delta
        for delta in metric_deltas(one.metrics, two.metrics, place.settings.goals)
        if not delta.name.startswith("_")
    ]
    differing_in = {
        "model": changes(_about(one), _about(two)),
        "params": changes(one.params, two.params),
        "data": changes(one.data, two.data),
    }
    files = _files(place.repo, one, two)
    if as_json:
        output.as_json({
            "base": {"model": one.model, "version": one.version}, "head": {"model": two.model, "version": two.version},
            "same_bytes": one.hash == two.hash, "metrics": [differing.plain_metric(delta) for delta in deltas],
            **{key: list(map(differing.plain_change, found)) for key, found in differing_in.items()},
            "code": None if files is None else [
                {"path": file.path, "added": file.added, "removed": file.removed} for file in files
            ],
        })  # fmt: skip
        return
    names = (one.version, two.version)
    if one.model != two.model or names[0] == names[1]:
        names = (f"{one.model}@{one.version}", f"{two.model}@{two.version}")
    differing.say_metrics(names, [one for one in deltas if everything or one.direction is not Direction.SAME])
    most = None if everything else _MOST_ROWS
    for title, rows in zip(("model", "param", "data"), differing_in.values(), strict=True):
        cells = [(row.key, _told(row.key, row.base), _told(row.key, row.head)) for row in rows]
        differing.say((title, *names), cells, most)
    differing.say(("code", "lines"), [(file.path, file.told) for file in files or ()], most)
    output.gap()
    if one.hash == two.hash:
        output.note("The bytes are the same.")
    elif files is not None:
        output.note(
            f"The code differs: mlgit diff {one.run} {two.run} --code" if files else "The code is the same."
        )  # fmt: skip


def _about(version: ModelVersion) -> dict[str, Any]:
    """What it is: its size, format, and what its model card says."""
    card = version.card
    told = {
        "framework": " ".join(filter(None, (card.framework, card.version))), "format": card.format,
        "parameters": card.parameters, "dtype": card.dtype, "unsafe": card.unsafe,
        "inputs": "; ".join(map(str, card.inputs)), "outputs": "; ".join(map(str, card.outputs)),
    } if card else {}  # fmt: skip
    every = {"size": version.size, "files": len(version.sha256), **told, **version.fields}
    return {name: value for name, value in every.items() if value not in (None, "")}


def _told(key: str, value: Any) -> str:
    return figures.size(value) if key == "size" and isinstance(value, int) else figures.number(value)


def _files(repo: Repo, one: ModelVersion, two: ModelVersion) -> Sequence[File] | None:
    """The files of their runs' code that differ, but for the registry's own; None where that is not known here."""
    from mlgit.index import query
    from mlgit.report import changed
    from mlgit.store import registry as store
    from mlgit.store import runs

    found = query.of_ids(repo, (one.run, two.run))
    known = {run.id: run for run in found}
    try:
        files = changed.between(repo, *(runs.source(repo, known[version.run]) for version in (one, two)))
    except (NotFoundError, KeyError):
        return None
    return [file for file in files if not file.path.startswith(f"{store.FOLDER}/")]
