from __future__ import annotations

import copy
import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pytest

import mlgit as wandb
from mlgit.errors import NotFoundError, UsageError
from mlgit.git.repo import Repo
from tests.conftest import make_repo


def text_of(file: IO[str]) -> str:
    with file:
        return file.read()


@pytest.fixture
def three(inside: Repo) -> Repo:
    """Three runs of the project `digits`, each better than the one before."""
    for number in range(3):
        with wandb.init(project="digits", name=f"r{number}", tags=[f"t{number}"], config={"lr": 0.1 * number}) as run:
            for step in range(10):
                run.log({"loss": 1 / (step + 1), "acc": number * step})
    return inside


def test_runs_are_found_by_filters_in_an_order(three: Repo):
    api = wandb.Api()

    found = api.runs("anybody/digits", filters={"config.lr": {"$gt": 0.05}}, order="-summary_metrics.acc")

    assert [run.name for run in found] == ["r2", "r1"]
    assert (len(found), found[0].name, [run.name for run in found[1:]]) == (2, "r2", ["r1"])
    assert [run.name for run in api.runs("digits")] == ["r0", "r1", "r2"]
    assert len(api.runs("another")) == 0
    with pytest.raises(UsageError, match=r"\$gtt"):
        api.runs("digits", filters={"config.lr": {"$gtt": 1}})


def test_a_resumed_run_that_is_under_way_has_the_objects_of_its_earlier_life(inside: Repo):
    with wandb.init(id="resumed1") as run:
        run.log({"h": wandb.Histogram([1, 2, 3]), "t": wandb.Table(columns=["a"], data=[[1]])})
    before = dict(wandb.Api().run("resumed1").summary)
    with wandb.init(id="resumed1", resume="must") as run:
        run.log({"t": wandb.Table(columns=["a"], data=[[1], [2]])})
        found = wandb.Api().run("resumed1").summary

    assert found["h"] == before["h"]
    assert found["h"]["values"]
    assert (before["t"]["nrows"], found["t"]["nrows"]) == (1, 2)


def test_runs_are_found_and_ordered_by_the_step_they_came_to(inside: Repo):
    for count in (3, 1, 2):
        with wandb.init(project="p", name=f"n{count}") as run:
            for number in range(count):
                run.log({"a": number})
    api = wandb.Api()

    assert [run.name for run in api.runs("p", {"summary_metrics._step": {"$gte": 1}})] == ["n3", "n2"]
    assert [run.name for run in api.runs("p", order="-summary_metrics._step")] == ["n3", "n2", "n1"]
    assert [run.name for run in api.runs("p", order="-summary_metrics._timestamp")] == ["n2", "n1", "n3"]


def test_metadata_is_what_the_run_recorded_and_holds_no_secret_of_this_clone(
    inside: Repo, python: Callable[..., object], tmp_path: Path
):
    inside.git("remote", "add", "origin", "https://bob:sekret@example.com/x.git")
    (tmp_path / "repo/pkg.py").write_text("import mlgit\nwith mlgit.init(id='recorded') as run: run.log({'a': 1})")
    python("-m", "pkg", cwd=inside.folder)
    inside.git("remote", "set-url", "origin", "https://example.com/moved.git")
    with wandb.init(id="underway"):
        alive = wandb.Api().run("underway").metadata
    run = wandb.Api().run("recorded")

    assert run.metadata["program"] == "pkg.py"
    assert run.metadata["git"]["remote"] == "https://example.com/x.git"
    assert run.metadata["git"]["commit"] == run.commit
    assert "sekret" not in json.dumps(run.metadata)
    assert alive["python"]
    assert alive["python"] == run.metadata["python"]


def test_a_run_says_what_it_is(three: Repo):
    run = wandb.Api().runs("digits")[2]

    assert (run.state, run.config, run.summary["acc"], run.summary.get("no")) == ("finished", {"lr": 0.2}, 18, None)
    assert run.path == ["mlgit", "digits", run.id]
    assert (run.lastHistoryStep, run.historyLineCount, run.displayName) == (9, 10, run.name)
    assert (run.username, run.metadata["git"]["commit"]) == ("Ada", run.commit)
    assert run.created_at.endswith("Z")
    assert "<table" in run.to_html()


@pytest.mark.parametrize(
    "form", ["{id}", "digits/{id}", "me/digits/{id}", "me/digits/runs/{id}", "r1", "/me/digits/{id}"]
)
def test_a_run_is_found_by_every_path_that_w_b_writes(three: Repo, form: str):
    wanted = wandb.Api().runs("digits")[1]

    assert wandb.Api({"project": "digits"}).run(form.format(id=wanted.id)).id == wanted.id


def test_a_run_that_is_not_there_is_told(three: Repo):
    with pytest.raises(NotFoundError, match="no run 'nothing' in the project 'digits'"):
        wandb.Api().run("me/digits/nothing")


def test_history_comes_as_a_data_frame_or_as_rows(three: Repo):
    run = wandb.Api().runs("digits")[1]

    frame = run.history(keys=["loss"])

    assert list(frame.columns) == ["_step", "loss"]
    assert frame["loss"].tolist() == [1 / (step + 1) for step in range(10)]
    assert run.history(samples=2, pandas=False, keys=["acc"]) == [{"_step": 0, "acc": 0}, {"_step": 9, "acc": 9}]
    assert run.history(keys=["nothing"], pandas=False) == []
    with pytest.raises(UsageError, match="no stream"):
        run.history(stream="other")


def test_a_scan_gives_every_row(inside: Repo):
    with wandb.init() as run:
        for step in range(3000):
            run.log({"x": step} if step % 2 else {"x": step, "rare": step})

    found = wandb.Api().run(run.id)

    assert [row["x"] for row in found.scan_history(min_step=10, max_step=12)] == [10, 11]
    assert sum(1 for _ in found.scan_history(keys=["x", "rare"])) == 1500
    assert sum(1 for _ in found.scan_history()) == 3000
    assert len(found.history(samples=7)) == 7


def test_objects_and_nested_names_are_part_of_the_rows(inside: Repo):
    with wandb.init() as run:
        run.log({"text": "hello", "train": {"loss": 0.5}})

    (row,) = wandb.Api().run(run.id).scan_history()

    assert (row["text"], row["train.loss"]) == ("hello", 0.5)


def test_a_run_under_way_is_answered_from_its_live_folder(inside: Repo):
    with wandb.init(config={"lr": 1}) as active:
        active.log({"loss": 0.5})
        active.save(str(_written("notes.txt", "so far")), base_path=".")
        run = wandb.Api().run(active.id)

        assert (run.state, run.config, run.summary["loss"]) == ("running", {"lr": 1}, 0.5)
        assert text_of(run.file("notes.txt").download(root="got")) == "so far"
        run.tags.append("seen")
        run.update()

    assert wandb.Api().run(active.id).tags == ["seen"]


def _written(name: str, text: str) -> Path:
    Path(name).write_text(text)
    return Path(name).absolute()


def test_what_is_set_is_written_by_update(three: Repo):
    run = wandb.Api().runs("digits")[0]
    run.name, run.notes, run.group = "renamed", "look here", "new"
    run.tags.append("best")
    run.config["extra"], run.summary["acc"] = {"deep": 1}, 0.5
    del run.config["lr"]

    run.update()

    found = wandb.Api().run(run.id)
    assert (found.name, found.notes, found.group, found.tags) == ("renamed", "look here", "new", ["t0", "best"])
    assert (found.config, found.summary["acc"]) == ({"extra": {"deep": 1}}, 0.5)
    assert len(found.history()) == 10


def test_what_is_written_afterwards_may_be_of_numpy(three: Repo, tmp_path: Path):
    run = wandb.Api().runs("digits")[0]
    run.config["size"] = np.int64(3)
    run.summary.update({"best": np.float32(0.5), "all": np.array([1, 2])})
    draft = wandb.Artifact("scores", type="dataset", metadata={"acc": np.float32(0.25)})
    draft.add_file(_file(tmp_path))
    logged = run.log_artifact(draft)
    logged.metadata["n"] = np.int64(3)
    logged.save()
    found = wandb.Api().run(f"digits/{run.id}")

    assert (found.config["size"], found.summary["best"], found.summary["all"]) == (3, 0.5, [1, 2])
    assert wandb.Api().artifact("digits/scores:v0").metadata == {"acc": 0.25, "n": 3}


def _file(folder: Path) -> Path:
    (folder / "scores.csv").write_text("1,2")
    return folder / "scores.csv"


def test_an_update_leaves_what_others_changed_meanwhile(three: Repo):
    mine, theirs = (wandb.Api().runs("digits")[0] for _ in range(2))
    theirs.notes = "theirs"
    theirs.tags.append("good")
    theirs.update()

    mine.tags.append("new")
    mine.summary.update({"new": 1})

    found = wandb.Api().run(mine.id)
    assert (found.notes, found.summary["new"]) == ("theirs", 1)
    assert {"good", "new"} <= set(found.tags)


def test_a_deleted_run_is_hidden_and_comes_back(three: Repo, mlgit: Callable[..., object]):
    run = wandb.Api().runs("digits")[0]

    run.delete()

    assert len(wandb.Api().runs("digits")) == 2
    with pytest.raises(NotFoundError):
        run.load(force=True)
    mlgit("restore", run.id, cwd=three.folder)
    assert run.load(force=True)["name"] == "r0"


def test_files_are_listed_and_brought(inside: Repo, tmp_path: Path):
    with wandb.init() as active:
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "a.txt").write_text("a")
        active.save(str(tmp_path / "sub" / "*"), base_path=str(tmp_path))
        print("hello")
    run = wandb.Api().run(active.id)

    assert [file.name for file in run.files(pattern="sub/%")] == ["sub/a.txt"]
    assert run.file("sub/a.txt").size == 1
    assert text_of(run.file("sub/a.txt").download(root=tmp_path / "got")) == "a"
    with pytest.raises(UsageError, match="exist_ok"):
        run.file("sub/a.txt").download(root=tmp_path / "got")
    assert text_of(run.file("sub/a.txt").download(root=tmp_path / "got", exist_ok=True)) == "a"
    with pytest.raises(NotFoundError, match="no file 'nothing'"):
        run.file("nothing").download()
    with pytest.raises(ValueError, match="names or a pattern"):
        run.files(["sub/a.txt"], "sub/%")
    assert [file.name for file in run.files([], "sub/%")] == ["sub/a.txt"]


def test_a_file_says_what_it_is(inside: Repo):
    Path("a.txt").write_text("a")
    with wandb.init() as active:
        active.save("a.txt")
    file = wandb.Api().run(active.id).file("a.txt")

    assert (file.size, file.mimetype, file.md5) == (1, "text/plain", "0cc175b9c0f1b6a831c399e269772661")
    assert file.url == file.direct_url == file.path_uri
    assert file.updated_at == wandb.Api().run(active.id).heartbeat_at
    assert wandb.Api().run(active.id).file("config.yaml").size == len("{}\n")


def test_a_file_is_taken_out_of_a_run_and_the_record_stays(inside: Repo):
    Path("a.txt").write_text("a")
    with wandb.init() as active:
        active.save("a.txt")
        active.log({"x": 1})
        while_alive = wandb.Api().run(active.id)
        Path("b.txt").write_text("b")
        active.save("b.txt", policy="now")
        while_alive.file("b.txt").delete()
        assert [file.name for file in while_alive.files(["a.txt", "b.txt"])] == ["a.txt"]
    Path("b.txt").unlink()
    run = wandb.Api().run(active.id)
    run.file("a.txt").delete()

    assert run.files(["a.txt", "b.txt"]) == wandb.Api().run(active.id).files(["a.txt", "b.txt"]) == []
    assert len(run.history()) == 1
    for name in ("run.yaml", "config.yaml", "nothing"):
        with pytest.raises(UsageError, match="cannot be deleted by itself"):
            run.file(name).delete()


def test_a_file_is_put_onto_a_run_that_has_ended(three: Repo, tmp_path: Path):
    (tmp_path / "report.md").write_text("# good")
    run = wandb.Api().runs("digits")[0]

    made = run.upload_file(str(tmp_path / "report.md"), root=str(tmp_path))

    assert made.content() == b"# good"
    assert len(wandb.Api().run(run.id).history()) == 10


def test_a_run_that_has_ended_may_log_and_use_artifacts(three: Repo, tmp_path: Path):
    (tmp_path / "x").write_text("x")
    first, second, _ = wandb.Api().runs("digits")
    draft = wandb.Artifact("late", type="dataset")
    draft.add_file(tmp_path / "x")

    first.log_artifact(draft, aliases=["found"])
    second.use_artifact(wandb.Api().artifact("digits/late:found"))

    (made,) = wandb.Api().run(first.id).logged_artifacts()
    (used,) = wandb.Api().run(second.id).used_artifacts()
    assert made.name == used.name == "late:v0"
    assert [run.id for run in made.used_by()] == [second.id]


def test_a_run_uses_artifacts_and_not_their_names(three: Repo):
    with pytest.raises(ValueError, match="an artifact is asked for"):
        wandb.Api().runs("digits")[0].use_artifact("scores:v0")


def test_artifacts_are_looked_through_by_type_and_name(inside: Repo, tmp_path: Path):
    (tmp_path / "x").write_text("x")
    with wandb.init(project="p") as run:
        run.log_artifact(tmp_path / "x", name="a", type="dataset", aliases=["b"])
        run.log_model(tmp_path / "x", name="net")
    api = wandb.Api({"project": "p"})

    assert [one.name for one in api.artifact_types()] == ["dataset", "model"]
    assert [one.name for one in api.artifact_type("model").collections()] == ["net"]
    assert api.artifact_collection("dataset", "me/p/a").aliases == ["b", "latest"]
    assert api.artifact_exists("a:b")
    assert not api.artifact_exists("a:c")
    assert api.artifact_collection_exists("a", "dataset")
    assert not api.artifact_collection_exists("a", "model")
    with pytest.raises(NotFoundError, match="is a dataset, not a model"):
        api.artifact("a:latest", type="model")


def test_a_collection_is_described_and_deleted(inside: Repo):
    for text in ("x", "y"):
        Path(text).write_text(text)
        with wandb.init(project="p") as run:
            run.log_artifact(text, name="a", type="dataset", aliases=[text])
    api = wandb.Api({"project": "p"})
    found = api.artifact_collection("dataset", "a")
    found.description, found.tags = "all of it", ["nice"]
    found.save()

    again = api.artifact_collection("dataset", "a")
    assert (again.description, again.tags) == ("all of it", ["nice"])
    assert (again.entity, again.project, again.created_at <= again.updated_at) == ("mlgit", "p", True)
    with pytest.raises(UsageError, match="cannot be renamed"):
        again.name = "b"
    again.delete()
    assert not api.artifact_collection_exists("a", "dataset")
    assert not api.artifact_exists("a:x")


@pytest.mark.parametrize("how", ["change_type", "save"])
def test_a_collection_is_given_another_type_and_keeps_its_versions(inside: Repo, how: str):
    for text in ("x", "y"):
        Path(text).write_text(text)
        with wandb.init(project="p") as run:
            run.log_artifact(text, name="a", type="dataset").wait()
            run.link_artifact(run.use_artifact("a:latest"), "best")
    api = wandb.Api({"project": "p"})
    found = api.artifact_collection("dataset", "a")
    if how == "save":
        found.type = "corpus"
        found.description = "all of it"
        assert api.artifact_collection_exists("a", "dataset")
        found.save()
    else:
        found.change_type("corpus")
    again = api.artifact_collection("corpus", "a")

    assert [(one.name, one.type) for one in again.versions()] == [("a:v1", "corpus"), ("a:v0", "corpus")]
    assert again.description == ("all of it" if how == "save" else None)
    assert Path(api.artifact("a:v0", type="corpus").file()).read_text() == "x"
    assert not api.artifact_collection_exists("a", "dataset")
    with pytest.raises(ValueError, match="It holds links"):
        api.artifact_collection("corpus", "best").change_type("model")
    with pytest.raises(ValueError, match="cannot be a type"):
        again.type = ""
    assert again.type == "corpus"


def test_a_collection_of_links_is_deleted_and_what_it_linked_to_stays(inside: Repo):
    Path("x").write_text("x")
    with wandb.init(project="p") as run:
        run.link_model("x", registered_model_name="best", name="net")
    api = wandb.Api({"project": "p"})
    api.artifact_collection("model", "best").delete()

    assert [one.name for one in api.artifact_type("model").collections()] == ["net"]
    assert api.artifact_exists("net:v0")


def test_the_files_of_an_artifact_are_opened_one_by_one(inside: Repo, tmp_path: Path):
    (tmp_path / "a.txt").write_text("a")
    with wandb.init(project="p") as run:
        draft = wandb.Artifact("x", "dataset")
        draft.add_file(tmp_path / "a.txt", name="sub/a.txt")
        draft.add_reference("https://example.com/b", name="b", checksum=False)
        run.log_artifact(draft)
    artifact = wandb.Api().artifact("p/x:latest")
    elsewhere, file = artifact.files()

    assert [one.name for one in artifact.files(["b"])] == ["b"]
    assert text_of(file.download(root=tmp_path / "got")) == "a"
    assert (tmp_path / "got" / "sub" / "a.txt").is_file()
    assert (file.size, file.mimetype, file.md5) == (1, "text/plain", "0cc175b9c0f1b6a831c399e269772661")
    assert (elsewhere.url, elsewhere.size) == ("https://example.com/b", 0)
    assert file.updated_at == artifact.created_at
    assert isinstance(file, wandb.apis.public.File)
    assert isinstance(wandb.Api().run(run.id).file("config.yaml"), wandb.apis.public.File)
    with pytest.raises(UsageError, match="does not change"):
        file.delete()


def test_projects_and_whoever_works_here(three: Repo):
    with wandb.init(project="other"):
        pass
    api = wandb.Api()

    assert [project.name for project in api.projects()] == ["digits", "other"]
    assert len(api.project("digits").runs()) == 3
    assert (api.viewer.username, api.viewer.email) == ("Ada", "ada@example.com")
    assert api.default_entity == "mlgit"


def test_what_only_a_server_has_says_so(three: Repo):
    with pytest.raises(UsageError, match="server"):
        wandb.Api().reports()
    with pytest.raises(AttributeError):
        wandb.Api().nonsense()


def test_a_sweep_answers_with_its_runs_and_the_best(inside: Repo, mlgit: Callable[..., object]):
    Path("train.py").write_text("import mlgit\nrun = mlgit.init()\nrun.log({'loss': (run.config.lr - 2) ** 2})\n")
    Path("sweep.yaml").write_text(
        "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {lr: {values: [1, 2, 3]}}\nprogram: train.py\n"
    )
    inside.git("add", ".")
    inside.git("commit", "-qm", "sweep")
    mlgit("sweep", "run", "sweep.yaml", cwd=inside.folder)
    trial = wandb.Api().runs()[0]

    sweep = wandb.Api().sweep(trial.sweep_id)

    assert (len(sweep.runs), sweep.state) == (3, "FINISHED")
    assert sweep.best_run().config["lr"] == 2
    assert trial.sweep.config["method"] == "grid"


def test_waiting_ends_with_the_run(inside: Repo):
    active = wandb.init()
    run = wandb.Api().run(active.id)
    waiting = threading.Thread(target=run.wait_until_finished)
    waiting.start()

    active.finish()
    waiting.join(30)

    assert run.state == "finished"


def test_outside_of_every_repository_there_is_nothing_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(NotFoundError, match="in no git repository"):
        wandb.Api()


def test_runs_become_one_table(three: Repo):
    frame = wandb.Api().runs("digits").to_pandas()

    assert frame["summary.acc"].tolist() == [0, 9, 18]
    assert wandb.apis.public.Runs is type(wandb.Api().runs("digits"))
    assert len(wandb.Api().runs("digits").histories(samples=4)) == 12


def test_a_clone_sees_the_runs_and_edits_them_on_branches_of_its_own(
    three: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    clone = make_repo(tmp_path / "clone", commit=False)
    clone.git("fetch", "-q", str(three.folder), "refs/heads/*:refs/remotes/origin/*")
    monkeypatch.chdir(clone.folder)
    run = wandb.Api().runs("digits")[0]

    run.notes = "seen elsewhere"
    run.update()

    assert wandb.Api().run(run.id).notes == "seen elsewhere"
    assert len(wandb.Api().runs("digits")) == 3


def test_a_summary_tells_the_step_and_the_times_of_the_last_row(inside: Repo):
    with wandb.init(project="p") as run:
        run.log({"loss": 1}, step=7)
    found = wandb.Api().run(f"p/{run.id}").summary

    assert (found["_step"], found.get("_runtime") >= 0, found.get("_timestamp") > run.start_time - 1) == (7, True, True)
    assert found == {"loss": 1}
    assert found._json_dict.keys() == {"loss", "_step", "_runtime", "_timestamp"}
    assert found.get("nothing", 3) == 3


def test_a_summary_nests_as_it_was_logged_and_is_read_by_attribute(inside: Repo):
    with wandb.init(project="p") as run:
        run.log({"val": {"x": 1, "deep": {"y": 2}}, "plain": 3, "values": 4, "layer.0": 5})
        run.summary["best"] = {"acc": 6}
    found = wandb.Api().run(f"p/{run.id}").summary

    assert (found["val"]["x"], found["val"]["deep"]["y"], found["val.deep.y"], found["best"]["acc"]) == (1, 2, 2, 6)
    assert (found.get("val"), found.best, found.plain, found.values) == ({"x": 1, "deep": {"y": 2}}, {"acc": 6}, 3, 4)
    assert ("val" in found, "layer.0" in found, "_step" in found, "va" in found, hasattr(found, "no")) == (
        True, True, True, False, False,
    )  # fmt: skip


def test_a_summary_that_is_taken_whole_nests(inside: Repo):
    with wandb.init(project="p") as run:
        run.define_metric("val.acc", summary="max")
        run.log({"val": {"acc": 1, "deep": {"y": 2}}, "loss": 3})
    found = wandb.Api().run(f"p/{run.id}")

    whole = {"val": {"acc": {"max": 1}, "deep": {"y": 2}}, "loss": 3}
    assert (dict(found.summary), dict(found.summary.items()), found.summary_metrics) == (whole, whole, whole)
    assert list(found.summary) == list(found.summary.keys()) == ["val", "loss"]
    assert {name: found.summary._json_dict[name] for name in whole} == whole
    assert type(copy.deepcopy(found.summary)) is dict
    assert pickle.loads(pickle.dumps(found.summary)) == whole


def test_an_object_in_a_summary_is_read_by_item_and_by_attribute(inside: Repo):
    with wandb.init(project="p") as run:
        run.log({"h": wandb.Histogram([1, 2, 3]), "val": {"x": 1}})
    found = wandb.Api().run(f"p/{run.id}").summary

    assert found.h.bins == found["h"]["bins"]
    assert (len(found["h"]["bins"]), sum(found.h.get("values"))) == (65, 3)
    assert (found.val.x, hasattr(found.val, "y"), copy.deepcopy(found.h)) == (1, False, found.h)
    assert json.loads(json.dumps(found))["h"]["_type"] == "histogram"


def test_a_run_that_is_under_way_is_not_deleted(inside: Repo):
    with wandb.init(project="p") as run, pytest.raises(UsageError, match="is under way"):
        wandb.Api().run(f"p/{run.id}").delete()

    assert wandb.Api().run(f"p/{run.id}").state == "finished"


def test_a_summary_is_set_where_it_nests(inside: Repo):
    with wandb.init(project="p") as run:
        run.log({"val": {"x": 1, "deep": {"y": 2}}})
    found = wandb.Api().run(f"p/{run.id}")
    found.summary["val"]["x"] = 5
    found.summary["val"]["deep"]["z"] = 6
    found.summary.update()

    told = wandb.Api().run(f"p/{run.id}").summary
    assert told["val"] == {"x": 5, "deep": {"y": 2, "z": 6}}
    assert copy.deepcopy(told["val"]) == told["val"]


def test_whatever_changes_in_a_mapping_of_a_summary_is_written(inside: Repo):
    with wandb.init(project="p") as run:
        run.define_metric("kept.acc", summary="max")
        run.log({"val": {"x": 1, "deep": {"y": 2, "z": 3}}, "gone": {"a": 1}, "kept": {"acc": 4}, "layer.0": 5})
    found = wandb.Api().run(f"p/{run.id}")
    del found.summary["val"]["x"], found.summary["gone"]
    popped = found.summary["val"]["deep"].pop("z"), found.summary.pop("layer.0")
    default = found.summary["val"].setdefault("u", 6), found.summary.setdefault("val.deep.y", 7)
    found.summary["val.deep.v"] = 8
    found.summary["new"] = {"a": 1}
    found.summary["new"].update(b=2)

    assert (popped, default) == ((3, 5), (6, 2))
    assert wandb.Api().run(f"p/{run.id}").summary == {
        "val": {"deep": {"y": 2, "v": 8}, "u": 6}, "kept": {"acc": {"max": 4}}, "new": {"a": 1, "b": 2},
    }  # fmt: skip


def test_the_files_that_w_b_writes_beside_a_run_are_there(inside: Repo, tmp_path: Path):
    with wandb.init(project="p", config={"lr": 0.1}) as run:
        run.log({"loss": 1})
    found = wandb.Api().run(f"p/{run.id}")

    read = {}
    for name in ("config.yaml", "wandb-summary.json", "wandb-metadata.json", "output.log", "requirements.txt"):
        with found.file(name).download(tmp_path) as file:
            read[name] = file.read()

    assert read["config.yaml"] == "lr:\n  value: 0.1\n"
    assert json.loads(read["wandb-summary.json"])["loss"] == 1
    assert json.loads(read["wandb-metadata.json"])["python"]
    assert "pytest==" in read["requirements.txt"]
    assert {file.name for file in found.files()} > read.keys()


def test_a_file_comes_back_where_no_run_is_under_way(inside: Repo):
    with wandb.init(project="p") as run:
        (Path(run.dir) / "best.txt").write_text("weights")

    with wandb.restore("best.txt", run_path=f"anybody/p/{run.id}") as file:
        assert (file.read(), Path("best.txt").read_text()) == ("weights", "weights")
    with pytest.raises(NotFoundError, match="has no file"):
        wandb.restore("nothing", f"p/{run.id}")
    with pytest.raises(UsageError, match="There is no run"):
        wandb.restore("best.txt")


def test_a_run_is_created_and_filled(inside: Repo):
    made = wandb.Api().create_run(run_id="mine1234", project="p")
    made.summary.update({"acc": 0.5})

    assert (made.id, made.state, wandb.run) == ("mine1234", "finished", None)
    assert wandb.Api().run("p/mine1234").summary == {"acc": 0.5}


def test_a_project_may_be_called_by_words(inside: Repo):
    with wandb.init(project="My Project 1") as run:
        run.log({"loss": 1})
        draft = wandb.Artifact("raw", type="raw data")
        with draft.new_file("x") as file:
            file.write("1")
        run.log_artifact(draft)
    sweep = wandb.sweep({"method": "grid", "parameters": {"lr": {"values": [1]}}}, project="My Project 1")
    wandb.agent(sweep, lambda: wandb.init().finish(), project="My Project 1")
    api = wandb.Api()

    assert run.project == "my-project-1"
    assert {one.id for one in api.runs("anybody/My Project 1")} > {run.id}
    assert api.run(f"anybody/My Project 1/{run.id}").state == "finished"
    assert api.artifact("My Project 1/raw:latest").type == "raw data"
    with pytest.raises(UsageError, match="cannot be the name of a project"):
        wandb.init(project="no/where")
