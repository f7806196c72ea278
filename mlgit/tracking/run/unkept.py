"""What a run that records nothing does with what others keep: nothing, with a sensible answer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlgit.tracking.run.alerting import AlertLevel, Alerts
from mlgit.tracking.run.keeping import Kept
from mlgit.tracking.run.saving import Saved
from mlgit.tracking.run.watching import Watched

if TYPE_CHECKING:
    from mlgit.artifacts.artifact import Artifact

Path_ = str | os.PathLike[str]


class Unkept(Saved, Kept, Alerts, Watched):
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

    def write_logs(self, text: str) -> None:
        """Nothing is written."""

    def log_code(
        self, root: str | None = ".", name: str | None = None, include_fn: Any = None, exclude_fn: Any = None
    ) -> Artifact | None:  # fmt: skip
        """Nothing is taken."""
        return None

    def save(
        self, glob_str: Path_ | None = None, base_path: Path_ | None = None, policy: str = "live", glob: bool = True
    ) -> bool | list[str]:  # fmt: skip
        """Nothing is kept."""
        return []

    def restore(
        self, name: str, run_path: str | None = None, replace: bool = False, root: str | None = None
    ) -> IO[str] | None:
        """Nothing to bring back."""
        return None

    def alert(
        self, title: str, text: str, level: str | AlertLevel | None = None,
        wait_duration: float | timedelta | None = None,
    ) -> None:  # fmt: skip
        """Nobody is told."""

    def watch(
        self, models: Any, criterion: Any = None, log: str | None = "gradients", log_freq: int = 1000,
        idx: int | None = None, log_graph: bool = False,
    ) -> list[Any]:  # fmt: skip
        """Nothing is watched."""
        return []

    def unwatch(self, models: Any = None) -> None:
        """Nothing was watched."""
