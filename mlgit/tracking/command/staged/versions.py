"""What a stage made as versions of artifacts, called as `dvc.yaml` says or after their paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from mlgit.artifacts import catalog, log
from mlgit.core import refs, secrets
from mlgit.core.artifact import ArtifactVersion
from mlgit.dvc import cache
from mlgit.dvc.caches import storing
from mlgit.dvc.pipelines.stages import Done, Product
from mlgit.errors import MlgitError
from mlgit.tracking.command.staged.ground import Ground
from mlgit.tracking.notice import notify

_MODELS = frozenset(
    ".bin .cbm .ckpt .gguf .h5 .joblib .keras .mlmodel .model .onnx .pb .pickle .pkl .pt .pth .safetensors .skops "
    ".tflite .ubj".split()
)


def kept(done: Done) -> list[Product]:
    """What is an artifact of what a stage made."""
    return [one for one in done.made if one.hash and one.is_cached and not one.is_metrics and one.plot is None]


def of(ground: Ground, made: Product, said: Mapping[str, Any]) -> ArtifactVersion | None:
    """What a stage *made* as a version, its bytes where artifacts' are; *said* of it: name, type, desc, labels, meta.

    None where it can be none, which a person is told.
    """
    path = ground.name(made.path)
    folder = ground.run.folder or ""
    try:
        name = catalog.checked(str(said.get("name") or _name(path)))
        type = catalog.checked_type(str(said.get("type") or _type(path)))
        if not cache.exists(ground.repo, made.hash, folder=folder):  # a worktree's own cache
            storing.add(ground.repo, made.path, folder=folder)
    except MlgitError as exc:
        notify(f"{path} is no artifact of the run: {exc}")
        return None
    version = ArtifactVersion(
        name=name, type=type, hash=made.hash, size=made.size, path=path, files=made.files, stays=made.stays,
        description=secrets.redact(str(said.get("desc") or "")), tags=tuple(map(str, said.get("labels") or ())),
        metadata=secrets.redact_params(meta) if isinstance(meta := said.get("meta"), dict) else {},
    )  # fmt: skip
    return log.claimed(
        ground.repo, log.with_card(ground.repo, version, folder=folder), (), (), project=ground.run.project
    )


def _name(path: str) -> str:
    """What an output is called that nobody has named: `models/churn.pkl` is `models-churn.pkl`."""
    return "-".join(part for part in PurePosixPath(path).parts if part != "..") if path.isascii() else refs.slug(path)


def _type(path: str) -> str:
    place = PurePosixPath(path)
    is_model = place.suffix in _MODELS or any("model" in part.lower() for part in place.parts)
    return "model" if is_model else "dataset"
