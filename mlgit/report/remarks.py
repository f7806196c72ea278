"""What a report says beside the lines that it is about: of params where they are stated, of gates in their policy."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from mlgit import settings
from mlgit.core import escape, figures
from mlgit.documents.reader import Document, parse
from mlgit.errors import UsageError
from mlgit.forge import rules
from mlgit.forge.base import Remark
from mlgit.git.objects import Reader
from mlgit.report.view import View
from mlgit.tracking.options import RunOptions

_MOST = 50
"""More would be a list, and the report has that."""


def of(reader: Reader, commit: str, view: View) -> list[Remark]:
    """The remarks of *view* on the files of *commit*, which it is about."""
    return [*rules.remarks(view.verdicts), *_on_params(reader, commit, view)][:_MOST]


def _on_params(reader: Reader, commit: str, view: View) -> Iterator[Remark]:
    """What each param that changed was before, and what came of it."""
    try:
        found = _params(reader, commit, view.head.folder)
    except UsageError:  # a file that nobody can read, or no git can have, states nothing
        return
    for change in view.params if found and view.base else ():
        path, stated = found or ("", None)
        line = stated.line_of((change.key,)) or stated.line_of(change.key.split(".")) if stated else None
        if line:
            was, now = (escape.line(figures.number(value), 60) for value in (change.base, change.head))
            message = escape.line(f"{change.key}: {was} → {now}. {view.headline}", 500)
            yield Remark(path=path, line=line, message=message)


def _params(reader: Reader, commit: str, folder: str) -> tuple[str, Document] | None:
    """The params file of the project in *folder*, and where it lies. Raises `ConfigError`."""
    about = reader.blob(f"{commit}:{posixpath.join(folder, settings.FILE)}")
    options = parse(about, source=settings.FILE).section("run", RunOptions) if about else None
    if options is None or not options.params:
        return None
    path = posixpath.normpath(posixpath.join(folder, options.params))
    text = None if path.startswith(("/", "../")) else reader.blob(f"{commit}:{path}")
    return (path, parse(text, source=path)) if text else None
