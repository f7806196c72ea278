"""`mlgit data`: what is kept in versions, on the command line."""

import json
import os

LOGGING = """
import mlgit
with mlgit.init(name="first") as run:
    for content in "ab":
        open("digits.csv", "w").write(content)
        data = mlgit.Artifact("digits", type="dataset")
        data.add_file("digits.csv")
        run.log_artifact(data, aliases=["gold"])
    run.log_artifact("digits.csv", name="churn", type="model")
"""


def test_verbs_are_completed_and_one_that_is_mistyped_is_suggested(mlgit):
    env = os.environ | {"_MLGIT_COMPLETE": "bash_complete", "COMP_WORDS": "mlgit data l", "COMP_CWORD": "2"}
    wrong = mlgit("data", "lss", check=False)

    assert "plain,ls" in mlgit(env=env).stdout.split()
    assert (wrong.returncode, "Did you mean 'ls'?" in wrong.stderr) == (2, True)


def test_artifacts_are_listed_with_their_newest_versions(inside, python, mlgit):
    python("-c", LOGGING)

    listed = {one["name"]: one for one in json.loads(mlgit("data", "ls", "--json").stdout)}
    assert (listed["digits"]["version"], listed["digits"]["aliases"]) == ("v1", ["gold", "latest"])
    assert listed["churn"]["type"] == "model"
    assert "churn" not in mlgit("data", "ls", "--type", "dataset").stdout


def test_where_there_is_nothing_yet_that_is_said(inside, mlgit):
    assert "No artifacts" in mlgit("data", "ls").stderr
