"""What a run that records nothing does with what others keep: nothing, with a sensible answer."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from mlgit.tracking.run.alerting import Alerts
from mlgit.tracking.run.modelling import Modelled
from mlgit.tracking.run.saving import Saved
from mlgit.tracking.run.watching import Watched

if TYPE_CHECKING:
    from mlgit.artifacts.artifact import Artifact

P = ParamSpec("P")
R = TypeVar("R")
Path_ = str | os.PathLike[str]


def _idle(method: Callable[P, R], answer: Callable[[], Any] = lambda: None) -> Callable[P, R]:
    """A *method* that does nothing and gives an *answer*; called wrongly it raises as ever."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        signature.bind(*args, **kwargs)
        found: R = answer()
        return found

    return call


class Unkept(Saved, Modelled, Alerts, Watched):
    """The parts of a run that keep something or tell somebody, each at no cost."""

    def __init__(self) -> None:
        """It has nothing to write to."""
        self._folder = ""

    @property
    def dir(self) -> str:
        """A folder for a script that writes beside the run; made at first need, among the system's temporary ones."""
        if not self._folder:
            import tempfile

            self._folder = tempfile.mkdtemp(prefix="mlgit-disabled-")
        return self._folder

    def log_artifact(
        self, artifact_or_path: Artifact | Path_, name: str | None = None, type: str | None = None,
        aliases: Sequence[str] | str | None = None, tags: Sequence[str] | str | None = None,
    ) -> Artifact:  # fmt: skip
        """Nothing is stored; the answer is the artifact all the same."""
        from mlgit.artifacts.artifact import Artifact
        from mlgit.core import refs

        if isinstance(artifact_or_path, Artifact):
            return artifact_or_path.set_aside()
        stem = name or refs.slug(Path(artifact_or_path).stem) or "artifact"
        return Artifact(stem, type=type or "file").set_aside()

    def use_artifact(
        self, artifact_or_name: Artifact | str, type: str | None = None,
        aliases: Sequence[str] | str | None = None, use_as: str | None = None,
    ) -> Artifact:  # fmt: skip
        """An empty artifact of that name: what was logged is not looked up."""
        from mlgit.artifacts import catalog
        from mlgit.artifacts.artifact import Artifact

        if isinstance(artifact_or_name, Artifact):
            return artifact_or_name
        return Artifact(catalog.parse(artifact_or_name).name, type=type or "file").set_aside()

    def log_model(
        self, path: Any, name: str | None = None, aliases: Sequence[str] | str | None = None,
        framework: str | None = None, signature: Mapping[str, Any] | None = None, input_example: Any = None,
        metadata: Mapping[str, Any] | None = None, allow_pickle: bool = False, exclude: Sequence[str] | str = (),
    ) -> Artifact:  # fmt: skip
        """Nothing is stored; the answer is an artifact all the same."""
        return self.log_artifact(path if isinstance(path, str | os.PathLike) else "model", name=name, type="model")

    def use_model(self, name: str) -> str:
        """A folder with nothing in it."""
        return self.use_artifact(name, type="model").download()

    def link_artifact(
        self, artifact: Artifact, target_path: str, aliases: Sequence[str] | None = None
    ) -> Artifact | None:  # fmt: skip
        """Nothing is linked."""
        return self.log_artifact(artifact)

    def upsert_artifact(
        self, artifact_or_path: Artifact | Path_, name: str | None = None, type: str | None = None,
        aliases: Sequence[str] | None = None, distributed_id: str | None = None,
    ) -> Artifact:  # fmt: skip
        """Nothing is stored."""
        return self.log_artifact(artifact_or_path, name, type)

    finish_artifact = upsert_artifact

    write_logs = _idle(Saved.write_logs)
    log_code = _idle(Modelled.log_code)
    save = _idle(Saved.save, list)
    restore = _idle(Saved.restore)
    alert = _idle(Alerts.alert)
    watch = _idle(Watched.watch, list)
    unwatch = _idle(Watched.unwatch)
