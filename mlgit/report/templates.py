"""Where a report's templates come from: ours, and those that a project puts in their place.

What a template prints is escaped, and it reaches nothing else, whoever wrote it. Forgetting is not possible: every
printed value passes `printed`, which takes nothing for safe but what was made here (what Jinja2's own `safe` returns is
text like any other).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

from mlgit import resources
from mlgit.core import compare, escape, figures
from mlgit.core.run import EMPTY
from mlgit.errors import ConfigError
from mlgit.store.place import Place

if TYPE_CHECKING:
    from jinja2 import Environment, Template
    from jinja2.loaders import BaseLoader

FOLDER = "templates/report"
"""Of a project: what stands there by the name of one of ours is taken instead."""
OURS = "mlgit"
"""How a project's template names ours: `{% extends "mlgit/comment.md.j2" %}`."""
CELL = 100
"""Characters of a value in a table."""
PAGE = "page.html.j2"
_ENDING = ".md.j2"


@dataclass(frozen=True, kw_only=True)
class Own:
    """The templates of a project, by name."""

    texts: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    folder: str = FOLDER
    """Where they lie in the repository."""

    def path(self, name: str) -> str:
        """Where that of this name lies in the repository."""
        return f"{self.folder}/{name}"

    def load(self, name: str) -> tuple[str, str, Callable[[], bool]] | None:
        """What a loader of Jinja2 says of that name: its text, its path, whether that still stands."""
        return (self.texts[name], self.path(name), lambda: True) if name in self.texts else None


NONE = Own()


class Safe(str):
    """Markdown made here, from escaped parts."""

    __slots__ = ()


def at_hand(place: Place) -> Own:
    """Those of the project's folder as it is now."""
    if place.is_scratch:
        return NONE
    folder = place.settings.folder / FOLDER
    files = [*sorted(folder.glob(f"*{_ENDING}")), folder / PAGE]
    texts = {file.name: file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()}
    return Own(texts=texts, folder=_path(place))


def at(place: Place, commit: str | None) -> Own:
    """Those that *commit* holds: a pull request is reported on by those of its base, as its head is only proposed."""
    if commit is None:
        return NONE
    with place.repo.reader() as reader:
        entries = reader.tree(f"{commit}:{_path(place)}") or {}
        texts = {
            name: (reader.blob(entry.oid) or b"").decode(errors="replace")
            for name, entry in entries.items() if (name.endswith(_ENDING) or name == PAGE) and not entry.is_tree
        }  # fmt: skip
    return Own(texts=texts, folder=_path(place))


def _path(place: Place) -> str:
    return f"{place.folder}/{FOLDER}".lstrip("/")


def environment(filters: Mapping[str, Callable[..., Any]], own: Own = NONE) -> Environment:
    """Where templates are: those of *own* before ours, with *filters* beside Jinja2's."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        """One in which what a block or a macro has printed is not escaped once more."""

        concat = staticmethod(_joined)

    made = Sandbox(
        loader=loader(own), finalize=printed,
        undefined=StrictUndefined, autoescape=False,  # Markdown, not HTML: `finalize` escapes it
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    made.filters |= filters
    return made


def loader(own: Own = NONE) -> BaseLoader:
    """What finds templates by name: those of *own* before ours."""
    from jinja2 import ChoiceLoader, FileSystemLoader, FunctionLoader, PrefixLoader

    ours: BaseLoader = FileSystemLoader(resources.templates() / "report")
    theirs: list[BaseLoader] = [FunctionLoader(own.load)] if own.texts else []
    return ChoiceLoader([*theirs, ours, PrefixLoader({OURS: ours})])


def fill(made: Environment, name: str, own: Own, **values: Any) -> str:
    """The template *name*, filled. Raises `ConfigError`, with file and line, where a template of *own* is wrong."""
    try:
        template: Template = made.get_template(name)
        return template.render(**values)
    except Exception as exc:  # noqa: BLE001  (a template is a program of the user's: it may raise anything)
        raise (_explained(exc, own) or exc) from None


def _explained(exc: Exception, own: Own) -> ConfigError | None:
    """What is wrong with a template of *own*; None where none of them is to blame."""
    from jinja2 import TemplateNotFound, TemplateSyntaxError

    if isinstance(exc, TemplateSyntaxError):
        place = (exc.filename, exc.lineno) if exc.filename in list(map(own.path, own.texts)) else None
    else:
        place = _place(exc, own)
    if place is None:
        return None
    said = f"there is no template {exc}" if isinstance(exc, TemplateNotFound) else str(exc) or type(exc).__name__
    return ConfigError(
        f"{place[0]}:{place[1]}: {escape.line(said, 300).rstrip('.')}.",
        fix="mend it, or delete the file: mlgit's own of that name is then taken",
    )


def _place(exc: Exception, own: Own) -> tuple[str, int] | None:
    """The innermost line of a template of *own* that the error passed: the file's path, and the line's number."""
    paths = set(map(own.path, own.texts))
    lines = ((one.tb_frame.f_code.co_filename, one.tb_lineno) for one in _passed(exc.__traceback__))
    return next((line for line in reversed(list(lines)) if line[0] in paths), None)


def _passed(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _joined(parts: Iterable[str]) -> Safe:
    return Safe("".join(parts))


def printed(value: Any) -> str:
    """What stands for *value* in the text: escaped, on one line."""
    if isinstance(value, Safe):
        return value
    if value is None:
        return ""
    return escape.markdown(str(value) if value is compare.MISSING else figures.number(value), CELL)
