"""Models of real libraries: stored in their safe formats, described, and loaded back to the same predictions."""

from __future__ import annotations

import enum
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mlgit
from mlgit.core.model_card import ModelCard
from mlgit.errors import MlgitError, UsageError
from mlgit.formats import frameworks, keeping, loading, steady
from mlgit.formats.frameworks import Trust
from mlgit.git.repo import Repo
from tests.conftest import need

os.environ.setdefault("KERAS_BACKEND", "torch")
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own
X = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


@dataclass
class Case:
    """A library, what is made with it, and what is to be known of that."""

    module: str
    make: Callable[[], Any]
    card: str
    files: str
    inputs: str = "float32 [any, 4]"
    example: Any = None
    predict: Callable[[Any], Any] = lambda model: model.predict(X)


def net() -> Any:
    import torch

    torch.manual_seed(0)
    first, second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    second.weight = first.weight
    return torch.nn.Sequential(first, second)


def answered(model: Any) -> Any:
    """What the module says, or one with the tensors that came back for it."""
    import torch

    if isinstance(model, dict):
        state, model = model, net()
        model.load_state_dict(state)
        assert state["0.weight"] is state["1.weight"]
    with torch.no_grad():
        return model(torch.from_numpy(X)).numpy()


def pipeline() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)


def boosted() -> Any:
    import xgboost

    return xgboost.XGBClassifier(n_estimators=3).fit(X, Y)


def lighter() -> Any:
    import lightgbm

    return lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(X, Y), 3)


def cats() -> Any:
    import catboost

    return catboost.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False).fit(X, Y)


def layers() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense(2, name="dense", dtype=keras.DTypePolicy("float32"))
    return keras.Sequential([keras.Input((4,), name="input"), dense], name="net")


def graph() -> Any:
    from onnx import TensorProto, helper, numpy_helper

    sides = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in (("x", 4), ("y", 2))]
    weights = numpy_helper.from_array(np.ones((4, 2), "float32"), "w")
    made = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", sides[:1], sides[1:], [weights])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])


def first(model: Any) -> Any:
    from onnx import numpy_helper

    return numpy_helper.to_array(model.graph.initializer[0])


def bert() -> Any:
    import torch
    import transformers

    torch.manual_seed(0)
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=50
    )
    return transformers.BertModel(config)


def pooled(model: Any) -> Any:
    import torch

    model.eval()
    with torch.no_grad():
        return model(torch.ones(1, 3, dtype=torch.long)).pooler_output.numpy()


CASES = {
    "torch": Case("torch", net, "safetensors of torch", "model.safetensors", predict=answered, example="tensor"),
    "sklearn": Case("skops", pipeline, "skops of sklearn", "model.skops", example=X),
    "xgboost": Case("xgboost", boosted, "xgboost of xgboost", "model.ubj", example=X),
    "lightgbm": Case("lightgbm", lighter, "lightgbm of lightgbm", "model.txt", example=X),
    "catboost": Case("catboost", cats, "cbm of catboost", "model.cbm", example=X),
    "keras": Case(
        "keras", layers, "keras of keras", "model.keras", example=X, predict=lambda model: model.predict(X, verbose=0)
    ),
    "onnx": Case("onnx", graph, "onnx of onnx", "model.onnx", "x float32 [any, 4]", predict=first),
    "transformers": Case("transformers", bert, "transformers of", "config.json model.safetensors", "", predict=pooled),
}


def needed(name: str) -> Case:
    """The case *name*, where its library is there."""
    case = CASES[name]
    if name == "catboost":
        pytest.importorskip("catboost", reason="270 MB, which `make integrations` does not bring")
    need(case.module, importlib.util.find_spec(case.module) is not None)
    return case


@pytest.mark.parametrize("name", CASES)
def test_a_model_is_stored_safely_described_and_loaded_back(name: str, inside: Repo):
    case = needed(name)
    model = case.make()
    example = __import__("torch").from_numpy(X) if isinstance(case.example, str) else case.example
    with mlgit.init() as run:
        run.log_model(model, name="net", input_example=example)

    card = mlgit.model_card("net")
    back = mlgit.load_model("net")

    assert card.brief.startswith(case.card)
    assert card.unsafe == ""
    assert card.framework == frameworks.of(model) == name
    assert sorted(card.sha256) == sorted([*case.files.split(), "model.yaml"])
    assert "; ".join(map(str, card.inputs)) == case.inputs
    assert bool(card.outputs) == (example is not None or name == "onnx")
    assert np.allclose(case.predict(back), case.predict(model), atol=1e-6)
    assert type(back) in (type(model), dict)


@pytest.mark.parametrize("name", CASES)
def test_an_equal_model_is_the_same_version(name: str, inside: Repo):
    case = needed(name)
    models = [case.make(), case.make()]  # both alive, so that no object of one lies where one of the other lay

    with mlgit.init() as run:
        versions = [run.log_model(model, name="net").version for model in models]

    assert versions == ["v0", "v0"]


def test_what_is_noted_in_a_file_of_tensors_stands_in_order(tmp_path: Path):
    need("safetensors", importlib.util.find_spec("safetensors") is not None)
    import safetensors.numpy

    tensors = {f'gewicht \N{SNOWMAN} "{number}"\n\x7f': np.arange(number + 1.0) for number in range(5)}
    noted = {name: str(number) for number, name in enumerate(tensors)}
    found = set()
    for number in range(20):
        safetensors.numpy.save_file(tensors, tmp_path / str(number), metadata=noted)
        steady.order_header(tmp_path / str(number))
        found.add((tmp_path / str(number)).read_bytes())

    back = safetensors.numpy.load_file(tmp_path / "0")
    with safetensors.safe_open(tmp_path / "0", framework="np") as file:
        assert file.metadata() == noted
    assert {name: one.tolist() for name, one in back.items()} == {name: one.tolist() for name, one in tensors.items()}
    assert len(found) == 1


def test_a_text_model_is_the_same_bytes_from_another_process(tmp_path: Path):
    need("skops", importlib.util.find_spec("skops") is not None)
    code = """
from sklearn.feature_extraction.text import TfidfVectorizer
from mlgit.formats.frameworks import sklearn
sklearn.save(TfidfVectorizer().fit(["a model of words", "words of a text"]), folder)
"""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    exec(code, {"folder": tmp_path / "here"})
    elsewhere = f"from pathlib import Path; folder = Path({str(tmp_path / 'there')!r})\n{code}"
    subprocess.run([sys.executable, "-c", elsewhere], check=True)

    assert (tmp_path / "here/model.skops").read_bytes() == (tmp_path / "there/model.skops").read_bytes()


def test_a_word_that_is_called_as_what_is_taken_out_keeps_its_place(tmp_path: Path):
    needed("sklearn")
    from sklearn.feature_extraction.text import CountVectorizer

    words = {"file": 0, "__id__": 1, "_stop_words_id": 2, "content": 3}

    card = keeping.store(CountVectorizer(vocabulary=words), tmp_path)

    assert loading.load(tmp_path, card, Trust()).vocabulary == words


def test_an_estimator_that_skops_does_not_hold_is_refused_with_a_way_out(tmp_path: Path):
    needed("sklearn")
    from sklearn.cluster import Birch

    with pytest.raises(UsageError, match=r"not hold this sklearn.cluster._birch.Birch"):
        keeping.store(Birch(n_clusters=2).fit(X), tmp_path)


def test_an_estimator_that_could_never_be_loaded_is_not_stored(tmp_path: Path):
    needed("sklearn")
    from sklearn.preprocessing import FunctionTransformer

    with pytest.raises(UsageError, match="<lambda>, which nobody could find by that name"):
        keeping.store(FunctionTransformer(lambda features: features * 2), tmp_path)


class Holding:
    """A step that keeps what it is given."""

    def __init__(self, kept: Any = None) -> None:
        self.kept = kept

    def fit(self, features: Any) -> Any:
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return vars(self)


class Grade(enum.Enum):
    """What skops writes and cannot read."""

    GOOD = 1


ODD: dict[str, Callable[[], Any]] = {
    "torch.nn.modules.linear.Linear": lambda: net()[0],
    "torch.Tensor": lambda: __import__("torch").zeros(2),
    "numpy.ndarray": lambda: np.array({"an": "object"}, dtype=object),
    "re.Pattern": lambda: re.compile("a+"),
    f"{Grade.__module__}.Grade": lambda: Grade.GOOD,
    "complex": lambda: 1j,
    "generator": lambda: (number for number in range(3)),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_skops_could_not_load_back_is_named_before_anything_is_recorded(kind: str, inside: Repo):
    needed("torch" if "torch" in kind else "sklearn")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with mlgit.init(name="tried") as run, pytest.raises(UsageError) as caught:
        run.log_model(make_pipeline(StandardScaler(), Holding({"odd": [1, ODD[kind]()]})), name="net")

    assert caught.value.what == "skops does not hold this sklearn.pipeline.Pipeline."
    assert caught.value.why.startswith(f"its steps[1][1].kept['odd'][1] is a {kind}: ")
    assert "leave that out" in caught.value.fix
    assert mlgit.Api().run("tried").logged_artifacts() == []
    with pytest.raises(MlgitError):
        mlgit.load_model("net")


def estimators() -> Iterator[Any]:
    """Every estimator of scikit-learn that can be trained on a few rows without being told anything."""
    from sklearn.utils import all_estimators

    for _, kind in all_estimators():
        with suppress(TypeError, ValueError, AttributeError):  # it asks for other estimators, or for other data
            known = inspect.signature(kind).parameters
            model = kind(**{name: 5 for name in ("n_estimators", "max_iter") if name in known})
            if hasattr(model, "predict") or hasattr(model, "transform"):
                yield model.fit(X[:30], Y[:30])


def asked(model: Any) -> Any:
    said = model.predict(X[:5]) if hasattr(model, "predict") else model.transform(X[:5])
    return said.toarray() if hasattr(said, "toarray") else said


@pytest.mark.filterwarnings("ignore")
def test_every_estimator_of_scikit_learn_says_the_same_when_it_is_loaded_or_is_refused(tmp_path: Path):
    needed("sklearn")
    from threadpoolctl import threadpool_limits

    stored, refused = 0, []
    for model in threadpool_limits.wrap(limits=1)(list)(estimators()):  # threads are slow on tiny matrices
        folder = tmp_path / type(model).__name__
        folder.mkdir()
        try:
            keeping.store(model, folder)
        except UsageError:
            refused.append(folder.name)
            continue
        back = loading.load(folder, ModelCard(framework="sklearn"), Trust(types=trusting(folder)))
        stored += 1
        with suppress(ValueError, AttributeError):  # it wants texts, or what is above zero
            assert np.array_equal(asked(back), asked(model)), folder.name

    assert refused == ["Birch"]
    assert stored > 100


def trusting(folder: Path) -> tuple[str, ...]:
    import skops.io

    return tuple(skops.io.get_untrusted_types(file=folder / "model.skops"))


def sparse() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(X, Y).sparsify()


def several() -> Any:
    """Of a network: its weights and its biases, layer by layer."""
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((3,), random_state=0).partial_fit(X, Y, classes=[0, 1])


def mixed() -> Any:
    import torch

    return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 2).half())


COUNTED: dict[str, tuple[Callable[[], Any], int | None, str]] = {
    "torch: what is shared once": (net, 4 * 4 + 4 + 4, "float32"),
    "torch: no buffers, two types": (mixed, (4 * 3 + 3) + (3 + 3) + (3 * 2 + 2), "float16, float32"),
    "sklearn: a step of a pipeline": (pipeline, 4 + 1, "float32"),
    "sklearn: without its zeros": (sparse, 4 + 1, "float32"),
    "sklearn: layers": (several, (4 * 3 + 3) + (3 * 1 + 1), "float32"),
    "keras": (layers, 4 * 2 + 2, "float32"),
    "onnx": (graph, 4 * 2, "float32"),
    "numpy": (lambda: {"w": X[:3], "n": Y[:2]}, 3 * 4 + 2, "float32, int64"),
    "xgboost: trees have none": (boosted, None, ""),
}


@pytest.mark.parametrize("what", COUNTED)
def test_parameters_are_counted(what: str, tmp_path: Path):
    make, count, dtype = COUNTED[what]
    name = what.partition(":")[0]
    needed(name) if name in CASES else None
    model = make()

    card = keeping.store(model, tmp_path)

    assert (card.parameters, card.dtype) == (count, dtype)
    assert card.size == sum(path.stat().st_size for path in tmp_path.iterdir() if path.name != keeping.CARD)


def branched() -> Any:
    import keras

    x, z = keras.Input((4,), name="x"), keras.Input((2,), name="z", dtype="int32")
    return keras.Model({"x": x, "z": z}, keras.layers.Dense(3)(x))


def framed(kind: str) -> Any:
    import pandas as pd

    frame = pd.DataFrame(X, columns=list("abcd"))
    if kind == "xgboost":
        xgboost = __import__("xgboost")
        return xgboost.train({}, xgboost.DMatrix(frame, Y), 1)
    lightgbm = __import__("lightgbm")
    return lightgbm.train({"verbose": -1}, lightgbm.Dataset(frame, Y), 1)


KNOWN: dict[str, tuple[Callable[[], Any], str, str]] = {
    "sklearn": (pipeline, "[any, 4]", ""),
    "xgboost": (boosted, "[any, 4]", ""),
    "xgboost: a booster of a frame": (lambda: framed("xgboost"), "a [any]; b [any]; c [any]; d [any]", ""),
    "lightgbm": (lighter, "[any, 4]", ""),
    "lightgbm: a booster of a frame": (lambda: framed("lightgbm"), "a [any]; b [any]; c [any]; d [any]", ""),
    "keras": (layers, "float32 [any, 4]", "float32 [any, 2]"),
    "keras: two inputs": (branched, "x float32 [any, 4]; z int32 [any, 2]", "float32 [any, 3]"),
}


@pytest.mark.parametrize("what", KNOWN)
def test_what_a_model_itself_knows_of_its_inputs_needs_no_example(what: str, tmp_path: Path):
    make, inputs, outputs = KNOWN[what]
    needed(what.partition(":")[0])

    card = keeping.store(make(), tmp_path)

    assert ["; ".join(map(str, side)) for side in (card.inputs, card.outputs)] == [inputs, outputs]


@pytest.mark.parametrize("names", [True, False])
def test_a_module_of_two_inputs_is_asked_by_their_names_or_in_order(names: bool, tmp_path: Path):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    left, right = torch.zeros(2, 4), torch.zeros(2, 3)
    example = {"input1": left, "input2": right} if names else (left, right)

    card = keeping.store(torch.nn.Bilinear(4, 3, 5), tmp_path, example=example)

    assert [port.shape for port in card.inputs] == [(-1, 4), (-1, 3)]
    assert [port.name for port in card.inputs] == (["input1", "input2"] if names else ["", ""])
    assert [str(port) for port in card.outputs] == ["float32 [any, 5]"]
    assert card.parameters == 5 * 4 * 3 + 5


def test_finding_a_framework_imports_nothing(inside: Repo):
    code = (
        "import sys, numpy; from mlgit.formats import frameworks as f; f.of({'a': numpy.zeros(1)}); print(*sys.modules)"
    )

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"torch", "sklearn", "xgboost", "keras", "transformers", "onnx", "skops"} & set(loaded)


def test_a_state_with_more_than_tensors_is_refused(inside: Repo):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    with mlgit.init() as run, pytest.raises(UsageError):
        run.log_model({"model": torch.zeros(2), "epoch": 3}, name="net")


def test_tensors_that_lie_in_one_memory_are_stored_whole(inside: Repo):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    table = torch.arange(12.0).reshape(3, 4)
    with mlgit.init() as run:
        run.log_model({"all": table, "row": table[1], "turned": table.T, "same": table}, name="net")

    back = mlgit.load_model("net")

    assert {name: one.tolist() for name, one in back.items()} == {
        "all": table.tolist(), "row": table[1].tolist(), "turned": table.T.tolist(), "same": table.tolist(),
    }  # fmt: skip
    assert back["same"] is back["all"]


def test_a_tensor_that_is_another_conjugated_is_stored_as_it_reads(inside: Repo):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    waves = torch.tensor([1 + 2j, 3 - 4j])
    tensors = {"waves": waves, "mirrored": waves.conj(), "up": waves.imag, "down": waves.conj().imag}
    with mlgit.init() as run:
        run.log_model(tensors, name="waves")

    back = mlgit.load_model("waves")

    assert {name: one.tolist() for name, one in back.items()} == {name: one.tolist() for name, one in tensors.items()}


def test_a_tensor_alone_is_no_model(tmp_path: Path):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    with pytest.raises(UsageError, match=r"A torch\.Tensor is no model of torch"):
        keeping.store(torch.ones(2), tmp_path)


def test_a_tensor_called_as_the_format_is_no_second_one(inside: Repo):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    with mlgit.init() as run:
        run.log_model({"pt": torch.ones(2), "eta": torch.zeros(2)}, name="physics")

    assert mlgit.load_model("physics").keys() == {"pt", "eta"}


def test_tensors_that_safetensors_does_not_hold_are_refused_with_a_way_out(tmp_path: Path):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    for model in ({"w": torch.eye(3).to_sparse()}, {1: torch.ones(2)}, torch.nn.LazyLinear(2)):
        with pytest.raises(UsageError, match="allow_pickle=True"):
            keeping.store(model, tmp_path)


def test_a_graph_too_large_for_one_file_stays_whole_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    needed("onnx")
    monkeypatch.setattr(frameworks.named("onnx"), "_LARGE", 1000)
    helper = __import__("onnx.helper").helper
    weights = np.arange(400, dtype="float32").reshape(20, 20)
    wide = helper.make_tensor("w", 1, weights.shape, weights.tobytes(), raw=True)
    ports = [helper.make_tensor_value_info(name, 1, ["n", 20]) for name in "xy"]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    model = helper.make_model(helper.make_graph(nodes, "g", ports[:1], ports[1:], [wide]))
    before = model.SerializeToString()
    folders = [tmp_path / name for name in "ab"]

    for folder in folders:
        folder.mkdir()
        card = keeping.store(model, folder)
    back = loading.load(folders[1], card, Trust())

    assert model.SerializeToString() == before
    assert back.graph.initializer[0].raw_data == weights.tobytes()
    assert [sorted(path.name for path in folder.iterdir()) for folder in folders] == [
        ["model.onnx", "model.onnx.data", "model.yaml"]
    ] * 2
    assert len({(folder / "model.onnx").read_bytes() for folder in folders}) == 1


def test_a_graph_without_its_weights_is_refused(tmp_path: Path):
    needed("onnx")
    onnx = __import__("onnx.external_data_helper")
    model = graph()
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "elsewhere.data")
    model.graph.initializer[0].ClearField("raw_data")

    with pytest.raises(UsageError, match="in files of their own"):
        keeping.store(model, tmp_path)


def test_a_model_of_catboost_that_reads_texts_comes_back(tmp_path: Path):
    needed("catboost")
    catboost, pd = __import__("catboost"), __import__("pandas")
    frame = pd.DataFrame({"said": ["good film", "bad film", "so so"] * 20, "age": X[:, 0]})
    settings = {"iterations": 3, "verbose": False, "allow_writing_files": False, "text_features": ["said"]}
    model = catboost.CatBoostClassifier(**settings).fit(frame, Y)

    card = keeping.store(model, tmp_path)
    back = loading.load(tmp_path, card, Trust())

    assert back.predict_proba(frame).tolist() == model.predict_proba(frame).tolist()


def test_states_of_one_model_in_a_folder_are_not_mixed(tmp_path: Path):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch
    from safetensors.torch import save_file

    (tmp_path / "step-9").mkdir()
    save_file({"w": torch.ones(2)}, tmp_path / "model.safetensors")
    save_file({"w": torch.zeros(2)}, tmp_path / "step-9/model.safetensors")
    card = keeping.described(loading.files_of(tmp_path), {})

    with pytest.raises(UsageError, match="w is in several files"):
        loading.load(tmp_path, card, Trust())


def test_a_module_trains_on_as_it_did_after_it_was_asked(tmp_path: Path):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4), torch.nn.Dropout())
    model[1].eval()

    keeping.store(model, tmp_path, example=torch.zeros(2, 4))

    assert [part.training for part in model.modules()] == [True, True, False, True]


class Doubling:
    """A step of the tests' own, which skops trusts nobody to make."""

    def fit(self, features: Any, labels: Any = None) -> Doubling:
        return self

    def transform(self, features: Any) -> Any:
        return features * 2


def test_an_estimator_with_foreign_classes_is_loaded_once_they_are_trusted(inside: Repo):
    need("skops", importlib.util.find_spec("skops") is not None)
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    made = make_pipeline(Doubling(), LogisticRegression()).fit(X, Y)
    with mlgit.init() as run:
        run.log_model(made, name="net")
    foreign = f"{Doubling.__module__}.Doubling"

    with pytest.raises(UsageError, match="which nobody trusts yet"):
        mlgit.load_model("net")
    assert mlgit.load_model("net", trusted=[foreign]).predict(X).tolist() == made.predict(X).tolist()
    assert isinstance(mlgit.load_model("net", trusted=foreign)[0], Doubling)


def test_a_keras_model_with_code_in_it_is_stored_only_where_somebody_asks_for_it(inside: Repo):
    need("keras", importlib.util.find_spec("keras") is not None)
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2)])
    with mlgit.init() as run:
        with pytest.raises(UsageError, match="a Keras Lambda layer, which is code"):
            run.log_model(model, name="net")
        run.log_model(model, name="net", allow_pickle=True)

    assert "Lambda" in mlgit.model_card("net").unsafe
    with pytest.raises(UsageError, match="unsafe"):
        mlgit.load_model("net")
    assert mlgit.load_model("net", allow_pickle=True).predict(X, verbose=0).tolist() == (X * 2).tolist()


@pytest.mark.parametrize("legacy", [False, True])
def test_what_torch_saves_is_marked_and_loaded_only_where_that_is_allowed(inside: Repo, legacy: bool):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    torch.save({"w": torch.ones(2)}, "net.bin", _use_new_zipfile_serialization=not legacy)
    with mlgit.init() as run:
        run.log_model("net.bin", name="net")

    assert mlgit.model_card("net").unsafe.startswith("a pickle")
    with pytest.raises(UsageError, match="unsafe"):
        mlgit.load_model("net")
    assert mlgit.load_model("net", allow_pickle=True)["w"].tolist() == [1, 1]


def test_what_joblib_packs_is_marked(inside: Repo):
    import joblib

    for number, packed in enumerate([0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)]):
        joblib.dump(pipeline(), f"net{number}", compress=packed)
    with mlgit.init() as run:
        briefs = [run.log_model(f"net{number}").stored.card.unsafe for number in range(6)]

    assert briefs == [f"a pickle in net{number}" for number in range(6)]


def test_an_estimator_of_lightgbm_comes_back_as_one_with_its_classes(inside: Repo):
    need("lightgbm", importlib.util.find_spec("lightgbm") is not None)
    import lightgbm
    import pandas as pd

    kinds = np.array(["cat", "dog"])[Y]
    frame = pd.DataFrame(X, columns=list("abcd")).assign(kind=pd.Categorical(kinds))
    models = [lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(frame, kinds) for _ in range(2)]
    with mlgit.init() as run:
        versions = [run.log_model(model, name="net", input_example=frame[:3]).version for model in models]

    back, card = mlgit.load_model("net"), mlgit.model_card("net")

    assert versions == ["v0", "v0"]
    assert (type(back), back.classes_.tolist()) == (lightgbm.LGBMClassifier, ["cat", "dog"])
    assert back.predict(frame).tolist() == models[0].predict(frame).tolist()
    assert (card.format, card.framework, card.unsafe) == ("skops", "lightgbm", "")


def test_an_estimator_of_lightgbm_with_code_of_its_own_asks_for_trust(inside: Repo):
    need("lightgbm", importlib.util.find_spec("lightgbm") is not None)
    import lightgbm

    model = lightgbm.LGBMRegressor(n_estimators=1, verbose=-1, objective=halfway).fit(X, Y)
    with mlgit.init() as run:
        run.log_model(model, name="net")

    with pytest.raises(UsageError, match=r"halfway, which nobody trusts yet"):
        mlgit.load_model("net")


def halfway(truth: Any, given: Any) -> Any:
    """An objective."""
    return given - truth, np.ones_like(truth, dtype=float)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_a_keras_model_of_the_old_format_is_loaded_in_safe_mode(inside: Repo):
    need("keras", importlib.util.find_spec("keras") is not None)
    import keras

    model = layers()
    model.save("net.h5")
    model.save_weights("net.weights.h5")
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2)]).save("code.h5")
    with mlgit.init() as run:
        run.log_model("net.h5", name="net")
        run.log_model("net.weights.h5", name="weights")
        run.log_model("code.h5", name="code")

    assert np.allclose(mlgit.load_model("net").predict(X, verbose=0), model.predict(X, verbose=0))
    assert mlgit.model_card("net").format == "keras"
    with pytest.raises(UsageError, match="Nobody knows the format"):
        mlgit.load_model("weights")
    with pytest.raises(UsageError, match="a Keras Lambda layer, which is code"):
        mlgit.load_model("code")


def test_what_a_trainer_leaves_beside_its_model_can_be_left_out(inside: Repo, capfd: pytest.CaptureFixture[str]):
    need("transformers", importlib.util.find_spec("transformers") is not None)
    import torch

    model = bert()
    model.save_pretrained("trained")
    Path("trained/checkpoint-1").mkdir()
    for name in ("training_args.bin", "checkpoint-1/optimizer.pt"):
        torch.save({"lr": 0.1}, Path("trained", name))
    with mlgit.init() as run:
        run.log_model("trained", name="all")
        said = capfd.readouterr().err
        run.log_model("trained", name="some", exclude=["training_args.bin", "checkpoint-*"], metadata={"epoch": 1})
        with pytest.raises(UsageError, match="no file that is not excluded"):
            run.log_model("trained", name="none", exclude="*")

    whole, some = mlgit.model_card("all"), mlgit.model_card("some")

    assert whole.unsafe == "a pickle (data.pkl) in checkpoint-1/optimizer.pt, training_args.bin"
    assert "leaves out of a folder what exclude=[…] meets" in said
    assert (some.unsafe, some.format, sorted(some.sha256)) == ("", "transformers", ["config.json", "model.safetensors"])
    assert type(mlgit.load_model("some")) is type(model)
    assert np.allclose(pooled(mlgit.load_model("some")), pooled(model))


def test_what_keras_is_to_compute_with_is_named_where_it_is_missing(inside: Repo):
    needed("keras")
    with mlgit.init() as run:
        run.log_model(layers(), name="net")
    code = "import sys, mlgit; sys.modules['tensorflow'] = None; mlgit.load_model('net')"
    env = os.environ | {"KERAS_BACKEND": "tensorflow"}

    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)

    assert "Keras is to compute with tensorflow, which is not there" in done.stderr
    assert "KERAS_BACKEND=torch or jax" in done.stderr


def test_a_missing_library_is_named(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with mlgit.init() as run, pytest.raises(MlgitError, match="This needs skops"):
        run.log_model(pipeline(), name="net")

    assert not list((inside.own / "drafts").iterdir())
    assert Path.cwd() == inside.work_tree
