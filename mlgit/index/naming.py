"""Which run a text names: its id, branch, name, commit, or how one of them begins."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator

from mlgit.core import values
from mlgit.errors import NotFoundError, UsageError
from mlgit.index.now import Known, Now

_MARK = 6
"""So many characters of a run's id are in the name of its branch, at least."""


def named(now: Now, text: str, project: str | None) -> Known:
    """The run that *text* names, in *project* if there is one, else anywhere.

    Raises `NotFoundError` where there is none, `UsageError` where there are several.
    """
    if text == "latest" and (newest := now.newest(project, limit=1)):
        return newest[0]
    text = values.text(text)
    found = _named(now, text, project) or (_named(now, text, None) if project else None)
    if found is None:
        raise _nothing(now, text)
    return found


def _named(now: Now, text: str, project: str | None) -> Known | None:
    living = [run for run in now.alive if project in (None, run.project)]
    ids = {run.id for run in living}
    for where, asked, fits in _ways(text):
        rows = now.rows(f"shown AND ifnull(project = ?, 1) AND {where}", project, *asked)
        found: list[Known] = [row for row in rows if row.id not in ids and fits(row, text)]
        found += [run for run in living if fits(run, text)]
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(run.branch or run.id for run in found[:5])
            raise UsageError(
                f"{text[:80]!r} names {len(found)} runs: {some}{', …' if len(found) > 5 else ''}.",
                fix="give the id or the branch",
            )
    return None


def _nothing(now: Now, text: str) -> NotFoundError:
    """What to say of *text*, which names no run that is shown."""
    if any(text in (run.id, run.name) or (text[2:] and _begins(run, text)) for run in now.hidden()):
        return NotFoundError(f"The run {text[:80]!r} is hidden.", fix=shlex.join(("mlgit", "restore", text)))
    close = _close(now, text)
    fix = f"did you mean {close}?" if close else "mlgit ls lists the runs"
    return NotFoundError(f"There is no run {text[:80]!r}.", fix=fix)


def _close(now: Now, text: str) -> str | None:
    """The name of a newer run that is most like *text*."""
    import difflib

    names = dict.fromkeys(row.name for row in now.rows("shown", tail="ORDER BY row DESC LIMIT 1000"))
    return next(iter(difflib.get_close_matches(text, names, 1)), None)


def _ways(text: str) -> Iterator[tuple[str, tuple[object, ...], Callable[[Known, str], bool]]]:
    """What *text* may be of a run, the plainest first: what to ask the index, and whether an answer fits indeed."""
    size = len(text)
    name = text.rpartition("/")[2]
    end = name.rpartition("-")[2]  # how the run's id begins, if it is a branch (`core.refs.run_ref`)
    at_end = (-len(name) - 1, f"/{name}", f":{name}")  # an archived run's entry ends so
    yield "id = ?", (text,), _is  # at once, by an index
    yield "ref IN (?, ?, ?)", (text, f"refs/heads/{text}", f"refs/remotes/{text}"), _is
    if len(end) >= _MARK:
        yield "id >= ? AND id < ?", (end, f"{end}~"), _ends  # by an index too
    yield "substr(ref, ?) IN (?, ?)", at_end, _is
    yield '(tip = ? OR "commit" = ? OR substr(ref, ?) IN (?, ?))', (text, text, *at_end), _ends
    yield "name = ?", (text,), _is_named
    if size >= 3:
        where = (
            "instr(ref, ?) OR instr(ref, ?) OR substr(id, 1, ?) = ? OR substr(name, 1, ?) = ? "
            'OR substr(ifnull("commit", tip), 1, ?) = ?'
        )
        yield f"({where})", (f"/{text}", f":{text}", size, text, size, text, size, text), _begins


def _is(run: Known, text: str) -> bool:
    return bool(text) and text in (run.id, run.branch, run.ref)


def _ends(run: Known, text: str) -> bool:
    return text == run.commit or (bool(run.ref) and run.ref.endswith(f"/{text}"))


def _is_named(run: Known, text: str) -> bool:
    return run.name == text


def _begins(run: Known, text: str) -> bool:
    return any(word.startswith(text) for word in (run.id, run.name, run.branch.rpartition("/")[2], run.commit) if word)
