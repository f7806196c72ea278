"""What it takes to make a run again, by its own record; and what of that no machine has (pure)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlgit.core import secrets
from mlgit.core.compare import flatten
from mlgit.core.run import Run, State
from mlgit.core.surroundings import is_of_machine

_PYTHON = re.compile(r"(?:.*/)?python[0-9.]*")
_TAKES_WORD = ("-W", "-X")
_SAYS_PROGRAM = re.compile("-[bBdEiIOPqRsSuvx]*[cm]")
"""`-c` and `-m`, which may stand behind others: `python -um train`."""
_CUT = "…"


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Something that it takes and that is not here."""

    kind: str
    """`code`, `data`, `artifact`, `package`, `library`, `python`, `variable`, `file`, `command`, `tool`,
    `image`, `machine` or `run`."""
    name: str
    why: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a run was made."""

    run: Run
    words: tuple[str, ...]
    """Its command."""
    cwd: str
    """Where that ran, in the repository."""
    params: Mapping[str, Any]
    """What came from outside."""
    environment: Mapping[str, str]
    """The recorded variables that say how it runs."""
    metrics: tuple[str, ...]
    """The metrics files that it was told of."""
    takes_wandb: bool
    about: Mapping[str, Any]
    """All of `run.yaml`."""

    @property
    def python(self) -> str:
        """The version of Python that ran it."""
        return str(self.about.get("python") or "")

    @property
    def earlier(self) -> Mapping[str, Any]:
        """What it went on from: `how` (resume, rewind or fork), `run`, `commit` and `step`; as a rule nothing."""
        told = self.about.get("earlier")
        return told if isinstance(told, Mapping) else {}

    @property
    def called_by(self) -> str:
        """The sweep whose program called a function for it; nothing for any other run."""
        return self.run.sweep or "" if self.about.get("by") is None else ""

    @property
    def image(self) -> str:
        """The image of the container that it ran in; nothing where it ran in none, or did not know."""
        return str(self.about.get("image") or "")

    @property
    def has_gpu(self) -> bool:
        """Whether it found a GPU."""
        return bool(self.about.get("gpu"))

    @property
    def packages(self) -> dict[str, str]:
        """The distributions that were installed, and their versions."""
        return _texts(self.about.get("packages"))

    @property
    def sources(self) -> dict[str, dict[str, Any]]:
        """Where those came from that no index has: name → `url` and `commit`, or `path` in the repository."""
        told = self.about.get("sources")
        pairs = told.items() if isinstance(told, Mapping) else ()
        return {str(name): dict(one) for name, one in pairs if isinstance(one, Mapping)}

    @property
    def elsewhere(self) -> dict[str, tuple[str, ...]]:
        """The indexes that were told of besides the usual one: `index` and `find_links`."""
        told = self.about.get("indexes")
        return {str(kind): _listed(one) for kind, one in told.items()} if isinstance(told, Mapping) else {}

    @property
    def script(self) -> str:
        """The file of the repository that its command names as the program; nothing where it names none."""
        return script(self.words, self.cwd)


def of(run: Run, about: Mapping[str, Any]) -> Recipe:
    """The recipe of *run*, whose `run.yaml` says *about*."""
    params = flatten(run.params)
    return Recipe(
        run=run,
        words=_listed(about.get("command")),
        cwd=str(about.get("cwd") or "."),
        params={name: params[name] for name in run.given if name in params},
        environment={
            name: value for name, value in _texts(about.get("environment")).items() if not is_of_machine(name)
        },
        metrics=_listed(about.get("metrics_files")),
        takes_wandb=bool(about.get("takes_wandb")),
        about=about,
    )  # fmt: skip


def _listed(told: Any) -> tuple[str, ...]:
    return tuple(map(str, told)) if isinstance(told, list) else ()


def _texts(tree: Any) -> dict[str, str]:
    return {str(key): str(value) for key, value in tree.items()} if isinstance(tree, Mapping) else {}


def is_python(word: str) -> bool:
    """Whether a command that begins with *word* runs Python."""
    return bool(_PYTHON.fullmatch(word))


def script(words: Sequence[str], cwd: str) -> str:
    """The path in the repository of the program that *words*, run in *cwd*, name; nothing where they name no file."""
    rest = list(words)
    if rest and posixpath.basename(rest[0]) == "env":
        rest = [word for number, word in enumerate(rest) if number and "=" not in word]
    if rest and is_python(rest[0]):
        rest = _program(rest[1:])
        if rest and rest[0].startswith("-"):
            return ""
    elif rest and "/" not in rest[0]:
        return ""  # found on the path
    return posixpath.normpath(posixpath.join(cwd, rest[0])) if rest else ""


def _program(rest: Sequence[str]) -> list[str]:
    """Of what follows the word `python` in a command, what follows its options: a file, `-c`, `-m` or `-`."""
    left = list(rest)
    while left and left[0].startswith("-") and left[0] != "-" and not _SAYS_PROGRAM.match(left[0]):
        left = left[2:] if left[0] in _TAKES_WORD else left[1:]
    return left


def changed(recipe: Recipe, params: Mapping[str, Any]) -> Recipe:
    """*recipe* with other *params*; where its command states the old value of one, it states the new one."""
    known = flatten(recipe.run.params)
    words = list(recipe.words)
    for name, value in params.items():
        before = _text(known[name]) if name in known else None
        names = {f"{dashes}{one}" for dashes in ("--", "-", "") for one in (name, name.replace("_", "-"))}
        for at, word in enumerate(words):
            key, equals, stated = word.partition("=")
            if equals and key in names and stated == before:
                words[at] = f"{key}={_text(value)}"
            elif word.startswith("-") and word in names and words[at + 1 : at + 2] == [before]:
                words[at + 1] = _text(value)
    return replace(recipe, params={**recipe.params, **params}, words=tuple(words))


def _text(value: Any) -> str:
    """As a sweep puts it into a command."""
    return str(value)


def lacking(recipe: Recipe) -> Iterator[Missing]:
    """What the record itself says is missing, on whatever machine."""
    run, words = recipe.run, recipe.words
    if run.state is State.RUNNING:
        yield Missing(kind="run", name=run.name, why="it is still under way", fix="wait for its end")
    if recipe.earlier and recipe.earlier.get("how") != "resume":
        name, step = recipe.earlier.get("run", "?"), recipe.earlier.get("step", "?")
        why = f"it went on from there, at step {step}, with the state that this one had then, which no run records"
        fix = f"mlgit reproduce {name}; and log as an artifact what a run goes on from, with use_artifact in the next"
        yield Missing(kind="run", name=str(name), why=why, fix=fix)
    if not words:
        yield Missing(kind="command", name="?", why="no command was recorded")
    elif is_python(words[0]) and _program(words[1:])[:1] in ([], ["-"]):
        why = "it was typed at a prompt or came through a pipe, and is in no file"
        yield Missing(kind="command", name=" ".join(words[:2]), why=why)
    elif any(word.endswith(_CUT) for word in words):
        yield Missing(kind="command", name=words[0], why="a word of it was too long to be recorded")
    hidden = [f"-p {name}" for name, value in recipe.params.items() if value == secrets.HIDDEN]
    hidden += [name for name, value in recipe.environment.items() if secrets.HIDDEN in value]
    hidden += [word for word in words if secrets.HIDDEN in word]
    for name in hidden:
        yield Missing(kind="variable", name=name, why="it looked like a secret, which no run records")
    count = str(_texts(recipe.about.get("environment")).get("WORLD_SIZE", "1"))
    if count not in ("", "1"):
        yield Missing(kind="command", name="WORLD_SIZE", why=f"it was one of {count} processes, which others began")


def other_segment(recipe: Recipe, earlier: Recipe) -> Missing | None:
    """What stands against making again in one go what began as *earlier* and was resumed as *recipe*."""
    alike = {
        "code": flatten(earlier.about).get("code.tree") == flatten(recipe.about).get("code.tree"),
        "command": (earlier.words, earlier.cwd) == (recipe.words, recipe.cwd),
        "params": earlier.run.params == recipe.run.params,
    }
    other = [name for name, same in alike.items() if not same]
    if not other:
        return None
    step = recipe.earlier.get("step", "?")
    why = f"it was resumed after step {step} with other {' and '.join(other)}, so no single command makes it again"
    fix = "git checkout each commit of its branch; and fork a run instead of resuming it where something changes"
    return Missing(kind="run", name=recipe.run.name, why=why, fix=fix)


def doubtful(recipe: Recipe) -> Iterator[Missing]:
    """What was there when it ran and was not taken along: nobody can tell whether the program read it."""
    for line in _listed(recipe.about.get("left_out")):
        yield Missing(kind="file", name=line, why="the snapshot of the code left it out")
    for name, told in recipe.sources.items():
        if folder := told.get("folder"):
            at = f", at commit {told['commit'][:10]}" if told.get("commit") else ""
            why = "changes that were in no commit were not recorded"
            yield Missing(kind="package", name=f"{name}, from the folder {folder}{at}", why=why)
