"""The files of a run's branch: everything below `experiment/`, made from what its live folder tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlgit.core import secrets, terminal
from mlgit.core.artifact import ArtifactVersion
from mlgit.core.history import MOST_ROWS, Series, thin
from mlgit.core.run import Run
from mlgit.documents.writer import dump
from mlgit.dvc import pointers
from mlgit.store import live, records

MOST_NAME = 150
"""Characters of one name below `history/`."""
MOST_FOLDERS = 6
"""How deep `a/b/c` nests below `history/`."""

_PLOTS = """\
# Read by stock DVC: dvc metrics diff, dvc params diff, dvc plots diff between two run branches.
params: [params.yaml]
metrics: [metrics.yaml]
"""


def render(run: Run, account: live.Account) -> dict[str, bytes]:
    """Everything below `experiment/`, path → content."""
    series = {name: one for name, one in account.series.items() if not name.startswith("_")}
    thinned = {name: len(one) for name, one in sorted(series.items()) if len(one) > MOST_ROWS}
    files = documents(run, {**account.provenance, "thinned": thinned})
    files["dvc.yaml"] = _PLOTS + ("plots:\n  - history: {x: step}\n" if series else "")
    for name, one in series.items():
        files[f"history/{history_path(name)}"] = _tsv(name, thin(one))
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


def history_path(metric: str) -> str:
    """Where a metric's series lies below `history/`: `val/acc` nests; whatever could leave the folder is quoted."""
    parts = metric.split("/", MOST_FOLDERS)
    safe = [_component(part, last=number == len(parts) - 1) for number, part in enumerate(parts)]
    return f"{'/'.join(safe)}.tsv"


def _component(part: str, *, last: bool) -> str:
    from urllib.parse import quote

    quoted = quote(part, safe=" +=@,()[]{}!$&'", errors="replace").replace("~", "%7E")
    if len(quoted) > MOST_NAME:  # two long names may begin alike
        from hashlib import sha256

        quoted = f"{quoted[: MOST_NAME - 16]}-{sha256(part.encode('utf-8', 'replace')).hexdigest()[:15]}"
    if quoted.startswith(".") or quoted != quoted.strip() or (not last and quoted.endswith(".tsv")):
        quoted = quoted.replace(".", "%2E").replace(" ", "%20")
    return quoted or "%"


def _tsv(name: str, series: Series) -> str:
    column = "".join(char if char.isprintable() else " " for char in name)
    rows = zip(series.steps, series.runtimes, series.timestamps, series.values, strict=True)
    lines = [f"{step}\t{runtime:.3f}\t{moment:.3f}\t{value!r}" for step, runtime, moment, value in rows]
    return "\n".join((f"step\t_runtime\t_timestamp\t{column}", *lines, ""))


def _console(output: bytes) -> str:
    """The console as text: as a terminal would show it, secrets hidden, capped."""
    return secrets.redact(terminal.render(output.decode(errors="replace")))
