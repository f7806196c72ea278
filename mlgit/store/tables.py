"""Series and objects as the text that a branch holds them in, and back (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlgit.core import escape
from mlgit.core.history import Logged, Series
from mlgit.store import records

MOST_NAME = 150
"""Characters of one name below `history/`."""
MOST_FOLDERS = 6
"""How deep `a/b/c` nests below `history/`."""
_SHORTENED = re.compile(r"-[0-9a-f]{15}$")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""What Windows takes for a device, wherever it lies and whatever its ending."""


def path_of(name: str, ending: str = "tsv") -> str:
    """Where what is called *name* lies in its folder: `val/acc` nests.

    Quoted is what could leave the folder, or be no name of a file on some system where the branch is checked out.
    """
    parts = name.split("/", MOST_FOLDERS)
    safe = [_component(part, last=number == len(parts) - 1, ending=ending) for number, part in enumerate(parts)]
    return f"{'/'.join(safe)}.{ending}"


def _component(part: str, *, last: bool, ending: str) -> str:
    from urllib.parse import quote

    quoted = quote(part, safe=" +=@,()[]{}!$&'", errors="surrogatepass").replace("~", "%7E")
    if quoted != quoted.strip(". ") or (not last and quoted.endswith(f".{ending}")):
        quoted = quoted.replace(".", "%2E").replace(" ", "%20")
    if _DEVICE.fullmatch(quoted):
        quoted = f"%{ord(quoted[0]):02X}{quoted[1:]}"
    if len(quoted) > MOST_NAME:  # two long names may begin alike
        from hashlib import sha256

        quoted = f"{quoted[: MOST_NAME - 16]}-{sha256(part.encode('utf-8', 'surrogatepass')).hexdigest()[:15]}"
    return quoted or "%"


def name_of(path: str) -> str | None:
    """What lies at *path* is called so; None where its name was too long for a path."""
    from urllib.parse import unquote

    parts = path.rpartition(".")[0].split("/")
    if any(len(part) >= MOST_NAME and _SHORTENED.search(part) for part in parts):
        return None
    return "/".join("" if part == "%" else unquote(part, errors="surrogatepass") for part in parts)


def tsv(name: str, series: Series) -> str:
    """A table of four columns, numbers as Python writes them: `nan`, `inf` and `-inf` among them."""
    rows = zip(series.steps, series.runtimes, series.timestamps, series.values, strict=True)
    lines = [f"{step}\t{runtime:.3f}\t{moment:.3f}\t{value!r}" for step, runtime, moment, value in rows]
    return "\n".join((f"step\t_runtime\t_timestamp\t{escape.cell(name)}", *lines, ""))


def of_tsv(path: str, content: bytes) -> tuple[str, Series] | None:
    """A metric and its series; None for a file that somebody spoiled, for a report can do without."""
    try:
        head, *lines = content.decode().rstrip("\n").split("\n")
        rows = [line.split("\t") for line in lines]
        column = head.split("\t")[3]
        known = next((name for name in (escape.of_cell(column), column) if path_of(name) == path), name_of(path))
        return column if known is None else known, Series(
            [_whole(row[0]) for row in rows], [float(row[1]) for row in rows], [float(row[2]) for row in rows],
            [_number(row[3]) for row in rows],
        )  # fmt: skip
    except (ValueError, IndexError):
        return None


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(float(text))


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


def jsonl(name: str, logged: Sequence[Logged], *, named: bool = False) -> bytes:
    """A line for each value; with the name where it is to be *named*, or no path can say it."""
    called = {"name": name} if named or name_of(path_of(name, "jsonl")) != name else {}
    return b"".join(_line(one, called) for one in logged)


def _line(one: Logged, called: Mapping[str, str]) -> bytes:
    times = {"step": one.step, "_runtime": one.runtime, "_timestamp": one.timestamp}
    return records.encode({**called, **times, "value": one.value}) + b"\n"


def objects(
    logged: Mapping[str, Sequence[Logged]], *, most: int, most_bytes: int, most_names: int
) -> tuple[dict[str, bytes], dict[str, int]]:
    """(the lines of each name by path, the names of which not all are there and how many there were).

    Of a name at most *most* values and *most_bytes*, evenly spread, the first and the last among them; *most_names*
    names, and twenty times *most_bytes* of them all.
    """
    files: dict[str, bytes] = {}
    thinned: dict[str, int] = {}
    room = 20 * most_bytes
    for name, values in logged.items():
        text, kept = _fitting(name, values, most, min(most_bytes, room)) if len(files) < most_names else (b"", 0)
        if text:
            files[path_of(name, "jsonl")] = text
            room -= len(text)
        if kept < len(values):
            thinned[name] = len(values)
    return files, thinned


def _fitting(name: str, values: Sequence[Logged], most: int, most_bytes: int) -> tuple[bytes, int]:
    count = min(most, len(values))
    while count:
        text = jsonl(name, _spread(values, count))
        if len(text) <= most_bytes:
            return text, count
        count = min(count - 1, count * most_bytes // len(text))
    return b"", 0


def _spread(values: Sequence[Logged], count: int) -> Sequence[Logged]:
    """*count* of *values*, evenly: the last, and if there is room the first, among them."""
    if count == len(values):
        return values
    last = len(values) - 1
    return [values[last - number * last // max(1, count - 1)] for number in reversed(range(count))]


def of_jsonl(path: str, content: bytes) -> tuple[str, list[Logged]] | None:
    """A name and what was logged so; None for a file that somebody spoiled."""
    try:
        told = [records.decode(line) for line in content.splitlines()]
        name = told[0].get("name", name_of(path))
        return (name, [_logged(one) for one in told]) if isinstance(name, str) else None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def of_lines(content: bytes) -> dict[str, list[Logged]]:
    """What named lines tell, by name. Raises `ValueError` or `KeyError` for a file that is something else."""
    found: dict[str, list[Logged]] = {}
    for line in content.splitlines():
        one = records.decode(line)
        found.setdefault(one["name"], []).append(_logged(one))
    return found


def _logged(one: Mapping[str, Any]) -> Logged:
    return Logged(one["step"], one["_runtime"], one["_timestamp"], one["value"])
