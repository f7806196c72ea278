"""Gates that ask for a test: over the runs of a setting, and over examples that runs logged, as they are in git."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit import wiring
from mlgit.artifacts import adding
from mlgit.artifacts import log as artifacts
from mlgit.core.model import ModelVersion, Stage
from mlgit.core.run import Run
from mlgit.core.verdict import Outcome
from mlgit.git.repo import Repo
from mlgit.registry.evidence import scored
from mlgit.registry.policy.evidence import Examples
from mlgit.registry.versions import registering
from mlgit.store import registry as store
from mlgit.store.place import Place
from mlgit.tracking import session
from mlgit.tracking.media.table import Table
from mlgit.wiring import promoting
from tests.recorded import only, record

POLICY = "stages: {prod: {gates: [{better_than: champion, metric: accuracy, over: %s}]}}\n"
Registered = Callable[[str, float, Sequence[float]], ModelVersion]


@pytest.fixture
def place(inside: Repo) -> Place:
    Path("mlgit.yaml").write_text("project: digits\n")
    inside.git("add", "-A")
    inside.git("commit", "-qm", "A project")
    return wiring.place(inside.folder)


@pytest.fixture
def registered(place: Place) -> Registered:
    """`registered("a", 0.1, [0.9, 0.91])`: a version of the setting lr=0.1, the first of as many seeds."""

    def make(name: str, lr: float, accuracies: Sequence[float]) -> ModelVersion:
        found = list[Run]()
        for seed, accuracy in enumerate(accuracies):
            weights = place.repo.own / "net.bin"
            weights.parent.mkdir(exist_ok=True)
            weights.write_text(f"{name} {seed}")
            logged = (artifacts.log(place.repo, weights, name="net", type="model"),)
            found.append(
                record(
                    place.repo, f"{name}{seed}".ljust(8, "0"), project="digits", logged=logged,
                    params={"lr": lr, "seed": seed}, metrics={"accuracy": accuracy},
                )
            )  # fmt: skip
        return registering.register(place.repo, found[0], model="net")

    return make


def serve(place: Place, version: ModelVersion, policy: str) -> None:
    """Let the branch of promotions say that prod serves *version*, and what it asks."""
    texts = {
        store.POLICY: policy, store.version_path("net", version.version): store.version_text(version),
        store.stage_path("net", "prod"): store.stage_text(Stage(model="net", stage="prod", version=version.version)),
    }  # fmt: skip
    for path, text in texts.items():
        target = place.repo.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    place.repo.git("add", "-A")
    place.repo.git("commit", "-qm", "Serve it")


@pytest.mark.parametrize(
    ("accuracies", "outcome"),
    [
        ([0.93, 0.94, 0.95], Outcome.PASSED),
        ([0.93, 0.80, 0.99], Outcome.INCONCLUSIVE),
        ([0.93], Outcome.INCONCLUSIVE),
    ],
)
def test_a_candidate_is_compared_over_the_runs_of_its_setting(
    place: Place, registered: Registered, accuracies: list[float], outcome: Outcome
):
    serve(place, registered("a", 0.1, [0.90, 0.91, 0.92]), POLICY % "seeds")
    candidate = registered("b", 0.2, accuracies)

    plan = promoting.promotion(place, "net", candidate.version, "prod", base="main")

    (found,) = plan.verdicts
    assert found.outcome is outcome, found.observed
    assert (plan.refusal is None) is (outcome is Outcome.PASSED)


def test_the_pull_request_says_how_sure_one_can_be_and_what_of_the_code_differs(place: Place, registered: Registered):
    serve(place, registered("a", 0.1, [0.90, 0.91, 0.92]), POLICY % "seeds")
    Path("train.py").write_text("print('more')\n")
    place.repo.git("add", "-A")
    place.repo.git("commit", "-qm", "Train")
    candidate = registered("b", 0.1, [0.93, 0.94, 0.95])

    made = promoting.promote(place, promoting.promotion(place, "net", candidate.version, "prod", base="main"))

    (comment,) = wiring.forge(place).comments(made.pull.number)
    assert "3 and 3 seeds |" in comment.body
    assert "<summary>1 file of the code differs</summary>" in comment.body
    assert "| `train.py` | +1 −0 |" in comment.body


def test_what_runs_scored_on_examples_is_read_from_their_tables(inside: Repo):
    Path("mlgit.yaml").write_text("project: digits\n")
    run = session.init()
    rows = [[number, number % 3 > 0, number / 100, "a"] for number in range(50)]
    run.log({"examples": Table(columns=["id", "accuracy", "loss", "text"], data=rows)})
    found = only(inside)

    scores = scored.examples(inside, version_of(found))

    assert set(scores.scores) == {"accuracy", "loss"}
    assert (scores.scores["accuracy"]["1"], scores.scores["loss"]["49"]) == (1.0, 0.49)


@pytest.mark.parametrize(
    ("columns", "rows", "problem"),
    [
        (["name", "accuracy"], [["a", 1]], "its table examples has no column id"),
        (["id", "accuracy"], [["a", 1], ["a", 0]], "its table examples has the id 'a' twice"),
    ],
)
def test_a_table_that_does_not_tell_examples_apart_is_no_evidence(
    inside: Repo, columns: list[str], rows: list[list[object]], problem: str
):
    Path("mlgit.yaml").write_text("project: digits\n")
    session.init().log({"examples": Table(columns=columns, data=rows)})

    assert scored.examples(inside, version_of(only(inside))) == Examples(problem=problem)


@pytest.mark.parametrize(
    "content",
    [b"no json", b"[" * 100_000, b"[]", b'{"columns": ["id"]}', b'{"columns": ["acc", "id"], "data": [[1]]}', b"\xff"],
)
def test_a_table_that_somebody_spoiled_is_no_evidence(inside: Repo, content: bytes):
    Path("mlgit.yaml").write_text("project: digits\n")
    session.init().log({"examples": Table(columns=["id", "acc"], data=[["a", 1]])})
    run = only(inside)
    path = f"experiment/{run.metrics['examples']['path']}"
    spoiled = inside.commit(run.commit, {path: content}, inside.git("log", "-1", "--format=%B", run.commit))

    found = scored.examples(inside, version_of(replace(run, commit=spoiled)))

    assert found == Examples(problem="its table examples cannot be read")


def test_an_example_without_a_number_is_counted(inside: Repo):
    Path("mlgit.yaml").write_text("project: digits\n")
    rows = [["a", 1.0], ["b", float("nan")], ["c", None]]
    session.init().log({"examples": Table(columns=["id", "acc"], data=rows)})

    found = scored.examples(inside, version_of(only(inside)))

    assert (found.scores["acc"], found.blank) == ({"a": 1.0}, {"acc": 2})


def test_a_large_table_of_examples_is_read_from_where_dvc_holds_it(inside: Repo):
    Path("mlgit.yaml").write_text("project: digits\n")
    rows = [[f"{number:060}", number % 2] for number in range(20_000)]
    session.init().log({"examples": Table(columns=["id", "accuracy"], data=rows)})
    run = only(inside)

    assert run.held
    assert len(scored.examples(inside, version_of(run)).scores["accuracy"]) == 20_000


def test_where_a_run_and_its_data_come_from_is_read_from_git(place: Place):
    data = Path("test.csv")
    data.write_text("a,b\n1,2\n")
    adding.add(place, adding.plan(place, "test.csv", adding.Wish()), adding.Wish())
    place.repo.git("add", "-A")
    place.repo.git("commit", "-qm", "Data")
    run = session.init(project="digits")
    run.log({"accuracy": 0.9})
    weights = Path("net.bin")
    weights.write_text("weights")
    run.log_artifact(weights, name="net", type="model")
    version = registering.register(place.repo, only(place.repo), model="net")
    digest = version.data["test.csv"]
    policy = "stages: {prod: {gates: [{lineage: complete}, {evaluated_on: test.csv, digest: %s}]}}\n"
    Path("registry").mkdir()
    for asked in (digest, "f" * 32):
        Path(store.POLICY).write_text(policy % asked)
        place.repo.git("add", store.POLICY)
        place.repo.git("commit", "-qm", "Policy")

        lineage, evaluated = promoting.promotion(place, "net", version.version, "prod", base="main").verdicts

        assert lineage.passed, lineage.observed
        assert evaluated.passed is (asked == digest), evaluated.observed


def version_of(run: Run) -> ModelVersion:
    return ModelVersion(
        model="net", version="v1.0.0", project=run.project, run=run.id, commit=run.commit, artifact="net", hash="0" * 32
    )
