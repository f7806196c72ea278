from __future__ import annotations

import json

import jsonschema
import pytest

from mlgit import resources
from mlgit.documents.reader import plain
from mlgit.documents.schema import schema
from mlgit.errors import ConfigError
from mlgit.registry.automation import file
from mlgit.registry.automation.file import AutomationsFile, Command, Dispatch, On, Webhook

TEXT = """\
automations:
  - name: tell-serving
    on: [promoted, rolled_back]
    stages: production
    do: {webhook: "https://example.com/hook", secret: SERVING_SECRET}
  - name: deploy
    on: promoted
    models: fraud-*
    do: {dispatch: deploy.yml, inputs: {what: "{model}@{version}"}}
  - name: card
    on: version
    do: {command: [python, card.py], timeout: 5m}
advance:
  - stage: staging
"""


def test_a_file_says_what_follows_on_what():
    read = file.read(TEXT, source="automations.yaml")
    hook, deploy, card = read.automations

    assert isinstance(hook.do, Webhook)
    assert isinstance(deploy.do, Dispatch)
    assert card.do == Command(command=("python", "card.py"), timeout="5m")
    assert hook.follows(On.PROMOTED, "churn", "production")
    assert not hook.follows(On.PROMOTED, "churn", "staging")
    assert not hook.follows(On.VERSION, "churn", None)
    assert not deploy.follows(On.PROMOTED, "churn", "production")
    assert card.follows(On.VERSION, "churn", None)
    assert [rule.stage for rule in read.advance] == ["staging"]


def test_the_schema_is_what_is_read():
    stored = json.loads((resources.schemas() / "automations.json").read_text())

    assert stored == schema(AutomationsFile, title="registry/automations.yaml")
    jsonschema.validate(plain(TEXT, source="automations.yaml"), stored)


DO = "do: {webhook: 'https://a.example'}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"automations: [{{name: a, on: promote, {DO}}}]", "'promoted'"),
        (f"automations: [{{name: a, on: [], {DO}}}]", "follows on nothing"),
        (f"automations: [{{name: A b, on: version, {DO}}}]", "something like tell-serving"),
        (f"automations:\n  - {{name: a, on: version, {DO}}}\n  - {{name: a, on: version, {DO}}}",
         r"automations.yaml:3: automations.1.name: a is called so already"),
        ("automations: [{name: a, on: version, do: {}}]", "one of webhook, dispatch, command is required"),
        ("automations: [{name: a, on: version, do: {webhok: x}}]", "did you mean 'webhook'"),
        ("automations: [{name: a, on: version, do: {webhook: 'http://a.example'}}]", "use https"),
        ("automations: [{name: a, on: version, do: {webhook: 'file:///etc/passwd'}}]", "an address like"),
        ("automations: [{name: a, on: version, do: {webhook: 'https://u:p@a.example'}}]", "holds no password"),
        ("automations: [{name: a, on: version, do: {dispatch: ../x.yml}}]", "named by its file"),
        ("automations: [{name: a, on: version, do: {dispatch: mlgit-settle.yml}}]", "would go round"),
        ("automations: [{name: a, on: version, do: {dispatch: x.yml, inputs: {v: '{verzion}'}}}]",
         "{verzion} stands for nothing"),
        ("automations: [{name: a, on: version, do: {command: []}}]", "names no program"),
        ("automations: [{name: a, on: version, do: {command: [x], timeout: soon}}]", "something like 10m"),
        ("automations: [{name: a, on: version, do: {command: [x], timeout: 2h}}]", "expected at most 50m"),
        ("advance: [{models: a}]", "stage: required"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        file.read(text, source="automations.yaml")
