"""Where the contract of backends is tested: each real one, with what its jobs find there."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mlgit.core.job import JobSpec, Standing
from mlgit.launch.backends import Backend

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A backend that is up."""

    backend: Backend
    settings: Any
    folder: Path
    """Where jobs start, and may write."""
    image: str | None = None
    has_seconds: bool = True
    """Whether it ends jobs by the second, and not by the minute."""

    def spec(self, code: str, *words: str, **more: Any) -> JobSpec:
        """A job that runs Python *code*."""
        command = (sys.executable if self.image is None else "python3", "-c", code, *words)
        return JobSpec(**{"name": "a job", "command": command, "folder": str(self.folder), "image": self.image, **more})

    def submit(self, spec: JobSpec) -> str:
        return self.backend.submit(spec, self.settings)

    def standing(self, job: str) -> Standing:
        return self.backend.status([job], self.settings)[job]

    def ended(self, job: str) -> Standing:
        """How *job* stands once it has ended."""
        return until(lambda: found if (found := self.standing(job)).state.ended else None)

    def printed(self, job: str) -> list[str]:
        """The lines of *job* once it has ended."""
        return list(self.backend.logs(job, self.settings, follow=True))

    def cancel(self, *jobs: str) -> None:
        self.backend.cancel(jobs, self.settings)


def until(what: Callable[[], T | None], seconds: float = 120) -> T:
    """What *what* gives, once it gives something."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found
