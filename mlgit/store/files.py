"""The files of a run's branch: everything below `experiment/`, made from what its live folder tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from mlgit.core import secrets, terminal
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.history import MOST_ROWS, thin
from mlgit.core.run import Run
from mlgit.core.summary import is_object
from mlgit.documents.writer import dump, dump_lines
from mlgit.dvc import pointers
from mlgit.git.repo import Repo
from mlgit.store import attached, records, tables
from mlgit.store.attached import Attached
from mlgit.store.telling import Account

_PLOTS = """\
# Read by stock DVC: dvc metrics diff, dvc params diff, dvc plots diff between two run branches.
params: [params.yaml]
metrics: [metrics.yaml]
"""


def whole(repo: Repo, run: Run, account: Account) -> tuple[Run, dict[str, bytes]]:
    """*run* as its branch will hold it, and everything below `experiment/` by path; DVC holds what is large by then.

    Raises `MlgitError` where the disk refuses.
    """
    going = attached.attach(repo, run, account)
    run = replace(run, held=going.held)
    return run, {**going.files, **going.pointers(), **render(run, account, going)}


def render(run: Run, account: Account, going: Attached) -> dict[str, bytes]:
    """The record, the tables and the console log, path → content."""
    about = {key: value for key, value in account.provenance.items() if key not in _ABOUT}
    about |= {key: value for key, value in _about(account, going).items() if value}
    installed = about.pop("packages", {})
    files = documents(run, about)
    if installed:
        files["requirements.txt"] = "".join(f"{name}=={version}\n" for name, version in installed.items())
    files["dvc.yaml"] = _PLOTS + ("plots:\n  - history: {x: step}\n" if account.series else "")
    for folder, tables_of in (("history", account.series), ("system", account.system)):
        for name, one in islice(tables_of.items(), attached.MOST_TABLES):
            files[f"{folder}/{tables.path_of(name)}"] = tables.tsv(name, thin(one))
    if log := _console(account.output):
        files["output.log"] = log
    return {path: text.encode("utf-8", "replace") for path, text in files.items()}


SAID = ("params.yaml", "metrics.yaml", "objects.yaml", "artifacts.yaml")
_ABOUT = (
    "thinned", "thinned_objects", "rows", "metrics_without_table", "define_metric", "set_by_hand", "mark", "machine_id",
)  # fmt: skip
"""What `run.yaml` says of the run's own history: of an earlier life's it does not speak any more."""


def _about(account: Account, going: Attached) -> dict[str, Any]:
    """What `run.yaml` says of how the run's history is kept."""
    series = account.series
    return {
        "rows": max(map(len, series.values()), default=0),
        "thinned": {
            name: len(one) for name, one in sorted(islice(series.items(), attached.MOST_TABLES)) if len(one) > MOST_ROWS
        },
        "thinned_objects": dict(sorted(going.thinned.items())[: attached.MOST_TABLES]),
        "metrics_without_table": len(series) - attached.MOST_TABLES if len(series) > attached.MOST_TABLES else 0,
        "left_out": [*account.provenance.get("left_out", ()), *going.left_out],
        "define_metric": {name: rule.document() for name, rule in account.rules.items()},
        "set_by_hand": sorted(account.by_hand) if account.rules else [],
    }


def documents(run: Run, provenance: Mapping[str, Any]) -> dict[str, str]:
    """The files that hold the run's record, path → content; *provenance* is what else `run.yaml` says."""
    return {"run.yaml": dump(records.run_document(run, provenance)), **said(run), **artifact_pointers(run.logged)}


def said(run: Run) -> dict[str, str]:
    """Those of them, among `SAID`, that nothing stands in but what *run* says."""
    files = {
        "params.yaml": dump(_sorted(run.params)),
        "metrics.yaml": dump(_sorted({name: value for name, value in run.metrics.items() if not is_object(value)})),
    }
    if objects := run.objects:
        files["objects.yaml"] = dump_lines(_sorted(objects))
    if run.used or run.logged:
        lists = {
            kind: [version.document() for version in versions]
            for kind, versions in (("used", run.used), ("logged", run.logged))
            if versions
        }
        files["artifacts.yaml"] = dump(lists)
    return files


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
