"""What `mlgit lineage` finds: both ways through data, runs, models and stages, by every name of them."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import mlgit as api
from mlgit.core.artifact import ArtifactVersion, Link
from mlgit.dvc import pointers
from mlgit.dvc.pointers import Out
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.lineage import tree
from mlgit.lineage.graph import Kind, Way
from mlgit.store import ledgers, live, runs
from tests.lineage.given import D0, D1, MODEL, OTHER, TRAIN, content, edges, lineage, register, tag, version, world
from tests.recorded import record

Cli = Callable[..., subprocess.CompletedProcess[str]]


def test_what_made_the_model_in_production(repo: Repo):
    register(repo, world(repo)["trained1"], stage="production")

    graph = lineage(repo, "churn@production", Way.UP)

    assert edges(graph) == {
        ("churn@v1.2.0", "serves", "churn#production"), ("churn-model:v0", "registered as", "churn@v1.2.0"),
        ("train", "made", "churn-model:v0"), ("digits:v1", "read", "train"), ("data/train.csv", "read", "train"),
        ("prepare-2", "made", "digits:v1"),
    }  # fmt: skip


def test_what_a_dataset_led_to(repo: Repo):
    register(repo, world(repo)["trained1"], stage="production")

    graph = lineage(repo, "digits@v1", Way.DOWN)

    assert edges(graph) == {
        ("digits:v1", "read", "train"), ("train", "made", "churn-model:v0"), ("churn-model:v0", "read", "evaluate"),
        ("churn-model:v0", "registered as", "churn@v1.2.0"), ("churn@v1.2.0", "serves", "churn#production"),
        ("train", "continued by", "tune"), ("digits:v1", "read", "tune"), ("tune", "made", "churn-model:v1"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kind", "name"),
    [
        ("churn@production", Kind.STAGE, "churn#production"), ("churn#production", Kind.STAGE, "churn#production"),
        ("churn@v1.2.0", Kind.VERSION, "churn@v1.2.0"), ("churn@1.2.0", Kind.VERSION, "churn@v1.2.0"),
        ("digits:v0", Kind.CONTENT, D0.hash), ("digits@v1", Kind.CONTENT, D1.hash), ("digits", Kind.CONTENT, D1.hash),
        ("digits:latest", Kind.CONTENT, D1.hash), (f"digits:{D0.hash[:6]}", Kind.CONTENT, D0.hash),
        ("p/digits:v0", Kind.CONTENT, D0.hash), (D0.hash, Kind.CONTENT, D0.hash), (D0.hash[:8], Kind.CONTENT, D0.hash),
        (TRAIN, Kind.CONTENT, TRAIN), ("train", Kind.RUN, "trained1"), ("trained1", Kind.RUN, "trained1"),
        ("latest", Kind.RUN, "apart111"), ("lr-1", Kind.SWEEP, "lr-1"), ("churn", Kind.STAGE, "churn#production"),
        ("churn:v1.2.0", Kind.VERSION, "churn@v1.2.0"), ("churn#production#1", Kind.VERSION, "churn@v1.2.0"),
        ("refs/tags/churn@v1.2.0", Kind.VERSION, "churn@v1.2.0"), ("trai", Kind.RUN, "trained1"),
        ("exp/p/train-traine", Kind.RUN, "trained1"),
    ],
)  # fmt: skip
def test_things_are_found_by_every_name_of_theirs(repo: Repo, text: str, kind: Kind, name: str):
    register(repo, world(repo)["trained1"], stage="production")

    start = lineage(repo, text, depth=0).start

    assert (start.kind, start.name) == (kind, name)


@pytest.mark.parametrize(
    "text", ["data/train.csv", "data/train.csv.dvc", "./data/../data/train.csv", "data/more/a.csv"]
)
def test_data_is_found_by_its_path(repo: Repo, text: str):
    world(repo)
    folder = repo.folder / "data"
    folder.mkdir()
    (folder / "train.csv.dvc").write_text(pointers.render([Out(path="train.csv", hash=TRAIN)]))
    (folder / "more.dvc").write_text(pointers.render([Out(path="more", hash=TRAIN)]))

    assert lineage(repo, text, depth=0).start.name == TRAIN


def test_a_run_is_found_by_its_commits(repo: Repo):
    run = world(repo)["trained1"]

    assert run.source
    for text in (run.commit, run.commit[:10], run.source):
        assert lineage(repo, text, depth=0).start.name == "trained1"
    with pytest.raises(UsageError, match="5 runs are of the code"):
        lineage(repo, str(repo.resolve("HEAD")))


@pytest.mark.parametrize("text", ["fit", "dvc.yaml:fit"])
def test_a_stage_of_a_pipeline_is_what_it_made_last(repo: Repo, text: str):
    world(repo)
    out = {"path": "model.bin", "hash": "md5", "md5": MODEL.hash}
    other = {"path": "notes.txt", "hash": "md5", "md5": content("notes")}
    lock = {"schema": "2.0", "stages": {"fit": {"cmd": "true", "outs": [out, other]}}}
    (repo.folder / "dvc.lock").write_text(json.dumps(lock))

    assert lineage(repo, text, depth=0).start.name == MODEL.hash


def test_a_stage_that_made_several_things_asks_which(repo: Repo):
    world(repo)
    outs = [{"path": f"{one.name}.bin", "hash": "md5", "md5": one.hash} for one in (MODEL, D1)]
    (repo.folder / "dvc.lock").write_text(json.dumps({"stages": {"fit": {"outs": outs}}}))

    with pytest.raises(UsageError, match="made 2 things") as raised:
        lineage(repo, "fit")

    assert raised.value.fix == "name one of them: churn-model.bin, digits.bin"


@pytest.mark.parametrize(
    ("text", "fix"),
    [("digts", "did you mean digits?"), ("trian", "did you mean train?"), ("churn-modle", "did you mean churn-model?"),
     ("digits:v9", "digits:v0 to :v1, or :<hash>")],
)  # fmt: skip
def test_who_mistypes_a_name_hears_of_one_that_is_close(repo: Repo, text: str, fix: str):
    world(repo)

    with pytest.raises(NotFoundError) as raised:
        lineage(repo, text)

    assert raised.value.fix == fix


def test_what_names_nothing_is_said_so(repo: Repo):
    world(repo)
    (repo.folder / "a.dvc").write_text("outs: [")
    (repo.folder / "b.dvc").symlink_to("/proc/self/mem")

    for text in ("nothing", "digits:v7", "churn@production", "churn#production", content("none"), "a", "b", "../x", ""):
        with pytest.raises(NotFoundError):
            lineage(repo, text)


def test_a_stage_that_a_model_has_not_is_answered_with_those_that_it_has(repo: Repo):
    register(repo, world(repo)["trained1"], stage="production")

    with pytest.raises(NotFoundError, match="neither a version nor a stage 'staging'") as raised:
        lineage(repo, "churn@staging")

    assert raised.value.fix == "there are: production, v1.2.0"


def test_the_beginning_of_two_hashes_is_refused(repo: Repo):
    for number in range(2):
        record(repo, f"many{number}", logged=(replace(D0, hash=f"abcdef{number:026}"),))

    with pytest.raises(UsageError, match="begins 2 hashes"):
        lineage(repo, "abcdef00")


def test_only_so_many_are_shown_and_those_first_that_lead_to_a_model(repo: Repo):
    register(repo, world(repo)["trained1"], stage="production")
    for number in range(30):
        record(repo, f"reader{number:02}", name=f"reader-{number}", used=(D1,), created=2e9 + number)

    graph = lineage(repo, "digits:v1", Way.DOWN, limit=3)

    assert {far for near, _, far in edges(graph) if near == "digits:v1"} == {"train", "reader-29", "reader-28"}
    assert graph.left[graph.start, Way.DOWN] == 29


def test_a_run_that_is_not_here_is_said_so(repo: Repo):
    record(repo, "forked11", name="forked", parent="gone1234", used=(version("lost", "lost"),))

    graph = lineage(repo, "forked", Way.UP)

    missing = {node.label: node.missing for node in graph.nodes.values() if node.missing}
    assert missing == {"gone1234": "mlgit pull", "lost": "no run here logged it; mlgit pull"}


def test_a_hidden_run_is_said_to_be_hidden(repo: Repo):
    known = world(repo)
    runs.hide(repo, [known["trained1"]])

    graph = lineage(repo, "tune", Way.UP)

    (missing,) = (node for node in graph.nodes.values() if node.missing)
    assert (missing.label, missing.missing) == ("trained1", "it is hidden; mlgit restore trained1")
    assert ("churn-model:v0", "read", "evaluate") not in edges(lineage(repo, "digits:v1", Way.DOWN))


def test_a_run_whose_commit_is_not_here_is_said_so(repo: Repo):
    """As in a clone that has the archive's columns, and not its runs."""
    commit = world(repo)["trained1"].commit
    assert len(query.runs(repo)) == 6
    (repo.git_dir / "objects" / commit[:2] / commit[2:]).unlink()

    graph = lineage(repo, "evaluate", Way.UP)

    missing = {node.label: node.missing for node in graph.nodes.values() if node.missing}
    assert missing.keys() == {"trained1", MODEL.hash, TRAIN}
    assert all(fix.endswith("mlgit pull") for fix in missing.values())
    assert any(node.label == "digits:v1" for node in graph.nodes.values())


def test_a_version_whose_run_was_purged_still_leads_to_it(repo: Repo):
    known = world(repo)
    register(repo, known["trained1"], stage="production")
    repo.git("update-ref", "-d", known["trained1"].ref)

    graph = lineage(repo, "churn@production", Way.UP)

    assert ("trained1", "registered as", "churn@v1.2.0") in edges(graph)


def test_a_tag_of_stock_gto_leads_to_the_run_of_its_commit(repo: Repo):
    tag(repo, "plain@v0.1.0", world(repo)["trained1"].commit, "a model", 1_000_000_100)

    assert ("train", "registered as", "plain@v0.1.0") in edges(lineage(repo, "plain@v0.1.0", Way.UP))


def test_the_same_content_under_two_names_is_one_thing(repo: Repo):
    linked = replace(MODEL, links=(Link(collection="best", linked=1e9 + 9),))
    record(repo, "maker111", name="maker", logged=(linked,))
    record(repo, "reader11", name="reader", data={"model.pt": MODEL.hash})

    assert lineage(repo, "best:v0", depth=0).start.name == MODEL.hash
    assert ("churn-model:v0", "read", "reader") in edges(lineage(repo, "best:v0"))


def test_a_run_that_reads_what_it_made_is_no_endless_story(repo: Repo):
    record(repo, "loop1111", name="loop", used=(D0,), logged=(D0,))

    assert edges(lineage(repo, "loop")) == {("digits:v0", "read", "loop"), ("loop", "made", "digits:v0")}


def made_again(repo: Repo, made: ArtifactVersion = MODEL) -> None:
    """`train`, reproduced twice."""
    for number in (1, 2):
        record(
            repo, f"again{number}11", name=f"train-again-{number}", used=(D1,), logged=(made,), data={},
            reproduces="trained1", created=2e9 + number,
        )  # fmt: skip


def test_a_run_that_makes_another_again_stands_below_that_one_alone(repo: Repo):
    world(repo)
    made_again(repo)

    down, up = lineage(repo, "digits:v1", Way.DOWN), lineage(repo, "churn-model:v0", Way.UP)

    told = {(near, what, far) for near, what, far in edges(down) if "again" in f"{near}{far}"}
    assert told == {("train", "made again as", "train-again-1"), ("train", "made again as", "train-again-2")}
    assert {near for near, _, far in edges(up) if far == "churn-model:v0"} == {"train"}


def test_a_run_that_makes_another_again_says_so_and_takes_nothing_from_it(repo: Repo):
    world(repo)
    made_again(repo, version("churn-model", "m3", type="model"))

    graph = lineage(repo, "train-again-1", Way.UP)

    assert edges(graph) >= {("train", "made again as", "train-again-1"), ("digits:v1", "read", "train-again-1")}
    assert "data/train.csv" not in {node.label for node in graph.nodes.values()}
    assert any("makes again run train (trained1)" in line for line in tree.render(graph))


def test_runs_that_claim_to_make_one_another_again_are_both_shown(repo: Repo):
    for one, other in (("one11111", "other111"), ("other111", "one11111")):
        record(repo, one, name=one, used=(D1,), reproduces=other)

    assert {far for _, _, far in edges(lineage(repo, D1.hash, Way.DOWN))} >= {"one11111", "other111"}


def test_what_a_run_goes_on_from_is_called_so_both_ways(repo: Repo):
    world(repo)

    up, down = (list(tree.render(lineage(repo, name, way))) for name, way in (("tune", Way.UP), ("train", Way.DOWN)))

    assert any("continues run train (trained1)" in line for line in up)
    assert any("continued by run tune (tuned111)" in line for line in down)


def test_a_rerun_is_no_continuation_and_takes_nothing_from_the_run_whose_recipe_it_has(repo: Repo):
    world(repo)
    record(repo, "anew1111", name="anew", reruns="trained1", used=(D0,), logged=(version("churn-model", "m4"),))

    up, down = lineage(repo, "anew", Way.UP), lineage(repo, "train", Way.DOWN)

    assert edges(up) == {("train", "rerun as", "anew"), ("digits:v0", "read", "anew"), ("prepare", "made", "digits:v0")}
    assert any("reruns run train (trained1)" in line for line in tree.render(up))
    assert any("rerun as run anew (anew1111)" in line for line in tree.render(down))
    assert content("m4") not in {key.name for key in down.nodes}


def test_a_run_under_way_is_part_of_it(inside: Repo, ended: None):
    api.init(project="p", name="maker").log_artifact(_file("data.csv"), name="digits", type="dataset")
    api.finish()
    run = api.init(project="p", name="now")
    run.use_artifact("digits:v0")
    run.log_artifact(_file("model.pt"), name="model", type="model")

    graph = lineage(inside, "digits:v0", Way.DOWN)

    assert live.folders(inside)
    assert edges(graph) == {("digits:v0", "read", "now"), ("now", "made", "model:v0")}


def _file(name: str) -> str:
    Path(name).write_text(name)
    return name


def test_what_a_person_added_has_no_run_and_says_who(inside: Repo, mlgit: Cli, ended: None):
    Path("digits").mkdir()
    Path("digits/a.csv").write_text("1")
    mlgit("data", "add", "digits")
    run = api.init(project="repo", name="reader")
    run.use_artifact("digits:v0")
    api.finish()

    graph = lineage(inside, "digits@v0")

    node = graph.nodes[graph.start]
    assert edges(graph) == {("digits:v0", "read", "reader")}
    assert (node.label, node.missing, node.data["by"]) == ("digits:v0", "", "Ada <ada@example.com>")
    assert lineage(inside, "digits/a.csv", depth=0).start == graph.start


def test_numbers_that_a_ledger_gave_stay(repo: Repo):
    world(repo)
    ledgers.change(repo, "p", "digits", lambda known: known.listing([D1.hash]), why=lambda _: "list")

    assert lineage(repo, "digits:v0", depth=0).start.name == D1.hash
    assert {node.label for node in lineage(repo, "apart", Way.UP).nodes.values()} >= {"digits:v1"}


# ----------------------------------------------------------------------------------------- the command


def test_a_person_sees_a_tree(inside: Repo, mlgit: Cli):
    register(inside, world(inside)["trained1"], stage="production")

    shown = mlgit("lineage", "churn@production", "--up").stdout.splitlines()

    assert shown[:5] == [
        "stage churn#production  serves v1.2.0", "   made with digits:v1, data/train.csv", "", "came from",
        "└─ version churn@v1.2.0  accuracy 0.98 · registered 2001-09-09 by Ada",
    ]  # fmt: skip
    assert any("run train (trained1)  finished · accuracy 0.98, loss 0.07 · Ada, 2001-09-09" in line for line in shown)
    assert any("dataset digits:v1" in line and "bytes not here" in line for line in shown)


def test_bytes_that_are_not_here_are_said_to_be_away(inside: Repo, mlgit: Cli, ended: None):
    world(inside)
    api.init(project="p", name="maker").log_artifact(_file("data.csv"), name="here", type="dataset")
    api.finish()

    assert "mlgit data checkout digits:v0, if a remote has them" in mlgit("lineage", "digits:v0").stderr
    assert "not here" not in "".join(mlgit("lineage", "here:v0").stdout)


def test_a_program_gets_nodes_and_edges(inside: Repo, mlgit: Cli):
    register(inside, world(inside)["trained1"], stage="production")

    told = json.loads(mlgit("lineage", "digits:v1", "--json").stdout)

    by_node = {one["node"]: one for one in told["nodes"]}
    assert told["start"] == f"artifact:{D1.hash}"
    assert by_node["run:trained1"]["metrics"] == {"accuracy": 0.98, "loss": 0.07}
    assert {"from": "run:trained1", "to": f"artifact:{MODEL.hash}", "what": "made"} in told["edges"]
    assert by_node[f"artifact:{OTHER.hash}"]["version"] == "v1"
    assert told["left_out"] == []


def test_what_was_left_out_is_shown_by_the_command_that_is_named(inside: Repo, mlgit: Cli):
    for number in range(15):
        record(inside, f"reader{number:02}", name=f"reader-{number}", used=(D1,), data={}, created=2e9 + number)
    record(inside, "maker111", logged=(D1,))

    last = mlgit("lineage", "digits", "--down").stdout.splitlines()[-1]
    _, _, command = last.partition("5 more: ")
    words = shlex.split(command)

    assert words == ["mlgit", "ls", "--all", "--where", "used = 'digits:v0'"]
    assert mlgit(*words[1:]).stdout.count("reader-") == 15


@pytest.mark.parametrize(
    "options",
    [("--up", "--down"), ("--json", "--dot"), ("--dot", "--mermaid"), ("--json", "--to", "openlineage"),
     ("--mermaid", "--to", "ro-crate")],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(inside: Repo, mlgit: Cli, options: tuple[str, ...]):
    world(inside)

    done = mlgit("lineage", "train", *options, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert "do not go together" in done.stderr
