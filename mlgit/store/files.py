"""The files of a run's branch: everything below `experiment/`, made from what its live folder tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlgit.core import secrets, terminal
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.history import MOST_ROWS, thin
from mlgit.core.run import Run
from mlgit.documents.writer import dump
from mlgit.dvc import pointers
from mlgit.store import records, tables
from mlgit.store.telling import Account

_PLOTS = """\
# Read by stock DVC: dvc metrics diff, dvc params diff, dvc plots diff between two run branches.
params: [params.yaml]
metrics: [metrics.yaml]
"""


def render(run: Run, account: Account) -> dict[str, bytes]:
    """Everything below `experiment/`, path → content."""
    series = {name: one for name, one in account.series.items() if not name.startswith("_")}
    thinned = {name: len(one) for name, one in sorted(series.items()) if len(one) > MOST_ROWS}
    files = documents(run, {**account.provenance, "thinned": thinned})
    files["dvc.yaml"] = _PLOTS + ("plots:\n  - history: {x: step}\n" if series else "")
    for name, one in series.items():
        files[f"history/{tables.path_of(name)}"] = tables.tsv(name, thin(one))
    if log := _console(account.output):
        files["output.log"] = log
    return {path: text.encode("utf-8", "replace") for path, text in files.items()}


def documents(run: Run, provenance: Mapping[str, Any]) -> dict[str, str]:
    """The files that hold the run's record, path → content; *provenance* is what else `run.yaml` says."""
    files = {
        "run.yaml": dump(records.run_document(run, provenance)),
        "params.yaml": dump(_sorted(run.params)),
        "metrics.yaml": dump(_sorted(run.metrics)),
    }
    if run.used or run.logged:
        lists = {
            kind: [version.document() for version in versions]
            for kind, versions in (("used", run.used), ("logged", run.logged))
            if versions
        }
        files["artifacts.yaml"] = dump(lists)
    return files | artifact_pointers(run.logged)


def artifact_pointers(logged: Sequence[ArtifactVersion]) -> dict[str, str]:
    """A `.dvc` file for each content, so that stock DVC can fetch the bytes, and its collection keeps them.

    The last content of a name is called so; earlier ones have a piece of their hash behind it.
    """
    found: dict[str, str] = {}
    last = {version.name: version.hash for version in logged if not version.deleted}
    for version in logged:
        if not version.deleted:
            name = version.name if last[version.name] == version.hash else f"{version.name}-{version.hash[:8]}"
            out = pointers.Out(path=name, hash=version.hash, size=version.size)
            found[f"artifacts/{name}.dvc"] = pointers.render([out])
    return found


def _sorted(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _sorted(value) if isinstance(value, Mapping) else value for key, value in sorted(tree.items())}


def _console(output: bytes) -> str:
    """The console as text: as a terminal would show it, secrets hidden, capped."""
    return secrets.redact(terminal.render(output.decode(errors="replace")))
