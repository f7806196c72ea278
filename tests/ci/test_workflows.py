"""The workflows that `mlgit ci init` writes, and the actions that they call: every combination of options."""

from __future__ import annotations

import functools
import importlib.util
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from mlgit.ci import workflows
from mlgit.ci.workflows import KITS, WORKFLOWS, Options
from mlgit.cli import root
from mlgit.documents import reader
from mlgit.errors import MlgitError, UsageError
from tests.conftest import need

CHOICES: dict[str, tuple[Any, ...]] = {
    "requirements": ("", "a/requirements.txt"), "role": ("", "arn:aws:iam::123456789012:role/train"),
    "runners": (("ubuntu-latest",), ("self-hosted", "gpu box")), "python": ("3.12", ""),
    "install": ("mlgit==1.2.3", ""), "secret": ((), ("HF_TOKEN", "KEY")), "folder": (".", "models/a b"),
}  # fmt: skip
RETRAIN: dict[str, Any] = {"schedule": "0 3 * * MON-FRI", "watch": ("data/**", "a b/*.csv"), "stage": "staging"}
CHECKS = {
    "actionlint": ("-config-file", "labels.yaml"),
    "zizmor": ("--offline", "--persona", "pedantic"),
}


CALLED = {
    "pull", "plan", "trial", "collect", "dispatch", "report", "promote", "gates", "comment", "settle", "run", "push",
}  # fmt: skip
EXAMPLE = Path(__file__).parents[2] / "docs/workflows.md"


def combinations() -> list[Options]:
    return [
        Options(**dict(zip(CHOICES, some, strict=True)), **more)
        for some in itertools.product(*CHOICES.values())
        for more in (RETRAIN, {})
    ]


@functools.cache
def everything() -> dict[str, str]:
    """Each different text that can be rendered, and the one that the docs show, by a path of its own."""
    (example,) = re.findall(r"```yaml\n(.*?)```", EXAMPLE.read_text(encoding="utf-8"), re.DOTALL)
    texts = {re.sub(r"(uses: \./.*)", r"\1 # zizmor: ignore[self-repository]", example): ".github/workflows/train.yml"}
    for number, options in enumerate(combinations()):
        for path, file in workflows.rendered(KITS, options).items():
            texts.setdefault(file.body, f"{path.replace('.yml', '')}-{number}.yml")
    return {path: body for body, path in texts.items()}


@functools.cache
def read(text: str) -> Any:
    """What it says, by YAML 1.2, where `on` is no truth."""
    return reader.plain(text, source="a workflow")


def steps(text: str) -> list[dict[str, Any]]:
    told = read(text)
    found = told["runs"]["steps"] if "runs" in told else [one for job in told["jobs"].values() for one in job["steps"]]
    assert found
    return list(found)


@pytest.mark.parametrize("program", CHECKS)
def test_every_combination_is_clean_for_those_who_check_workflows(program: str, tmp_path: Path):
    path = Path(sys.executable).with_name(program)
    need(program, path.exists())
    (tmp_path / "labels.yaml").write_text("self-hosted-runner: {labels: [gpu box]}")
    for name, text in everything().items():
        if "/workflows/" in name:
            (tmp_path / Path(name).name).write_text(text)
    files = sorted(one.name for one in tmp_path.glob("*.yml"))

    done = subprocess.run([path, *CHECKS[program], *files], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert len(files) > 8
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["workflows", "actions"])
def test_every_combination_fits_the_schema(kind: str):
    """Those of SchemaStore, which check-jsonschema brings along; its own command reads YAML at a tenth of the speed."""
    found = importlib.util.find_spec("check_jsonschema")
    need("check-jsonschema", found is not None)
    assert found
    assert found.origin
    path = Path(found.origin).parent / f"builtin_schemas/vendor/github-{kind}.json"
    schema = json.loads(path.read_bytes())
    validator = jsonschema.validators.validator_for(schema)(schema)
    texts = {name: text for name, text in everything().items() if f"/{kind}/" in name}

    wrong = [(name, error.message) for name, text in texts.items() for error in validator.iter_errors(read(text))]

    assert len(texts) > 3
    assert not wrong


def test_every_action_is_clean_for_those_who_check_actions(tmp_path: Path):
    path = Path(sys.executable).with_name("zizmor")
    need("zizmor", path.exists())
    files = []
    for name, file in workflows.rendered(KITS, Options()).items():
        if "/actions/" in name:
            files.append(tmp_path / Path(name).parent.name / "action.yml")
            files[-1].parent.mkdir()
            files[-1].write_text(file.text)

    done = subprocess.run([path, *CHECKS["zizmor"], *files], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


PARSER = Path(sys.executable).parents[1] / "workflow-parser"
"""Where npm has put `@actions/workflow-parser`: see `.ci/run`."""


def parsed(files: list[Path]) -> str:
    """What GitHub's own parser finds wrong with *files*, a line each."""
    need("workflow-parser", bool(shutil.which("node")) and (PARSER / "node_modules").is_dir())
    words = ["node", Path(__file__).with_name("parse.mjs"), PARSER, *files]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_githubs_own_parser_takes_every_combination(tmp_path: Path):
    files = []
    for name, text in everything().items():
        inside = Path(name).name if "/workflows/" in name else f"{Path(name).parent.name}/action.yml"
        files.append(tmp_path / inside)
        files[-1].parent.mkdir(exist_ok=True)
        files[-1].write_text(text)

    assert parsed(files) == ""
    assert {file.name == "action.yml" for file in files} == {True, False}


def test_githubs_own_parser_would_say_what_is_wrong(tmp_path: Path):
    workflow, action = tmp_path / "wrong.yml", tmp_path / "action.yml"
    workflow.write_text("on: push\njobs: {a: {runs-on: x, steps: [{run: x, if: '${{ secrets.A }}'}]}}\n")
    action.write_text("{name: a, description: a, runs: {using: composite, steps: [{run: x}]}}")

    said = parsed([workflow, action])

    assert "wrong.yml (Line: 2, Col: 45): Unrecognized named-value: 'secrets'" in said
    assert "action.yml (Line: 1, Col: 60): Required property is missing: shell" in said


def test_no_script_is_made_of_what_an_author_wrote():
    for path, text in everything().items():
        for step in steps(text):
            assert "${{" not in step.get("run", ""), path


def test_every_action_of_others_is_pinned_and_every_own_one_is_rendered_too():
    for name, one in KITS.items():
        files = workflows.rendered([name], Options())
        for text in (file.body for file in files.values()):
            for uses in (step["uses"] for step in steps(text) if "uses" in step):
                own = f"{uses.removeprefix('./')}/action.yml"
                assert own in files if uses.startswith("./") else re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", uses)
        called = {path.split("/")[2].removeprefix("mlgit-") for path in files if "/actions/" in path}
        assert called == set(one.actions)


def test_every_call_of_mlgit_is_one_that_the_command_line_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RUNNER_TEMP", str(tmp_path))
    (tmp_path / "mlgit-plan").mkdir()
    (tmp_path / "mlgit-plan/plan.json").touch()
    (tmp_path / "mlgit-handed").mkdir()
    scripts = {
        step["run"]: tuple(step.get("env", {}))
        for path, text in everything().items()
        for step in steps(text)
        if "/actions/" in path and re.search(r"^\s*(exec )?mlgit\s", step.get("run", ""), re.MULTILINE)
    }
    calls = [call for script, names in scripts.items() for value in ("", "1") for call in called(script, names, value)]
    assert {words[1] if words[1] != "ci" else words[2] for words in calls} == CALLED
    for words in calls:
        command: click.Command = root
        context, rest = None, words[1:]
        while isinstance(command, click.Group):
            name, found, rest = command.resolve_command(click.Context(command, info_name=words[0]), rest)
            assert found, words
            command = found
            context = click.Context(command, info_name=name, parent=context)
        command.make_context(words[-1], rest)


def test_what_trains_is_told_by_github_that_its_job_is_cancelled():
    """The signal goes to the first process of the step, and bash hands it to nobody."""
    scripts = {step.get("run", "") for text in everything().values() for step in steps(text)}
    training = {script for script in scripts if re.search("mlgit ci (trial|run)", script)}

    assert len(training) == 3
    assert all(script.startswith("exec mlgit ") for script in training)


def called(script: str, names: tuple[str, ...], value: str) -> list[list[str]]:
    """The words with which bash calls mlgit in *script*, where each optional variable of *names* has the *value*."""
    always = {name: "1" for name in names if f"${{{name}:+" not in script}
    shell = 'mlgit() { printf \'%s\\0\' mlgit "$@"; echo; }\nexec() { "$@"; }\n' + script
    env = {"PATH": os.environ["PATH"], "RUNNER_TEMP": os.environ["RUNNER_TEMP"]} | dict.fromkeys(names, value) | always
    out = subprocess.run(["bash", "-euc", shell], env=env, capture_output=True, text=True, check=True).stdout
    return [line.split("\0")[:-1] for line in out.splitlines()]


def test_no_workflow_has_rights_that_a_job_did_not_ask_for():
    for path, text in everything().items():
        if "/workflows/" in path:
            told = read(text)
            assert told["permissions"] == {}
            assert all(job["permissions"] for job in told["jobs"].values())
            heard = {"pull_request_target", "workflow_run", "issue_comment"} & set(told["on"])
            assert heard == ({"issue_comment"} if told["name"] == "mlgit comments" else set())


def test_no_tag_starts_a_workflow_for_it_would_be_that_of_the_commit_that_is_tagged():
    for file in workflows.rendered([*WORKFLOWS], Options()).values():
        told = read(file.body)
        push = told.get("on", {}).get("push") if isinstance(told.get("on"), dict) else None
        assert push is None or ({"branches", "branches-ignore"} & {*push} and not {"tags", "tags-ignore"} & {*push})


def test_a_push_of_runs_or_charts_starts_no_report():
    told = read(workflows.rendered(["report"], Options())[WORKFLOWS["report"].path].body)

    assert told["on"]["push"] == {"branches-ignore": ["exp/**", "mlgit-assets", "gh-readonly-queue/**"]}


@pytest.mark.parametrize("labels", [("null",), ("true", "False", "8"), ("8-cores", "a b"), ("gpu", "x64.large")])
def test_a_runners_label_is_a_string_whatever_yaml_takes_it_for(labels: tuple[str, ...]):
    body = workflows.rendered(["report"], Options(runners=labels))[WORKFLOWS["report"].path].body

    found = read(body)["jobs"]["report"]["runs-on"]
    assert found == (labels[0] if len(labels) == 1 else list(labels))


def test_a_file_says_in_its_head_what_it_was_made_of():
    for options in combinations():
        assert Options.of(options.words()) == options
    for options in combinations()[::37]:
        for path, file in workflows.rendered(KITS, options).items():
            assert workflows.read(file.text, path) == file
            assert read(file.text) == read(file.body)
    assert workflows.read("name: mine\n", "x.yml") is None


def test_what_could_become_more_than_a_value_is_refused():
    for wrong in (
        {"runners": ("${{ x }}",)}, {"runners": ("a\nb",)}, {"runners": ()}, {"python": "3"}, {"install": "-r x"},
        {"install": "mlgit; x"}, {"install": "${{x}}"}, {"secret": ("A-B",)}, {"secret": ("GITHUB_TOKEN",)},
        {"schedule": "daily"}, {"schedule": "0 3 * * 1\n"}, {"watch": ("!registry/**",)}, {"watch": ("a\"b",)},
        {"stage": "${{x}}"}, {"stage": "-x"}, {"role": "${{x}}"},
        {"region": "a b"}, {"folder": "../x"}, {"folder": "/x"}, {"folder": "`x`"},
    ):  # fmt: skip
        with pytest.raises(UsageError):
            Options(**wrong)


def test_a_head_that_somebody_spoiled_is_said_with_its_place():
    text = workflows.rendered(["launch"], Options())[WORKFLOWS["launch"].path].text

    with pytest.raises(MlgitError, match=r"^x\.yml:1 does not say"):
        workflows.read(text.replace("mlgit ci init", "mlgit ci init --wings 2", 1), "x.yml")
