from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import mlgit as wandb
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query


def test_a_path_is_logged_as_it_is(inside: Repo):
    Path("model.pt").write_text("weights")

    with wandb.init() as run:
        made = run.log_artifact("model.pt", type="model", aliases="best", tags=["t"])

    assert (made.name, made.aliases, made.tags) == ("model:v0", ["best", "latest"], ["t"])
    assert not query.runs(inside)[0].logged[0].hash.endswith(".dir")
    assert Path(made.file("got")).read_text() == "weights"


def test_one_name_is_of_one_type(inside: Repo):
    Path("x").write_text("x")
    with wandb.init() as run:
        run.log_artifact("x", name="mnist", type="dataset")
        with pytest.raises(ValueError, match="mnist is a dataset: it cannot be a model too"):
            run.log_artifact("x", name="mnist", type="model")
    with wandb.init(project="another") as run:
        run.log_artifact("x", name="mnist", type="model")

    assert {(run.project, one.type) for run in query.runs(inside) for one in run.logged} == {
        ("repo", "dataset"), ("another", "model"),
    }  # fmt: skip


def test_an_address_is_logged_as_a_reference(inside: Repo):
    with wandb.init() as run:
        made = run.log_artifact("s3://bucket/data.csv", name="raw", type="dataset")

    assert made.get_entry("data.csv").ref_target() == "s3://bucket/data.csv"


def test_a_model_is_logged_used_and_linked(inside: Repo):
    Path("net").mkdir()
    Path("net/a").write_text("a")
    Path("net/b").write_text("b")
    Path("one.pt").write_text("1")
    with wandb.init() as run:
        run.log_model("net", name="folder")
        run.log_model(path="one.pt", aliases=["best"])
        run.link_model("one.pt", registered_model_name="Our Model", aliases=["staging"])
        run.log_artifact("one.pt", name="data", type="dataset")

    with wandb.init() as run:
        assert sorted(os.listdir(run.use_model("folder:latest"))) == ["a", "b"]
        assert Path(run.use_model("one:best")).read_text() == "1"
        assert Path(run.use_model("Our Model:staging")).name == "one.pt"
        with pytest.raises(UsageError, match="no model"):
            run.use_model("data:latest")

    assert [used.name for used in query.runs(inside)[0].used] == ["folder", "one", "data"]


def test_a_text_without_a_name_names_no_file(inside: Repo):
    Path("x").write_text("x")

    with wandb.init() as run:
        for keep in (run.log_model, run.log_artifact, lambda text: run.link_model(text, "M")):
            with pytest.raises(UsageError, match="An empty text names no file"):
                keep("")
        with pytest.raises(UsageError, match="An empty text names no folder"):
            wandb.Artifact("a", type="model").add_dir("")

    assert query.runs(inside)[0].logged == ()


@pytest.mark.parametrize("folder", [".", "inner"])
@pytest.mark.parametrize("given", [".", Path(), ".."])
@pytest.mark.parametrize("options", [{}, {"metadata": {"a": 1}}, {"exclude": ["*.bin"]}])
def test_a_folder_that_the_project_lies_in_is_no_model(
    folder: str, given: str | Path, options: dict[str, Any], inside: Repo, monkeypatch: pytest.MonkeyPatch
):
    Path("inner").mkdir()
    Path("inner/mlgit.yaml").write_text("project: inner\n")
    monkeypatch.chdir(folder)

    with (
        wandb.init() as run,
        pytest.raises(UsageError, match=r"is no model: the project \w+ lies in it, code and data"),
    ):
        run.log_model(given, **options)

    assert query.runs(inside)[0].logged == ()


def test_an_empty_folder_is_no_model(inside: Repo):
    Path("net/deep").mkdir(parents=True)

    with wandb.init() as run, pytest.raises(UsageError, match="net has no file in it"):
        run.log_model("net")


def test_the_folder_that_a_script_is_in_is_called_by_its_own_name(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    Path("net/deep").mkdir(parents=True)
    Path("net/weights").write_text("w")
    with wandb.init() as run:
        monkeypatch.chdir("net")
        names = [run.log_model(place).name for place in (".", Path(), "deep/..", "../net")]

    assert set(names) == {"net:v0"}


def test_what_a_run_used_is_remembered_by_its_role(inside: Repo):
    Path("x").write_text("x")
    with wandb.init() as run:
        run.log_artifact("x", name="d", type="dataset")
        run.use_artifact("d:latest", use_as="validation")

    (used,) = query.runs(inside)[0].used
    assert (used.name, used.use_as) == ("d", "validation")


def test_several_contents_of_one_name_have_a_pointer_each(inside: Repo):
    with wandb.init() as run:
        for text in ("one", "two", "one"):
            Path("x").write_text(text)
            run.log_artifact("x", name="d", type="dataset")
        assert [one.version for one in wandb.Api().artifacts("dataset", "d")] == ["v1", "v0"]
        assert run.use_artifact("d:latest").version == "v0"

    (found,) = query.runs(inside)
    names = inside.git("ls-tree", "-r", "--name-only", f"{found.commit}:experiment/artifacts").split()
    assert len([name for name in names if name.endswith(".dvc")]) == 2


def test_a_killed_run_keeps_what_it_logged(inside: Repo, python: Callable[..., object]):
    Path("x").write_text("x")
    code = (
        "import os, mlgit\nrun = mlgit.init()\nrun.log_artifact('x', name='d', type='dataset', aliases=['a'])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    python("-c", code, cwd=inside.folder, check=False)

    assert wandb.Api().artifact("d:a").version == "v0"
    assert wandb.Api().runs()[0].state == "crashed"


def test_what_was_logged_by_its_path_is_found_by_w_bs_name_for_it(inside: Repo):
    Path("m.pt").write_text("weights")
    with wandb.init() as run:
        run.log_model("m.pt")
    Path("m.pt").write_text("others")
    with wandb.init() as other:
        other.log_model("m.pt")
        used = Path(other.use_model(f"run-{run.id}-m.pt:latest")).read_text()

    assert used == "weights"
    assert [wandb.Api().artifact(f"run-{one.id}-m.pt:v0").name for one in (run, other)] == ["m:v0", "m:v1"]


def test_a_full_disk_stops_no_training(inside: Repo, capsys: pytest.CaptureFixture[str]):
    Path("x").write_text("x")
    (inside.own / "cache").mkdir(parents=True)
    (inside.own / "cache" / "files").write_text("in the way")  # as a disk that refuses, for whoever may write anywhere

    with wandb.init() as run:
        made = run.log_artifact("x", name="d", type="dataset")
        run.log_artifact("x", name="e", type="dataset")
        run.log({"loss": 1})

    assert (made.state, query.runs(inside)[0].state.value) == ("PENDING", "finished")
    said = capsys.readouterr().err
    assert ("artifact d could not be kept" in said, "artifact e could not be kept" in said) == (True, True)
    with pytest.raises(MlgitError, match="could not be stored"):
        made.wait()


def test_threads_log_side_by_side(inside: Repo):
    with wandb.init() as run:

        def log(number: int) -> None:
            draft = wandb.Artifact("d", type="dataset")
            with draft.new_file("x") as file:
                file.write(str(number))
            run.log_artifact(draft)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(log, range(8)))

    assert sorted(one.version for one in wandb.Api().artifacts("dataset", "d")) == [f"v{n}" for n in range(8)]


def test_processes_fill_one_artifact_together(inside: Repo, python: Callable[..., object]):
    code = (
        "import sys, mlgit\nrun = mlgit.init(group='g')\nd = mlgit.Artifact('d', type='dataset')\n"
        "with d.new_file(sys.argv[1]) as f: f.write('x')\nrun.upsert_artifact(d)\n"
    )
    for name in ("a", "b"):
        python("-c", code, name, cwd=inside.folder)
    with wandb.init(group="g") as run:
        last = wandb.Artifact("d", type="dataset")
        with last.new_file("c") as file:
            file.write("x")
        made = run.finish_artifact(last)

    assert sorted(made.manifest.entries) == ["a", "b", "c"]
    with wandb.init() as run, pytest.raises(UsageError, match="distributed_id"):
        run.upsert_artifact(last)


def test_code_is_kept_without_secrets_and_by_filters(inside: Repo):
    for name in ("train.py", "notes.txt", "pkg/net.py", ".venv/lib.py", "credentials.json", "requirements.txt"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("x")
    with wandb.init() as run:
        made = run.log_code(".")
        own = run.log_code(".", name="own", include_fn=lambda path: path.endswith(".txt"))
        none = run.log_code("pkg", include_fn=lambda path, root: False)

    assert made is not None
    assert own is not None
    assert (made.type, sorted(made.manifest.entries)) == ("code", ["pkg/net.py", "requirements.txt", "train.py"])
    assert sorted(own.manifest.entries) == ["notes.txt", "requirements.txt"]
    assert none is None


def test_nothing_is_kept_after_the_end(inside: Repo):
    Path("x").write_text("x")
    run = wandb.init()
    run.finish()

    for call in (run.log_artifact, run.use_artifact, run.save):
        with pytest.raises(UsageError, match="has ended"):
            call("x")


def test_a_run_that_records_nothing_takes_every_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    run = wandb.init(mode="disabled")
    draft = wandb.Artifact("d", type="dataset")
    with draft.new_file("x") as file:
        file.write("x")

    made = run.log_artifact(draft).wait()

    assert (made.name, made.version) == ("d:v0", "v0")
    assert run.log_artifact("nothing.pt", type="model").wait().type == "model"
    assert Path(run.use_artifact("d:latest").download()).is_dir()
    assert run.use_artifact("d:latest").get("t") is None
    assert run.log_model("m.pt").name == "m:v0"
    assert Path(run.use_model("m:latest")).is_dir()
    assert run.link_artifact(draft, "registry/x") is draft
    assert run.link_model("m.pt", "M") is not None
    assert (run.save("*"), run.restore("x"), run.log_code()) == ([], None, None)
    assert run.upsert_artifact(draft) is run.finish_artifact(draft)
    run.alert("a", "b")
    run.finish()


def test_files_are_saved_as_they_are_at_the_end(inside: Repo, tmp_path: Path):
    for name in ("grows.txt", "replaced.txt", "now.txt"):
        (tmp_path / name).write_text("early")
    with wandb.init() as active:
        for name in ("grows.txt", "replaced.txt"):
            active.save(str(tmp_path / name), base_path=tmp_path)
        active.save(str(tmp_path / "now.txt"), base_path=tmp_path, policy="now")
        active.save(str(tmp_path / "later-*.txt"), base_path=tmp_path)
        with (tmp_path / "grows.txt").open("a") as file:
            file.write(", late")
        for name in ("replaced.txt", "now.txt"):
            (tmp_path / "new").write_text("late")
            (tmp_path / "new").rename(tmp_path / name)
        (tmp_path / "later-1.txt").write_text("born late")

    run = wandb.Api().run(active.id)
    assert {name: run.file(name).content().decode() for name in ("grows.txt", "replaced.txt", "now.txt")} == {
        "grows.txt": "early, late", "replaced.txt": "late", "now.txt": "early",
    }  # fmt: skip
    assert run.file("later-1.txt").content() == b"born late"


def test_saved_files_keep_the_folders_below_the_base(inside: Repo):
    Path("a/b").mkdir(parents=True)
    Path("a/b/x.txt").write_text("x")
    with wandb.init() as run:
        (whole,) = run.save("a/b/x.txt")
        (inner,) = run.save("a/b/*", base_path="a")
        (absolute,) = run.save(str(Path("a/b/x.txt").resolve()))
        (Path(run.dir) / "own.txt").write_text("mine")

        names = [str(Path(one).relative_to(run.dir)) for one in (whole, inner, absolute)]
        assert names == ["a/b/x.txt", "b/x.txt", "b/x.txt"]
        assert run.save(f"{run.dir}/own.txt") == [f"{run.dir}/own.txt"]
        assert run.save("nothing-*") == []
        assert run.save("s3://bucket/x") == []
        with pytest.raises(UsageError, match="not below"):
            run.save("../*", base_path="a")
        with pytest.raises(UsageError, match="no policy"):
            run.save("a/b/x.txt", policy="later")


def test_a_file_comes_back_from_this_run_and_from_another(inside: Repo, tmp_path: Path):
    Path("w.txt").write_text("first")
    with wandb.init(project="p") as first:
        first.save("w.txt")
        Path("w.txt").write_text("changed")
        mine = first.restore("w.txt", root=str(tmp_path / "own"))
        assert mine is not None
        with mine:
            assert mine.read() == "changed"

    with wandb.init(project="p") as second:
        found = second.restore("w.txt", run_path=f"me/p/{first.id}")
        assert found is not None
        with found:
            assert (found.read(), found.name) == ("changed", f"{second.dir}/w.txt")
        with pytest.raises(NotFoundError, match="no file 'nothing'"):
            second.restore("nothing", run_path=first.id)
        with pytest.raises(UsageError):
            second.restore("../x", run_path=first.id)


def test_a_resumed_run_has_its_files_again(inside: Repo):
    Path("w.txt").write_text("first")
    Path("other.txt").write_text("other")
    with wandb.init(id="abcdefgh") as first:
        first.save("w.txt")
        first.save("other.txt")
        first.log({"loss": 1})
    for path in ("w.txt", "other.txt"):
        Path(path).unlink()

    with wandb.init(id="abcdefgh", resume="allow") as again:
        found = again.restore("w.txt")
        assert found is not None
        with found:
            assert (found.read(), found.name) == ("first", f"{again.dir}/w.txt")
        with pytest.raises(NotFoundError, match=r"no file 'nothing'.*\n.*other.txt"):
            again.restore("nothing")
    with wandb.init(fork_from="abcdefgh?_step=0") as fork, pytest.raises(NotFoundError, match="save\\(\\) keeps files"):
        fork.restore("w.txt")
