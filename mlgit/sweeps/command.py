"""What a trial runs: a command of words with W&B's macros in it, checked, then filled in with the trial's params.

The macros are listed at https://docs.wandb.ai/models/sweeps/sweep-config-keys.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from mlgit.errors import UsageError
from mlgit.sweeps.space import Params, SweepFile

ARGS = (
    "args", "args_no_equals", "args_no_hyphens", "args_no_boolean_flags", "args_append_hydra", "args_override_hydra",
)  # fmt: skip
"""Macros that become any number of words, one or two a param; each stands as a word of its own."""
MACROS = (*ARGS, "env", "interpreter", "program", "args_json", "args_json_file")
DEFAULT = ("${env}", "${interpreter}", "${program}", "${args}")
"""What runs where a file names a program and no command."""


def chosen(file: SweepFile, given: Sequence[str]) -> tuple[str, ...]:
    """What each trial runs: *given*, else what the file says. Raises `UsageError` where neither says anything."""
    if given:
        try:
            check(given, program=file.program)
        except ValueError as exc:
            raise UsageError(f"The command {shlex.join(given)!r} cannot be run: {exc}.") from None
        return tuple(given)
    if file.command is None:
        raise UsageError(
            "Neither the sweep file nor the command line says what a trial runs.",
            fix="put `program: train.py` into the file, or end the line with `-- python train.py`",
        )
    return file.command


def check(words: Sequence[str], *, program: str | None) -> None:
    """Raise `ValueError` for a macro in *words* that cannot be filled in. Other `${…}` are left for the program."""
    if not words:
        raise ValueError("expected at least one word")
    for word in words:
        whole = re.fullmatch(r"\$\{([a-z_]+)\}", word)
        if whole and whole[1] not in MACROS:
            close = difflib.get_close_matches(whole[1], MACROS, 1)
            hint = f"did you mean ${{{close[0]}}}?" if close else f"known: {', '.join(MACROS)}"
            raise ValueError(f"there is no macro {word}; {hint}")
        for name in ARGS:
            if f"${{{name}}}" in word and not whole:
                raise ValueError(f"{word!r}: ${{{name}}} becomes several words and stands alone")
        if "${program}" in word and not program:
            raise ValueError("${program} stands for the file's program, and it names none")


def script(words: Sequence[str], program: str | None) -> str | None:
    """The file that the interpreter of a trial runs, from where the sweep does; None where the command is another."""
    is_file = program is not None and not program.startswith("-")  # `-m package` is W&B's way to run a module
    return program if is_file and ("${interpreter}", "${program}") in itertools.pairwise(words) else None


def fill(
    command: Sequence[str], params: Params, *, file: SweepFile, json_file: str, env: Mapping[str, str],
    interpreter: str = "python",
) -> tuple[str, ...]:  # fmt: skip
    """*command* with W&B's macros filled in. *json_file*: where `${args_json_file}` lies; *env* answers `${envvar:…}`.

    Raises `UsageError` for an environment variable that is not set.
    """
    lists = _args(params)
    one = {
        "${env}": "/usr/bin/env",
        "${interpreter}": interpreter,
        "${program}": file.program or "",
        "${args_json}": json_args(params, file),
        "${args_json_file}": json_file,
    }
    words: list[str] = []
    for word in command:
        if word in lists:
            words += lists[word]
        else:
            words.append(re.sub(r"\$\{[a-z_]+\}", lambda found: one.get(found[0], found[0]), _with_env(word, env)))
    return tuple(words)


def _with_env(word: str, env: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in env:
            raise UsageError(f"The sweep's command asks for the environment variable {found[1]}, which is not set.")
        return env[found[1]]

    return re.sub(r"\$\{envvar:([A-Za-z0-9_]*)\}", value, word)


def _args(params: Params) -> dict[str, list[str]]:
    """The macros that become several words, each with its words; values in Python's spelling, as W&B has it."""
    texts = {name: str(value) for name, value in params.items()}
    flags = [
        f"--{name}" if params[name] is True else f"--{name}={text}"
        for name, text in texts.items()
        if params[name] is not False
    ]
    words = (
        [f"--{name}={text}" for name, text in texts.items()],
        [word for name, text in texts.items() for word in (f"--{name}", text)],
        [f"{name}={text}" for name, text in texts.items()],
        flags,
        [f"+{name}={text}" for name, text in texts.items()],
        [f"++{name}={text}" for name, text in texts.items()],
    )
    return {f"${{{name}}}": list(found) for name, found in zip(ARGS, words, strict=True)}


def json_args(params: Params, file: SweepFile) -> str:
    """*params* as JSON, nested as the file nests them."""
    tree: dict[str, Any] = {}
    for name, value in params.items():
        node = tree
        *above, last = file.paths.get(name, (name,))
        for part in above:
            node = node.setdefault(part, {})
        node[last] = value
    return json.dumps(tree)
