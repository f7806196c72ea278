"""Models as a run keeps them: in a safe format with their card, and unsafe ones only where somebody asked for it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlgit as wandb
from mlgit.core.model_card import ModelCard
from mlgit.documents import reader
from mlgit.errors import MlgitError, NotFoundError, UsageError, WrongKindError
from mlgit.formats import keeping, loading
from mlgit.formats.frameworks import Trust
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.registry.versions import deprecating, registering
from tests.formats.test_scanning import Planted, pickled

WEIGHTS = {"w": np.arange(6, dtype="float32").reshape(2, 3), "b": np.zeros(3, dtype="float32")}


def test_an_object_is_stored_with_its_card_and_comes_back(inside: Repo, tmp_path: Path):
    with wandb.init() as run:
        made = run.log_model(WEIGHTS, "net", ["best"], metadata={"epoch": 3})

    back = wandb.load_model("net:best")
    card = wandb.model_card("net:latest")
    (logged,) = query.runs(inside)[0].logged
    assert sorted(back) == ["b", "w"]
    assert np.array_equal(back["w"], WEIGHTS["w"])
    assert (card.format, card.framework, card.parameters, card.dtype) == ("npz", "numpy", 9, "float32")
    assert card == logged.card
    assert sorted(card.sha256) == ["model.npz", "model.yaml"]
    assert (logged.metadata, logged.aliases) == ({"epoch": 3}, ("best", "latest"))
    folder = Path(made.download(tmp_path / "net"))
    written = reader.plain((folder / "model.yaml").read_bytes(), source="model.yaml")
    assert (written["format"], written["load"]) == ("npz", 'numpy.load("model.npz")')
    assert written["sha256"] == {"model.npz": card.sha256["model.npz"]}


def test_the_same_model_is_the_same_version(inside: Repo):
    with wandb.init() as run:
        versions = [run.log_model(WEIGHTS, name="net").version for _ in range(2)]

    assert versions == ["v0", "v0"]


def test_one_array_comes_back_as_one(inside: Repo):
    with wandb.init() as run:
        run.log_model(WEIGHTS["w"], name="w")

    assert np.array_equal(wandb.load_model("w"), WEIGHTS["w"])


def test_arrays_may_be_called_as_they_like(tmp_path: Path):
    arrays = {name: np.full(2, number) for number, name in enumerate(("file", "allow_pickle", "a/b", "", "x.npy"))}

    card = keeping.store(arrays, tmp_path)
    back = loading.load(tmp_path, card, Trust())

    assert {name: one.tolist() for name, one in back.items()} == {name: one.tolist() for name, one in arrays.items()}


@pytest.mark.parametrize("model", [{1: np.ones(2), "1": np.zeros(2)}, np.ma.masked_array([1, 2], [False, True])])
def test_what_npz_would_lose_is_refused(model: Any, tmp_path: Path):
    with pytest.raises(UsageError):
        keeping.store(model, tmp_path)


def test_a_signature_is_given_as_data(inside: Repo):
    with wandb.init() as run:
        run.log_model(WEIGHTS, name="net", signature={"inputs": {"x": WEIGHTS["w"]}, "outputs": WEIGHTS["w"]})
        with pytest.raises(UsageError, match="A signature is"):
            run.log_model(WEIGHTS, name="net", signature={"input": WEIGHTS["w"]})

    card = wandb.model_card("net")
    assert [[str(port) for port in side] for side in (card.inputs, card.outputs)] == [
        ["x float32 [any, 3]"], ["float32 [any, 3]"],
    ]  # fmt: skip


def test_the_run_that_loads_a_model_remembers_it(inside: Repo):
    with wandb.init() as run:
        run.log_model(WEIGHTS, name="net")
    with wandb.init() as second:
        wandb.load_model("net")

    assert [used.name for used in query.of_id(inside, second.id).used] == ["net"]


def test_a_stage_of_what_was_only_logged_is_told_to_be_one_of_registered_models(inside: Repo):
    with wandb.init() as run:
        run.log_model(WEIGHTS, name="net")

    with pytest.raises(NotFoundError, match="There is no registered model 'net'") as caught:
        wandb.load_model("net@production")

    assert "mlgit model register RUN --name net" in caught.value.fix


@pytest.mark.parametrize("model", [{"w": np.array([object()])}, np.array([{}])])
def test_arrays_of_objects_are_refused(inside: Repo, model: Any):
    with wandb.init() as run, pytest.raises(UsageError, match="which NumPy would pickle"):
        run.log_model(model, name="net")

    assert query.runs(inside)[0].logged == ()


def test_a_pickle_is_made_only_where_somebody_asks_for_it_and_is_marked(inside: Repo):
    with wandb.init() as run:
        for asked in ({}, {"framework": "pickle"}):
            with pytest.raises(UsageError, match="allow_pickle=True"):
                run.log_model(Planted("never"), name="net", **asked)
        run.log_model({"a": 1}, name="net", allow_pickle=True)

    card = wandb.model_card("net")

    assert (card.format, card.unsafe) == ("pickle", "a pickle in model.pkl")
    with pytest.raises(UsageError, match=r"unsafe: a pickle in model\.pkl"):
        wandb.load_model("net")
    assert wandb.load_model("net", allow_pickle=True) == {"a": 1}


def test_what_cannot_even_be_pickled_is_refused(inside: Repo):
    with wandb.init() as run, pytest.raises(UsageError, match="cannot be pickled"):
        run.log_model(lambda: 1, name="net", allow_pickle=True)


@pytest.mark.parametrize("type", ["file", "folder", "artifact"])
def test_a_file_is_kept_as_it_is_and_marked_by_its_content(inside: Repo, type: str):
    Path("net").mkdir()
    Path("net/weights.bin").write_bytes(pickled())
    with wandb.init() as run:
        if type == "artifact":
            run.log_artifact("net", name="net", type="model")
        else:
            run.log_model("net" if type == "folder" else "net/weights.bin", name="net")

    card = wandb.model_card("net")

    assert card.unsafe == "a pickle in weights.bin"
    assert list(card.sha256) == ["weights.bin"]
    with pytest.raises(UsageError, match="unsafe"):
        wandb.load_model("net")
    assert not Path("loaded").exists()
    wandb.load_model("net", allow_pickle=True)
    assert Path("loaded").exists()


def test_a_file_of_a_known_format_is_loaded_by_it(inside: Repo):
    np.savez("weights.npz", **WEIGHTS)
    with wandb.init() as run:
        run.log_model("weights.npz", name="net", metadata={"epoch": 3})
        brought = run.use_model("net:latest")

    assert sorted(wandb.load_model("net")) == ["b", "w"]
    assert Path(brought).name == "weights.npz"
    assert query.runs(inside)[0].logged[0].metadata == {"epoch": 3}


def test_what_is_said_of_an_object_and_means_nothing_of_a_file_is_told(
    inside: Repo, capsys: pytest.CaptureFixture[str]
):
    Path("weights.own").write_bytes(b"1")
    with wandb.init() as run:
        run.log_model("weights.own", name="net", framework="torch", input_example=[1])

    assert "weights.own is kept as it is; framework, input_example: for objects alone" in capsys.readouterr().err


def test_a_file_of_no_known_format_is_not_loaded(inside: Repo):
    Path("weights.own").write_bytes(b"mine")
    with wandb.init() as run:
        run.log_model("weights.own", name="net")

    with pytest.raises(UsageError, match="Nobody knows the format"):
        wandb.load_model("net")


@pytest.mark.parametrize("framework", ["numpy", "pickle", "os", "../torch"])
def test_a_card_that_lies_opens_nothing(inside: Repo, framework: str):
    Path("net").mkdir()
    Path("net/model.npz").write_bytes(pickled())
    Path("net/model.yaml").write_text(f"framework: {framework}\nformat: npz\nunsafe: ''\nmade: os.system\n")
    with wandb.init() as run:
        run.log_model("net", name="net")

    assert wandb.model_card("net").unsafe == "a pickle in model.npz"
    with pytest.raises(UsageError, match="unsafe"):
        wandb.load_model("net")
    with pytest.raises(MlgitError):
        loading.load(Path("net"), ModelCard(framework=framework, format="npz"), Trust())
    assert not Path("loaded").exists()


def test_somebody_elses_model_yaml_is_a_file_like_any(inside: Repo):
    Path("net").mkdir()
    Path("net/model.yaml").write_text("nc: 80\nbackbone: [[-1, 1, Conv]]\n")
    with wandb.init() as run:
        run.log_model("net", name="net")

    card = wandb.model_card("net")
    assert (card.format, list(card.sha256)) == ("", ["model.yaml"])


def test_a_dataset_is_not_loaded_as_a_model(inside: Repo):
    Path("data.csv").write_text("a\n1\n")
    with wandb.init() as run:
        run.log_artifact("data.csv", name="data", type="dataset")

    with pytest.raises(WrongKindError, match="no model"):
        wandb.load_model("data:latest")
    with pytest.raises(NotFoundError):
        wandb.load_model("nothing:latest")


def test_bytes_that_are_not_what_was_logged_are_not_loaded(inside: Repo):
    with wandb.init() as run:
        folder = Path(run.log_model(WEIGHTS, name="net").download())
    card = wandb.model_card("net")

    with zipfile.ZipFile(folder / "model.npz", "a") as archive:
        archive.writestr("more", "x")
    with pytest.raises(MlgitError, match=r"model\.npz has another sha256"):
        loading.verify(folder, card.sha256)
    (folder / "model.npz").unlink()
    with pytest.raises(MlgitError, match=r"model\.npz is missing"):
        loading.verify(folder, card.sha256)
    assert np.array_equal(wandb.load_model("net")["w"], WEIGHTS["w"])


@pytest.mark.parametrize("framework", ["keras", "catboost"])
def test_what_is_not_of_the_framework_that_is_named_is_refused(framework: str, tmp_path: Path):
    with pytest.raises(UsageError, match=f"A dict is no model of {framework}"):
        keeping.store(WEIGHTS, tmp_path, framework=framework)


def test_an_unknown_framework_is_refused(inside: Repo):
    with wandb.init() as run, pytest.raises(UsageError, match="'jax' is no framework"):
        run.log_model(WEIGHTS, framework="jax")


def test_a_model_that_a_person_adds_is_described_too(inside: Repo, mlgit: Callable[..., Any]):
    Path("net.bin").write_bytes(pickled())

    mlgit("data", "add", "net.bin", "--name", "net", "--type", "model")

    assert wandb.model_card("net:latest").unsafe == "a pickle in net.bin"
    assert "UNSAFE: a pickle in net.bin" in mlgit("data", "history", "net").stdout


def test_a_deprecated_model_is_loaded_with_a_warning(inside: Repo):
    with wandb.init() as run:
        run.log_model(WEIGHTS, name="net")
    registering.register(inside, query.of_id(inside, run.id), model="net")
    deprecating.deprecate(inside, "net", "v1.0.0", why="leaks the label")

    with pytest.warns(UserWarning, match=r"net v1\.0\.0 is deprecated by Ada: leaks the label\."):
        wandb.load_model("net@v1.0.0")
