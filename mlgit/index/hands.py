"""More hands than one: other processes make shards of very many runs too, for reading them is Python's work.

Who makes what is said by files in a folder of their own: a block of runs is for whoever first makes the file of its
number. This process takes blocks from the end, the others from the beginning. What one leaves undone that dies is read
like any few runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.index import shard, sharding
from mlgit.index.cells import SEGMENT
from mlgit.index.shard import Shard
from mlgit.store import apart, records

_MANY = 5 * SEGMENT
"""Runs for which it is worth while: another Python needs a tenth of a second to begin."""
_MOST = 2
"""Others beside this one, which has to put all that they make into the index."""
_CODE = """
import json, sys
told = json.loads(sys.argv[1])
sys.path += told["path"]
from mlgit.index import hands
hands.main(told)
"""


def read(repo: Repo, reader: Reader, tips: Mapping[str, str]) -> Iterator[Shard]:
    """The shards of the runs at *tips*, name → tip, in no order; runs that are not here are left out."""
    count, stands = min(_MOST, _cores() - 1), list(tips.items())
    with contextlib.ExitStack() as ended:
        others: list[subprocess.Popen[bytes]] = []
        if len(tips) >= _MANY and count > 0 and apart.is_possible():
            with contextlib.suppress(OSError):  # no room, or no more processes: what there is has to do
                folder = Path(ended.enter_context(tempfile.TemporaryDirectory(prefix="mlgit-")))
                (folder / "tips").write_bytes(records.encode(stands))
                others.extend(_started(repo, folder, ended) for _ in range(count))
        if not others:
            yield from sharding.read(reader, tips)
            return
        for block in _claimed(folder, stands, from_end=True):
            yield from sharding.read(reader, block)
            yield from _ready(folder)
        for other in others:
            other.wait()
        yield from _ready(folder)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no such thing
        return os.cpu_count() or 1


def _started(repo: Repo, folder: Path, ended: contextlib.ExitStack) -> subprocess.Popen[bytes]:
    told = {"path": [place for place in sys.path if place], "parent": os.getpid()}
    told |= {"repo": str(repo.folder), "folder": str(folder)}
    words, nowhere = (sys.executable, "-P", "-c", _CODE, json.dumps(told)), subprocess.DEVNULL
    other = subprocess.Popen(words, stdin=nowhere, stdout=nowhere, stderr=nowhere, cwd=repo.folder)
    ended.callback(other.wait)
    ended.callback(other.kill)
    return other


def _claimed(folder: Path, stands: Sequence[tuple[str, str]], *, from_end: bool) -> Iterator[dict[str, str]]:
    """The blocks of runs, (name, tip) each, that this process is to read, one after the other."""
    blocks = range(0, len(stands), SEGMENT)
    for at in reversed(blocks) if from_end else blocks:
        try:
            os.close(os.open(folder / str(at), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            continue
        except OSError:  # there is no room, and what is left is nobody's
            return
        yield dict(stands[at : at + SEGMENT])


def _ready(folder: Path) -> Iterator[Shard]:
    """What others have made by now."""
    for path in sorted(folder.glob("*.shard")):
        yield shard.decode(path.read_bytes(), is_ours=True)
        path.unlink()


def main(told: Mapping[str, Any]) -> None:
    """What another process does, until all is done or nobody waits for it any more."""
    repo, folder = Repo.find(Path(told["repo"])), Path(told["folder"])
    assert repo
    with repo.reader() as reader, records.no_collection():
        stands = records.decode((folder / "tips").read_bytes())
        made = (one for block in _claimed(folder, stands, from_end=False) for one in sharding.read(reader, block))
        for number, one in enumerate(takewhile(lambda _: os.getppid() == told["parent"], made)):
            path = folder / f"{os.getpid()}-{number}"
            path.write_bytes(shard.encode(one))
            path.rename(path.with_suffix(".shard"))
    if os.getppid() != told["parent"]:  # it was killed, and does not tidy up
        shutil.rmtree(folder, ignore_errors=True)
