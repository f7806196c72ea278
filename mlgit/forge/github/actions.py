"""What GitHub's Actions have run and are running for a repository: asked for, ended, begun again."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from mlgit.errors import NotFoundError
from mlgit.forge.github.answers import RefusedError
from mlgit.forge.github.rest import Rest

T = TypeVar("T")
_MOST_LOG = 64 * 2**20
"""Bytes of a job's log that are read; GitHub keeps more than anybody does."""
_MOST_ARCHIVE, _MOST_FILE = 16 * 2**20, 32 * 2**20
"""Bytes of an artifact that is looked into, and of a file in it: who made it may have meant it to fill a memory."""
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, KeyError, NotImplementedError, OSError, RuntimeError,
)  # fmt: skip
"""What zipfile raises of an archive that is none, is damaged or encrypted, or lacks the file."""


@dataclass(frozen=True)
class Actions:
    """Those of *repository* (`owner/name`). Each act raises `RefusedError`, `SilentError`, `UsageError`."""

    rest: Rest
    repository: str

    @property
    def _at(self) -> str:
        return f"repos/{self.repository}/actions"

    def of_commit(self, commit: str, into: Callable[[Any], T]) -> list[T]:
        """The runs of any workflow that began with *commit* as the head, the latest first."""
        return list(self.rest.pages(f"{self._at}/runs", "workflow_runs", into, head_sha=commit))

    def runs(self, workflow: str, into: Callable[[Any], T], **asked: Any) -> Iterator[T]:
        """All runs of *workflow* (a file's name) that fit what is *asked*, latest first, read by *into*."""
        yield from self.rest.pages(self._of(workflow), "workflow_runs", into, **asked)

    def late(self, workflow: str, into: Callable[[Any], T], **asked: Any) -> list[T]:
        """The latest hundred of them, by one question."""

        def each(told: Any) -> list[T]:
            return [into(one) for one in told["workflow_runs"]]

        return self.rest.get(self._of(workflow), each, **asked, per_page=100)

    def standing(self, status: str, *, most: int) -> list[int]:
        """The numbers of the latest runs of any workflow that stand like that, in GitHub's word; *most* of 100."""

        def numbers(told: Any) -> list[int]:
            return [int(one["id"]) for one in told["workflow_runs"]]

        return self.rest.get(f"{self._at}/runs", numbers, status=status, per_page=most)

    def run(self, number: str | int, into: Callable[[Any], T]) -> T | None:
        """The run *number*; None if there is none. Raises besides where it is the repository that is not there."""
        try:
            return self.rest.get(f"{self._at}/runs/{number}", into)
        except RefusedError as exc:
            if exc.status != 404:
                raise
            self.rest.get(f"repos/{self.repository}")
            return None

    def jobs(self, number: str | int, into: Callable[[Any], T]) -> list[T]:
        """The jobs of the run *number*, as its last attempt has them."""
        return list(self.rest.pages(f"{self._at}/runs/{number}/jobs", "jobs", into, filter="latest"))

    def log(self, job: int) -> str:
        """What *job* printed, up to 64 MiB; nothing as long as it is under way, or where it never began.

        Raises `NotFoundError` for what is gone.
        """
        try:
            log = self.rest.text(f"{self._at}/jobs/{job}/logs", most=_MOST_LOG)
        except RefusedError as exc:
            if exc.status == 410:
                raise NotFoundError(f"GitHub has thrown away what the job {job} printed.", why=exc.why) from None
            if exc.status != 404:
                raise
            return ""
        return f"{log}\n(the rest is on GitHub's page)\n" if len(log.encode()) >= _MOST_LOG else log

    def file(self, number: int, artifact: str, name: str) -> bytes | None:
        """The file *name* in the *artifact* of the run *number*; None where that has none, or has it no more."""

        def latest(told: Any) -> int | None:
            kept = (one for one in told["artifacts"] if one["name"] == artifact and not one["expired"])
            return max((int(one["id"]) for one in kept), default=None)  # an attempt's takes the place of the one before

        found = self.rest.get(f"{self._at}/runs/{number}/artifacts", latest, name=artifact, per_page=100)
        if found is None:
            return None
        try:
            content = self.rest.raw(f"{self._at}/artifacts/{found}/zip", most=_MOST_ARCHIVE)
        except RefusedError as exc:
            if exc.status not in (404, 410):
                raise
            return None
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(name) as file:
                return file.read(_MOST_FILE)
        except _BROKEN:
            return None  # whoever made it made no such archive

    def cancel(self, number: str | int) -> bool:
        """End the run *number*; False if it has ended meanwhile. `RefusedError` too of one that is not queued yet."""
        try:
            self.rest.post(f"{self._at}/runs/{number}/cancel")
        except RefusedError as exc:
            if exc.status != 409 or "queued" in exc.said:
                raise
            return False
        return True

    def again(self, number: str | int, *, whole: bool = False) -> None:
        """Begin those jobs of the run *number* again that have not succeeded, and what waits for them; or *whole*."""
        self.rest.post(f"{self._at}/runs/{number}/{'rerun' if whole else 'rerun-failed-jobs'}")

    def _of(self, workflow: str) -> str:
        return f"{self._at}/workflows/{quote(workflow, safe='')}/runs"
