from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.git.repo import Repo
from mlgit.registry.policy import faults
from mlgit.store import registry as store

Mlgit = Callable[..., "subprocess.CompletedProcess[str]"]

WRONG = """\
stages:
  staging:
  production:
    after: stagin
    gates:
      - metric: accuracy
        mim: 0.9
      - {soak: soon}
      - {format: [safetensors]}
      - {aprovals: 2}
models:
  - models: fraud-*
    stages:
      production:
        gates:
          - {metric: recall}
"""


def test_everything_that_is_wrong_is_told_at_once_with_its_line():
    found = faults.faults(WRONG, source="p")

    assert [fault.partition(" ")[0] for fault in found] == ["p:7:", "p:8:", "p:10:", "p:16:"]
    assert "did you mean 'min'?" in found[0]
    assert "did you mean 'approvals'?" in found[2]
    assert faults.faults(WRONG.replace("mim", "min").split("      - {soak")[0], source="p") == [
        "p:4: stages.production.after: there is no stage 'stagin'; did you mean staging?"
    ]
    assert faults.faults("stages: [", source="p")[0].startswith("p:2:")
    assert faults.faults("stages: {a: }", source="p") == []


def test_whatever_is_wrong_around_gates_does_not_break_the_search():
    for text in ("stages: 3", "stages: {a: [1]}", "stages: {a: {gates: 1}}", "models: 1", "models: [1]", "- 1"):
        assert len(faults.faults(text, source="p")) == 1


def write(repo: Repo, **files: str) -> str:
    paths = {"policy": store.POLICY, "owners": ".github/CODEOWNERS", "stage": "registry/digits/old.yaml"}
    changed = {paths[name]: text.encode() for name, text in files.items()}
    commit = repo.commit(repo.resolve("main"), changed, "by hand")
    repo.git("reset", "-q", "--hard", commit)
    return commit


ODD = """\
stages: {production: }
models:
  - {models: d*, stages: {production: }}
  - {models: "*s", stages: {production: }}
  - {models: fraud-*, stages: {production: }}
"""


def test_a_policy_is_checked_and_what_is_odd_about_it_is_no_error(inside: Repo, trained, mlgit: Mlgit):
    trained("good", 0.95)
    mlgit("model", "register", "good")
    write(inside, policy=ODD, stage="version: v1.0.0\n", owners="*.md @ada\n")

    odd = mlgit("policy", "check").stdout.splitlines()
    write(inside, policy="stages: {old: }\n", owners="* @ada\n")

    assert odd == [
        "registry/policy.yaml:5: no model is called fraud-* so far.",
        "registry/policy.yaml:4: production of digits is asked by registry/policy.yaml:3 too; all of it counts.",
        "registry/digits/old.yaml: old serves v1.0.0 of digits, and registry/policy.yaml lists it no more.",
        ".github/CODEOWNERS: nobody has to review registry/policy.yaml; who may write may change what stages ask, or "
        "who asks it.",
        ".github/CODEOWNERS: nobody has to review .github/workflows/mlgit-settle.yml; who may write may change what "
        "stages ask, or who asks it.",
        "registry/policy.yaml can be read.",
    ]
    assert json.loads(mlgit("policy", "check", "--json").stdout) == {
        "file": "registry/policy.yaml", "errors": [], "remarks": [],
    }  # fmt: skip


def test_a_policy_that_cannot_be_read_is_told_of_in_full(inside: Repo, mlgit: Mlgit):
    Path("draft.yaml").write_text(WRONG)

    told = mlgit("policy", "check", "draft.yaml", check=False)
    plain = mlgit("policy", "check", "draft.yaml", "--json", check=False)

    assert told.returncode == plain.returncode == 2
    assert [line.partition(":")[0] for line in told.stderr.splitlines() if "draft.yaml:" in line] != []
    assert told.stderr.count("draft.yaml:") == len(json.loads(plain.stdout)["errors"]) == 4


def test_a_policy_is_begun_and_then_left_alone(inside: Repo, mlgit: Mlgit):
    missing = mlgit("policy", "check", check=False)
    begun = mlgit("policy", "init")
    again = mlgit("policy", "init", check=False)

    assert "mlgit policy init writes one" in missing.stderr
    assert begun.stdout.startswith("registry/policy.yaml is written.")
    assert again.returncode == 2
    assert "can be read" in mlgit("policy", "check").stdout


def test_without_a_policy_any_stage_takes_any_version(inside: Repo, trained, mlgit: Mlgit):
    trained("good", 0.95)
    mlgit("model", "register", "good")

    told = mlgit("policy", "explain", "digits@v1.0.0", "production").stdout.splitlines()

    assert told[0].startswith("main has no registry/policy.yaml: any stage takes any version.")
    assert told[1] == "production: takes any version"


def test_what_a_stage_asks_is_said_in_words_and_of_a_version_what_it_lacks(inside: Repo, trained, mlgit: Mlgit):
    trained("good", 0.95)
    mlgit("model", "register", "good")
    policy = """\
stages:
  staging:
  production:
    after: staging
    gates:
      - {metric: accuracy, min: 0.9}
      - {soak: 24h}
      - {command: [touch, /nowhere/at/all]}
"""
    write(inside, policy=policy)

    words = mlgit("policy", "explain", "digits").stdout.splitlines()
    told = mlgit("policy", "explain", "digits@v1.0.0", "production").stdout.splitlines()
    plain = json.loads(mlgit("policy", "explain", "digits@v1.0.0", "production", "--json").stdout)
    everywhere = mlgit("policy", "explain", "digits@v1.0.0").stdout.splitlines()

    assert words == [
        "staging (registry/policy.yaml:2): takes any version",
        "production (registry/policy.yaml:3)",
        "  after staging  (registry/policy.yaml:4)",
        "  accuracy ≥ 0.9  (registry/policy.yaml:6)",
        "  24h in staging  (registry/policy.yaml:7)",
        "  `touch /nowhere/at/all` lets it pass  (registry/policy.yaml:8)",
    ]
    assert told[1:5] == [
        "  fail  after staging: staging: it never was  (registry/policy.yaml:4)",
        "    to pass: mlgit promote digits@v1.0.0 staging first",
        "  pass  accuracy ≥ 0.9: 0.95  (registry/policy.yaml:6)",
        "  fail  24h in staging: staging: it never was  (registry/policy.yaml:7)",
    ]
    assert "error" in told[6]
    assert "it is not run to have a look" in told[6]
    assert told[7] == "    to pass: mlgit policy explain digits@v1.0.0 production --run runs it"
    assert [one["outcome"] for one in plain["stages"]["production"]] == ["fail", "pass", "fail", "error"]
    assert plain["stages"]["production"][0]["fix"] == "mlgit promote digits@v1.0.0 staging first"
    assert everywhere == ["staging (registry/policy.yaml:2): takes any version", *told]
    assert "exit code 1" in mlgit("policy", "explain", "digits@v1.0.0", "production", "--run").stdout


def test_where_a_version_serves_or_a_stage_is_held_is_said_where_it_is_explained(inside: Repo, trained, mlgit: Mlgit):
    for name, accuracy in (("good", 0.95), ("better", 0.97)):
        trained(name, accuracy)
        mlgit("model", "register", name)
    write(inside, policy="stages:\n  staging:\n  production:\n")
    mlgit("promote", "digits@v1.0.0", "staging", "--direct")
    mlgit("hold", "digits", "staging", "--reason", "the fair", "--direct")

    serves = mlgit("policy", "explain", "digits@v1.0.0").stdout.splitlines()
    held = json.loads(mlgit("policy", "explain", "digits@latest", "staging", "--json").stdout)
    slip = mlgit("policy", "explain", "digits@v1.0.0", "stagin", check=False)
    nobody = mlgit("policy", "explain", "digits@v9.0.0", check=False)

    assert serves == [
        "staging (registry/policy.yaml:2): digits v1.0.0 is in staging already, as main has it.",
        "production (registry/policy.yaml:3): takes any version",
    ]
    assert (held["version"], held["stages"]) == ("v1.1.0", {"staging": []})
    assert held["refused"]["staging"].endswith("the fair.")
    assert (slip.returncode, "did you mean staging?" in slip.stderr) == (2, True)
    assert "has no version v9.0.0" in nobody.stderr


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("promote digits@v1.0.0 p", ["production"]), ("policy explain digits s", ["staging", "shadow"]),
        ("policy explain other s", ["staging"]), ("registry log --stage s", ["staging", "shadow"]),
    ],
)  # fmt: skip
def test_stages_that_the_policy_lists_are_completed(inside: Repo, mlgit: Mlgit, words: str, completed: list[str]):
    policy = "stages: {staging: , production: }\nmodels: [{models: digits, stages: {shadow: }}]\n"
    write(inside, policy=policy)
    typed = {"COMP_WORDS": f"mlgit {words}", "COMP_CWORD": str(len(words.split())), "_MLGIT_COMPLETE": "bash_complete"}

    assert mlgit(env=os.environ | typed).stdout.replace("plain,", "").split() == completed
