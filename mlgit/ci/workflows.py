"""The files by which a repository's CI calls mlgit: options → text. Each says in its head what it was made of.

What was rendered goes by a digest in the head, so that a later look tells what somebody has changed since. Templates
have marks of their own, `<{ }>` and `<% %>`, for GitHub's expressions are `${{ }}`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from mlgit import resources
from mlgit.errors import MlgitError, UsageError
from mlgit.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

_HEAD = re.compile(r"# Made by `mlgit ci init(?P<words>[^`\n]*)`[^\n]*\n# mlgit \S+ sha256:(?P<digest>[0-9a-f]{64})\n")
_INSIDE = r"(?!.*(^|/)\.\.(/|$))[^/\s`{}\"'\\$-][^`{}\"'\\$\n]*"
_SEVERAL = ("secret", "watch")
"""Options that may be given several times."""
_PLAIN = r"(?!(true|false|yes|no|on|off|null|y|n)$)[a-z][\w.-]*"
"""A label that YAML takes for a string as it stands."""
_CONFLICT = re.compile(r"^(<{7} |={7}$|>{7} )", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Kit:
    """Files that are had together: actions, for a workflow of your own."""

    name: str
    what: str
    actions: tuple[str, ...] = ()
    """Those that it needs; that of its own name is the last."""
    is_usual: bool = True
    """Whether it is written where none is named."""

    @property
    def file(self) -> str:
        """What GitHub knows it by."""
        return f"mlgit-{self.name}.yml"

    @property
    def path(self) -> str:
        """The file by which it is there, from the repository's top."""
        return action_path(self.actions[-1])


@dataclass(frozen=True, kw_only=True)
class Workflow(Kit):
    """A workflow, and the actions that it calls."""

    @property
    def path(self) -> str:
        """Where it lies, from the repository's top."""
        return f".github/workflows/{self.file}"


WORKFLOWS = {
    one.name: one
    for one in (
        Workflow(
            name="experiment",
            what="what commits ask for, trained: plan, trials, collect, report",
            actions=("setup", "plan", "trial", "collect", "report"),
        ),
        Workflow(
            name="report",
            what="the report on each pull request, as its one comment, and what the gates say of it",
            actions=("setup", "report", "gates"),
        ),
        Workflow(
            name="retrain",
            what="trained anew when data change, or by the clock; proposed where it is better",
            actions=("setup", "plan", "trial", "collect", "promote"),
            is_usual=False,  # it trains without being asked each time
        ),
        Workflow(
            name="settle",
            what="the stages after a merge, as tags, where the gates pass",
            actions=("setup", "settle"),
        ),
        Workflow(
            name="comments",
            what="what a comment on a pull request asks of the registry: /mlgit promote, rollback, hold, lift",
            actions=("setup", "comment"),
            is_usual=False,  # comments are anybody's: who wants them says so
        ),
        Workflow(name="launch", what="what `mlgit launch --on actions` starts"),
    )
}
KITS: Mapping[str, Kit] = {
    **WORKFLOWS,
    "run": Kit(name="run", what="a run in a workflow of your own", actions=("setup", "run"), is_usual=False),
}
"""All that can be had."""


def action_path(name: str) -> str:
    """Where the action *name* lies, from the repository's top."""
    return f".github/actions/mlgit-{name}/action.yml"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a repository can choose. Each is an option of `mlgit ci init` of the same name."""

    runners: tuple[str, ...] = ("ubuntu-latest",)
    """The labels of the runner that plans, collects and reports; mlgit.yaml says which ones train."""
    python: str = "3.12"
    """The Python that it gets; nothing for the one that it has."""
    install: str = f"mlgit=={__version__}"
    """What pip installs there; nothing for what it has."""
    requirements: str = ""
    """A file of what is installed besides to train, from the repository's top; nothing for none."""
    secret: tuple[str, ...] = ()
    """The names of secrets that trials have, and that launched jobs may ask for."""
    role: str = ""
    """The role on AWS that trials and collect take by OIDC, for DVC's remote on S3; nothing for none."""
    region: str = "us-east-1"
    """Its region."""
    folder: str = "."
    """The project's, from the repository's top."""
    schedule: str = ""
    """When it is trained anew, as cron has it, by UTC; nothing for not by the clock."""
    watch: tuple[str, ...] = ()
    """Further paths that are data, as patterns of GitHub's: what changes one on the default branch trains anew."""
    stage: str = "production"
    """What is trained anew is proposed for it."""

    def __post_init__(self) -> None:
        for label in self.runners:
            _fits(label, r"[\w.][\w. -]*", "a runner's label", "ubuntu-latest")
        if not self.runners:
            raise UsageError("Runners need a label.", fix="--runners ubuntu-latest")
        _fits(self.python, r"(\d+\.\d+(\.\d+)?)?", "a version of Python", "3.12")
        _fits(self.install, r"([A-Za-z0-9][^\s`{}\"'\\$]*)?", "a requirement without blanks", f"mlgit=={__version__}")
        for name in self.secret:
            _fits(name, r"(?!GITHUB_|\d)[A-Za-z0-9_]+", "the name of a secret", "HF_TOKEN")
        _fits(self.role, r"(arn:[\w+=,.@:/-]+)?", "a role on AWS", "arn:aws:iam::123456789012:role/train")
        _fits(self.region, r"[a-z0-9-]+", "a region of AWS", "eu-central-1")
        _fits(self.folder, _INSIDE, "a folder of the repository", "models")
        _fits(self.schedule, r"([\dA-Z*,/-]+( [\dA-Z*,/-]+){4})?", "a time of cron's", "0 3 * * 1")
        for path in self.watch:
            _fits(path, f"(?!!){_INSIDE}", "a pattern of paths", "data/**")
        _fits(self.stage, r"[A-Za-z0-9]([\w-]*[A-Za-z0-9])?", "a stage", "production")
        _fits(self.requirements, f"({_INSIDE})?", "a file of the repository", "requirements.txt")

    @property
    def watched(self) -> tuple[str, ...]:
        """The paths that are data: what DVC writes for them into the project, and those of choice."""
        below = "" if self.folder == "." else f"{self.folder.rstrip('/')}/"
        return (f"{below}**.dvc", f"{below}**/dvc.lock", *self.watch)

    def words(self) -> list[str]:
        """The command line's words for what is not as by default."""
        default = Options()
        chosen = {one.name: getattr(self, one.name) for one in fields(self)}
        return [
            word
            for name, value in chosen.items()
            if value != getattr(default, name)
            for one in (value if name in _SEVERAL else [",".join(value) if name == "runners" else value])
            for word in (f"--{name}", one)
        ]

    @classmethod
    def of(cls, words: Iterable[str]) -> Options:
        """What `words` gave. Raises `UsageError` for what it did not give."""
        told = list(words)
        given: dict[str, list[str]] = {}
        for flag, value in zip(told[::2], told[1::2], strict=False):
            given.setdefault(flag.removeprefix("--"), []).append(value)
        if len(told) % 2 or set(given) - {one.name for one in fields(cls)}:
            raise UsageError(f"`mlgit ci init {shlex.join(told)[:120]}` is no call that is known.")
        return cls(**{name: _value(name, values) for name, values in given.items()})


def _value(name: str, given: list[str]) -> Any:
    return tuple(given) if name in _SEVERAL else tuple(given[-1].split(",")) if name == "runners" else given[-1]


def _fits(text: str, pattern: str, what: str, example: str) -> None:
    if not re.fullmatch(pattern, text, re.ASCII):
        raise UsageError(f"{text[:80]!r} is not {what}.", fix=f"write it like {example}")


@dataclass(frozen=True, kw_only=True)
class File:
    """One of those files, as it was rendered or as somebody left it."""

    options: Options
    digest: str
    """Of the body as it was rendered."""
    body: str

    @property
    def is_edited(self) -> bool:
        """Whether it is not as it was rendered."""
        return self.digest != _digest(self.body)

    @property
    def is_in_conflict(self) -> bool:
        """Whether an upgrade's marks stand in it yet."""
        return bool(_CONFLICT.search(self.body))

    @property
    def text(self) -> str:
        """All of it."""
        called = shlex.join(["mlgit", "ci", "init", *self.options.words()])
        return (
            f"# Made by `{called}`, and yours to edit: `mlgit ci upgrade` keeps what you change.\n"
            f"# mlgit {__version__} sha256:{self.digest}\n{self.body}"
        )

    def with_body(self, body: str) -> File:
        """The same, with changes in it."""
        return replace(self, body=body)


def read(text: str, path: str) -> File | None:
    """The file *text* at *path*; None where it is none of ours. Raises `MlgitError` for a head that cannot be read."""
    head = _HEAD.match(text)
    if head is None:
        return None
    try:
        options = Options.of(shlex.split(head["words"]))
    except (ValueError, UsageError) as exc:
        why = str(exc).rstrip(".")
        raise MlgitError(
            f"{path}:1 does not say what it was made of: {why}.", fix="git log -p shows what it said"
        ) from None
    return File(options=options, digest=head["digest"], body=text[head.end() :])


def rendered(names: Iterable[str], options: Options) -> dict[str, File]:
    """The files of the kits *names*, by their paths. Actions take what they need as inputs."""
    chosen = [KITS[name] for name in names]
    files = {one.path: _workflow(one, options) for one in chosen if isinstance(one, Workflow)}
    for action in dict.fromkeys(action for one in chosen for action in one.actions):
        files[action_path(action)] = _file(_action(action), Options())
    return files


def _workflow(one: Workflow, options: Options) -> File:
    return _file(_environment().get_template(f"mlgit-{one.name}.yml.j2").render(options=options), options)


def _action(name: str) -> str:
    return (resources.actions() / name / "action.yml").read_text(encoding="utf-8")


def _file(body: str, options: Options) -> File:
    return File(options=options, digest=_digest(body), body=body)


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode(errors="surrogateescape")).hexdigest()


@functools.cache
def _environment() -> Environment:
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(resources.templates() / "workflows"), undefined=StrictUndefined, autoescape=False,
        variable_start_string="<{", variable_end_string="}>", block_start_string="<%", block_end_string="%>",
        comment_start_string="<#", comment_end_string="#>", trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    filters: Mapping[str, Callable[..., Any]] = {"text": json.dumps, "labels": _labels}
    environment.filters.update(filters)
    return environment


def _labels(labels: tuple[str, ...]) -> str:
    """*labels* as YAML: a string where there is one, as people write it."""
    plain = [label if re.fullmatch(_PLAIN, label, re.IGNORECASE) else json.dumps(label) for label in labels]
    return plain[0] if len(plain) == 1 else f"[{', '.join(plain)}]"
