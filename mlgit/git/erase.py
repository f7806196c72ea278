"""Objects destroyed for good: off the disk, whether loose or in a pack, and nothing beside them.

git itself only ever drops all that is unreachable, which may be somebody's who is just about to point at it. Here only
what has been asked for goes; a pack is written anew without it before the old one is removed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from mlgit import whole
from mlgit.errors import GitError
from mlgit.git import process
from mlgit.git.repo import Repo, split_commit

_EVERYTHING = ("--all", "--reflog", "--indexed-objects")
"""All that git itself would keep: refs and HEADs, reflogs, the indexes of all work trees."""
_TRUE = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": os.devnull}
"""What is stored counts, not what git is told to show in its place (git-replace(1)): its own gc does likewise."""
_UNDER_WAY = "erasing"
_LARGEST = 100 << 20
"""Bytes of an object that is looked into."""
_MOVE = re.compile(rb"^([0-9a-f]{40,64}) ([0-9a-f]{40,64}) ", re.MULTILINE)
"""How an entry of a reflog begins."""
_TRAVELS = (".keep", ".promisor")
"""What is said of a pack by a file beside it, and holds for the one that takes its place."""


def reached(
    repo: Repo, commits: Collection[str], tips: Collection[str], *, but: Collection[str] | None = None
) -> set[str]:
    """Those of *commits* that *tips* lead to; or some HEAD or ref *but* for those, where they are given."""
    everything = () if but is None else (*(f"--exclude={ref}" for ref in but), "--all")
    return set(commits).intersection(_lines(repo, "rev-list", *everything, "--stdin", told=tips))


def lost(repo: Repo, is_meant: Callable[[str], bool]) -> list[str]:
    """The commits that no ref leads to any more, a reflog at the most, and whose message *is_meant*."""
    return _lost(repo, "commit", lambda content: is_meant(split_commit(content)[2]), "--all")


def lost_files(repo: Repo, is_meant: Callable[[bytes], bool]) -> list[str]:
    """The files that no ref leads to any more and whose content *is_meant*; large ones are not looked into."""
    return _lost(repo, "blob", is_meant, *_EVERYTHING, "--objects", "--no-object-names")


def _lost(repo: Repo, kind: str, is_meant: Callable[[bytes], bool], *reached: str) -> list[str]:
    """The objects of a *kind* that are not *reached* and whose content *is_meant*."""
    about = "--batch-check=%(objecttype) %(objectsize) %(objectname)"
    told = map(str.split, _lines(repo, "cat-file", "--batch-all-objects", "--unordered", about))
    left = {oid for what, size, oid in told if what == kind and int(size) <= _LARGEST}
    left.difference_update(_lines(repo, "rev-list", *reached))
    with repo.reader() as reader:
        return [found[0] for found in reader.read_all(sorted(left)) if found and is_meant(found[2])]


def only_in(repo: Repo, commits: Collection[str], alone: Collection[str] = ()) -> set[str]:
    """The objects that *commits* lead to, and those *alone*, but for what git would keep or somebody else lends."""
    walk = ("rev-list", "--objects", "--no-object-names")
    args = (*walk, "--ignore-missing", "--stdin", "--not", *_EVERYTHING)
    reached = _lines(repo, *args, told=commits) if commits else ()
    doomed = {*alone, *reached}
    if doomed:  # git looks no further than the ends of what is to stay, so it has named too many
        for oid in _lines(repo, *walk, *_EVERYTHING):
            doomed.discard(oid)
    return doomed - lent(repo, doomed)


def staged(repo: Repo, commits: Collection[str], *, but: Collection[str]) -> list[str]:
    """The paths in indexes of what *commits* lead to, and no ref *but* for those."""
    told = (line.partition(" ") for line in _lines(repo, "rev-list", "--objects", "--indexed-objects"))
    indexed = {oid: path for oid, _, path in told}
    walk = ("rev-list", "--objects", "--no-object-names")
    others = (*(f"--exclude={ref}" for ref in but), "--all")
    found = indexed.keys() & _lines(repo, *walk, "--stdin", "--not", *others, told=commits)
    if found:  # too many, as in `only_in`
        found.difference_update(_lines(repo, *walk, *others))
    return sorted(indexed[oid] for oid in found)


def lent(repo: Repo, objects: AbstractSet[str]) -> set[str]:
    """Those of *objects* that another repository lends (`objects/info/alternates`): they are not ours to destroy."""
    lines = repo.git("count-objects", "-v").splitlines()
    lenders = [line.removeprefix("alternate: ") for line in lines if line.startswith("alternate: ")]
    return {oid for store in lenders for oid in _stored(repo, {"GIT_OBJECT_DIRECTORY": store}) if oid in objects}


def remembered(repo: Repo, but: Collection[str]) -> dict[str, str]:
    """The commits that reflogs keep, those of the refs *but* for, each with one of its entries: `HEAD@{2}`."""
    begun, ended = dict[str, str](), dict[str, str]()
    for git_dir, ref, entries in _reflogs(repo):
        name = ref if git_dir == repo.common_dir else f"worktrees/{git_dir.name}/{ref}"
        for at, (old, new) in enumerate(() if ref in but else entries):
            begun[old] = ended[new] = f"{name}@{{{len(entries) - 1 - at}}}"
    found = begun | ended
    with repo.reader() as reader:
        return {commit: found[commit] for commit, size in zip(found, reader.sizes(found), strict=True) if size}


def forget(repo: Repo, commits: Collection[str], refs: Collection[str]) -> None:
    """Take *commits* out of the reflogs of HEADs and branches; those of *refs* are emptied."""
    there = repo.refs()
    for ref in (ref for ref in refs if ref in there):
        process.run("reflog", "expire", "--expire=now", "--expire-unreachable=now", ref, folder=repo.folder, ok=(0, 1))
    for git_dir, ref, entries in _reflogs(repo):
        if not any(commit in commits for entry in entries for commit in entry):
            continue
        reflog = ("--git-dir", str(git_dir), "reflog")
        for at, (_, commit) in enumerate(entries):  # the oldest is first; as they go, those after it keep their numbers
            if commit in commits:
                process.run(*reflog, "delete", f"{ref}@{{{len(entries) - 1 - at}}}", folder=repo.folder)
        never = ("--expire=never", "--expire-unreachable=never")  # what was done next stays, and begins elsewhere
        process.run(*reflog, "expire", "--rewrite", *never, ref, folder=repo.folder)


def _reflogs(repo: Repo) -> Iterator[tuple[Path, str, list[tuple[str, str]]]]:
    """(git folder, ref, the commits from and to which it moved, the oldest first) of every reflog, HEADs' too."""
    for git_dir in (repo.common_dir, *repo.common_dir.glob("worktrees/*")):
        for folder, _, names in os.walk(git_dir / "logs"):
            for path in (Path(folder, name) for name in names):
                try:
                    content = path.read_bytes()
                except FileNotFoundError:  # its branch has just been deleted or folded
                    continue
                moves = [(old.decode(), new.decode()) for old, new in _MOVE.findall(content)]
                yield git_dir, path.relative_to(git_dir / "logs").as_posix(), moves


def destroy(repo: Repo, objects: AbstractSet[str]) -> None:
    """Take *objects* off the disk. Raises `GitError` where one is still there.

    Until it is through, a file of mlgit's own names them, for `finish`: what is left of them leads nowhere by then.
    """
    with whole.at(repo.own / _UNDER_WAY) as scratch:
        scratch.write_text("".join(f"{oid}\n" for oid in objects))
    store = repo.common_dir / "objects"
    packs = [path for path in sorted((store / "pack").glob("*.idx")) if not objects.isdisjoint(_packed(path))]
    for index in packs:
        _rewrite(repo, index, objects)
    for oid in objects:
        (store / oid[:2] / oid[2:]).unlink(missing_ok=True)
    _renew(repo, store, is_repacked=bool(packs))
    _deepen(repo, objects)
    if left := objects & set(_stored(repo)):  # read, one would be fetched again into a partial clone
        raise GitError(
            f"{len(left)} objects could not be destroyed.", why=f"{min(left)} is still found.",
            fix="mlgit fsck --repair, once no git gc is at work",
        )  # fmt: skip
    (repo.own / _UNDER_WAY).unlink(missing_ok=True)


def is_cut_short(repo: Repo) -> bool:
    """Whether somebody died who was destroying objects."""
    return (repo.own / _UNDER_WAY).exists()


def finish(repo: Repo) -> bool:
    """Destroy what somebody could not who died of it, but for what is in use again by now; whether there was that."""
    try:
        objects = set((repo.own / _UNDER_WAY).read_text().split())
    except FileNotFoundError:
        return False
    destroy(repo, only_in(repo, (), objects))
    return True


def _packed(index: Path) -> Iterator[str]:
    """The objects of a pack, by its *index*."""
    with index.open("rb") as file:
        git = process.start(("show-index",), folder=index.parent, stdin=file.fileno())
        out, err = git.communicate()
    if git.returncode:
        raise process.failure("show-index", index.parent, err)
    return (line.split()[1].decode() for line in out.splitlines())


def _rewrite(repo: Repo, index: Path, objects: Collection[str]) -> None:
    """Put a pack without *objects* in the place of that of *index*."""
    kept = [oid for oid in _packed(index) if oid not in objects]
    if kept:
        told = "".join(f"{oid}\n" for oid in kept).encode()
        args = ("-c", "pack.packSizeLimit=0", "pack-objects", "--quiet", str(index.parent / "pack"))
        name = process.run(*args, folder=repo.folder, stdin=told).decode().strip()
        for ending in _TRAVELS:
            if (beside := index.with_suffix(ending)).exists():
                (index.parent / f"pack-{name}{ending}").write_bytes(beside.read_bytes())
        if name == index.stem.removeprefix("pack-"):  # git calls a pack by what it holds
            raise GitError(f"{index} was not written anew.")
    for path in sorted(index.parent.glob(f"{index.stem}.*"), key=lambda path: path.suffix == ".pack"):
        path.unlink()


def _renew(repo: Repo, store: Path, *, is_repacked: bool) -> None:
    """Let no file that is there to be quick speak of what has gone."""
    graphs = [store / "info" / "commit-graph", *(store / "info" / "commit-graphs").glob("*")]
    if any(graph.exists() for graph in graphs):
        for graph in graphs:
            graph.unlink(missing_ok=True)
        repo.git("commit-graph", "write", "--reachable")
    if is_repacked and (several := list((store / "pack").glob("multi-pack-index*"))):
        for path in several:
            path.unlink()
        repo.git("multi-pack-index", "write")


def _deepen(repo: Repo, objects: Collection[str]) -> None:
    """Let a shallow clone no longer say that its history ends at *objects*: no fetch could go beyond them."""
    path = repo.common_dir / "shallow"
    ends = path.read_text().split() if path.exists() else []
    if left := [end for end in ends if end not in objects]:
        with whole.at(path) as scratch:
            scratch.write_text("".join(f"{end}\n" for end in left))
    elif ends:
        path.unlink()


def _stored(repo: Repo, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """All objects that are on this disk."""
    args = ("cat-file", "--batch-all-objects", "--unordered", "--buffer", "--batch-check=%(objectname)")
    return (line.decode() for line in process.run(*args, folder=repo.folder, env=env).splitlines())


def _lines(repo: Repo, *args: str, told: Collection[str] = ()) -> Iterator[str]:
    """The lines that `git ARGS` prints, when it is *told* some. Raises `GitError`."""
    if "extensions.partialclone" in repo.config and args[0] == "rev-list":
        args = (args[0], "--missing=allow-promisor", *args[1:])
    out = process.run(*args, folder=repo.folder, env=_TRUE, stdin="".join(f"{line}\n" for line in told).encode())
    return (line.decode() for line in out.splitlines())
