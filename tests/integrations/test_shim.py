"""`mlgit run --wandb`: `import wandb` means mlgit, in scripts, in what they start and in libraries."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.integrations import names, shim
from mlgit.integrations.trace import Trace
from mlgit.store import runs
from mlgit.tracking import media

Script = Callable[..., "subprocess.CompletedProcess[str]"]

TRAIN = """
import wandb
run = wandb.init(project="digits", config={"lr": 0.1})
for step in range(3):
    wandb.log({"loss": 1 / (step + 1)})
wandb.summary["best"] = wandb.config.lr
wandb.finish()
print(wandb.__file__)
"""


@pytest.fixture
def run(repo: Repo, mlgit: Script) -> Script:
    """`mlgit run --wandb -- python …` in the repository."""

    def call(*words: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
        return mlgit("run", "--wandb", "--", sys.executable, *words, cwd=repo.folder, **kwargs)

    return call


def test_a_script_that_imports_wandb_leaves_a_branch(repo: Repo, run: Script):
    (repo.folder / "train.py").write_text(TRAIN)
    run("train.py")
    (found,) = query.runs(repo)

    assert found.project == "digits"
    assert found.params == {"lr": 0.1}
    assert found.metrics == {"loss": pytest.approx(1 / 3), "best": 0.1}


@pytest.mark.parametrize("how", ["script", "-c", "-m", "spawn", "subprocess"])
def test_the_name_holds_however_python_is_started(repo: Repo, run: Script, how: str):
    (repo.folder / "which.py").write_text("import wandb\nprint(wandb.__version__, wandb.init.__module__)\n")
    (repo.folder / "spawn.py").write_text(
        "import multiprocessing as m\ndef f(q):\n import which\n"
        "if __name__ == '__main__':\n p = m.get_context('spawn').Process(target=f, args=(1,)); p.start(); p.join()\n"
    )
    words = {
        "script": ["which.py"], "-c": ["-c", "import which"], "-m": ["-m", "which"], "spawn": ["spawn.py"],
        "subprocess": ["-c", "import subprocess, sys; subprocess.run([sys.executable, 'which.py'], check=True)"],
    }  # fmt: skip
    done = run(*words[how])

    assert done.stdout.split() == [names.VERSION, "mlgit.tracking.session"]


def test_what_is_on_pythons_path_stays_there_and_comes_behind(repo: Repo, run: Script):
    other = repo.folder / "libs"
    (other / "wandb").mkdir(parents=True)
    (other / "wandb/__init__.py").write_text("raise SystemExit('the other one')")
    (other / "mine.py").write_text("")
    done = run("-c", "import mine, wandb; print(wandb.__version__)", env={**os.environ, "PYTHONPATH": str(other)})

    assert done.stdout == f"{names.VERSION}\n"


def test_a_folder_of_old_wandb_runs_beside_the_script_is_not_taken_for_it(repo: Repo, run: Script):
    (repo.folder / "wandb/latest-run").mkdir(parents=True)
    (repo.folder / "train.py").write_text("import wandb; wandb.init()")
    run("train.py")

    assert len(query.runs(repo)) == 1


def test_without_the_option_wandb_is_whatever_is_installed(repo: Repo, mlgit: Script):
    code = "import importlib.util; found = importlib.util.find_spec('wandb'); print(found and found.origin)"
    done = mlgit("run", "--", sys.executable, "-c", code, cwd=repo.folder)
    real = importlib.util.find_spec("wandb")

    assert done.stdout.strip() == str(real and real.origin)


def test_libraries_find_its_version_in_the_metadata(run: Script):
    code = (
        "import importlib.metadata as m; d = m.distribution('wandb'); "
        "print(d.version, d.metadata['Name'], 'wandb' in m.packages_distributions())"
    )

    assert run("-c", code).stdout.split() == [names.VERSION, "wandb", "True"]


@pytest.mark.parametrize("flags", [["-I", "x.py"], ["-uE", "x.py"], ["-X", "dev", "-I"]])
def test_a_python_that_ignores_its_environment_is_refused(flags: list[str]):
    if flags[1] == "dev":
        flags = ["-Xdev", "-I"]
    with pytest.raises(UsageError, match="ignores its environment"):
        shim.variables(["/usr/bin/python3.12", *flags])


@pytest.mark.parametrize("words", [["python", "x.py", "-I"], ["python", "-c", "-I"], ["bash", "-I"], []])
def test_any_other_command_is_taken(words: list[str]):
    assert shim.variables(words, {"PYTHONPATH": f"a{os.pathsep}b", "PATH": "/bin"}) == {
        "PYTHONPATH": os.pathsep.join([str(shim.FOLDER), "a", "b"]),
        "PATH": os.pathsep.join([str(shim.COMMANDS), "/bin"]), "MLGIT_PYTHON": sys.executable,
    }  # fmt: skip


def test_a_run_inside_a_run_names_the_folder_once():
    once = shim.variables(["python"], {"PYTHONPATH": "a"})

    assert shim.variables(["python"], once) == once


def test_a_python_without_mlgit_is_told_how_to_get_it(tmp_path: Path, python: Script):
    done = python("-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(shim.FOLDER)!r}); import wandb", check=False)

    assert "this Python has no mlgit" in done.stderr
    assert "-m pip install mlgit" in done.stderr


IMPORTS = """
from PACKAGE import Error, Run
from PACKAGE.errors import CommError, Error, UsageError
from PACKAGE.sdk.lib import RunDisabled
from PACKAGE.sdk.lib.config_util import ConfigError
from PACKAGE.sdk.lib.runid import generate_id
from PACKAGE.sdk.wandb_run import Run
from PACKAGE.wandb_run import Run
from PACKAGE.sdk.data_types.base_types.wb_value import WBValue
from PACKAGE.sdk.data_types.image import Image
from PACKAGE.sdk.data_types.video import Video
from PACKAGE.util import generate_id, json_dumps_safer, make_artifact_name_safe
from PACKAGE.agents.pyagent import pyagent
from PACKAGE.plot.roc_curve import roc_curve
from PACKAGE.plot.viz import CustomChart
from PACKAGE.sdk.lib import ipython
import PACKAGE.plot.confusion_matrix
assert callable(PACKAGE.plot.confusion_matrix) and callable(PACKAGE.plot.bar) and roc_curve is PACKAGE.plot.roc_curve
assert ipython._get_python_type() == "python" and not ipython.in_jupyter() and pyagent is PACKAGE.agent
import PACKAGE.env, PACKAGE.sdk, PACKAGE.util, PACKAGE.apis.public, PACKAGE.integration, PACKAGE.sdk.lib.telemetry
assert PACKAGE.sdk.wandb_run.Run is PACKAGE.Run is Run
assert PACKAGE.env.PROJECT == "WANDB_PROJECT"
assert len(generate_id()) == 8 and len(generate_id(20)) == 20
assert make_artifact_name_safe("a b/c") == "a_b_c"
assert PACKAGE.util.from_human_size("20GB") == 20 * 10**9 and PACKAGE.util.from_human_size("1.5 KiB") == 1536
assert [PACKAGE.util.to_human_size(size) for size in (1000, 1500, 12)] == ["1.0KB", "1.5KB", "12.0B"]
assert PACKAGE.util.get_module("nothing_of_this_name") is None
with PACKAGE.sdk.lib.telemetry.context() as tel:
    tel.feature.anything = True
from PACKAGE.data_types import BatchableMedia, Image, Plotly, WBTraceTree, _SavedModel
from PACKAGE.errors import WandbCoreNotAvailableError
from PACKAGE.sdk.artifacts.artifact_ttl import ArtifactTTL
from PACKAGE.sdk.artifacts.exceptions import ArtifactNotLoggedError
from PACKAGE.sdk.data_types import saved_model
from PACKAGE.sdk.data_types.helper_types.bounding_boxes_2d import BoundingBoxes2D
from PACKAGE.sdk.data_types.object_3d import Object3D, box3d
from PACKAGE.sdk.interface.interface import GlobStr, PolicyName
from PACKAGE.sdk.wandb_metric import Metric
from PACKAGE.apis.public import Artifacts, Files, Projects, RunArtifacts, RunNotFoundError, Sweeps
from PACKAGE.apis.public.files import File
from PACKAGE.sdk.artifacts.artifact_manifest_entry import ArtifactManifestEntry
from PACKAGE.sdk.internal.profiler import torch_trace_handler
from PACKAGE.sdk.lib.filesystem import mkdir_exists_ok
from PACKAGE.sdk.lib.json_util import dumps
assert PACKAGE.helper.parse_config({"lr": 1, "seed": 2}, exclude=["seed"]) == {"lr": 1}
assert PACKAGE.profiler.torch_trace_handler is torch_trace_handler and PACKAGE.sagemaker_auth(path="x") is None
assert issubclass(Image, BatchableMedia) and not issubclass(Plotly, BatchableMedia)
assert saved_model._SavedModel is _SavedModel and not isinstance(1, _SavedModel)
try: _SavedModel.init("net.pt")
except UsageError as e: assert "log_model()" in str(e)
things = Error, CommError, UsageError, RunDisabled, ConfigError, Run, make_artifact_name_safe, pyagent, CustomChart
print({thing.__module__.partition(".")[0] for thing in things}, PACKAGE.wandb_run.__name__)
"""


@pytest.mark.parametrize("name", ["wandb", "mlgit"])
def test_submodules_that_libraries_import_are_there_and_ours(run: Script, name: str):
    done = run("-c", IMPORTS.replace("PACKAGE", name))

    assert done.stdout == f"{{'mlgit'}} {name}.wandb_run\n"


def test_a_name_that_is_not_there_says_what_is(run: Script):
    code = "import wandb\ntry: wandb.int\nexcept AttributeError as e: print(e)\nprint(hasattr(wandb.sdk, 'nothing'))\n"
    code += "try: import wandb.integration.fastai\nexcept ImportError as e: print(e)\n"
    code += "try: wandb.util.nothing\nexcept AttributeError as e: print(e)\n"
    code += "try: wandb.plot.roc\nexcept AttributeError as e: print(e)\n"
    said = run("-c", code).stdout.splitlines()

    assert "Did you mean" in said[0]
    assert "init" in said[0]
    assert said[1] == "False"
    assert "no counterpart" in said[2]
    assert "fastai.callback.wandb" in said[3]
    assert "There are: WandBJSONEncoder, ensure_matplotlib_figure, from_human_size, generate_id" in said[4]
    assert said[5] == "module 'wandb.plot' has no attribute 'roc'. Did you mean roc_curve?"


@pytest.mark.parametrize(
    ("statement", "instead"),
    [
        ("from wandb.integration.kfp import wandb_log", "call mlgit.init() and mlgit.log() in the step"),
        ("from wandb.integration.sagemaker import parse_sm_config", "mlgit.init(config=…)"),
        ("from wandb.proto import wandb_telemetry_pb2", "mlgit import wandb DIR"),
        ("from wandb.sdk.integration_utils.auto_logging import AutologAPI", "in a callback of your own"),
        ("import wandb.sdk.data_types._dtypes", "mlgit.Table(dtype=…)"),
        ("import wandb.jupyter", "%%wandb"),
        ("from wandb.plot.utils import test_missing", "by itself"),
        ("import wandb; wandb.util.convert_plots(1)", "log the figure as it is"),
    ],
)
def test_what_has_no_counterpart_says_what_serves_instead(run: Script, statement: str, instead: str):
    said = run("-c", statement, check=False).stderr

    assert "has no counterpart in mlgit" in said
    assert instead in said


def test_what_prepares_a_script_for_w_bs_queues_lets_it_run_without_them(repo: Repo, run: Script):
    code = """
import wandb
from wandb.sdk import launch
launch.manage_wandb_config(include=["lr"], exclude=["seed"])
launch.manage_config_file("config.yaml", schema={})
wandb.init(config={"lr": 1})
try: launch.launch_add("uri", queue_name="gpus")
except wandb.UsageError as e: print(e)
"""
    assert "queues" in run("-c", code).stdout
    assert query.runs(repo)[0].params == {"lr": 1}


def test_modules_answer_to_their_old_names(run: Script):
    run("-c", "import wandb\nassert wandb.wandb_sdk is wandb.sdk and wandb.wandb_lib.runid is wandb.sdk.lib.runid")


STARS = {
    "wandb": """
        Api ArtifactTTL Audio EvalTable Graph Histogram Html Image Molecule Object3D Plotly Run Table Video __version__
        agent box3d config controller define_metric finish init join link_model log log_artifact log_model plot_table
        save setup summary sweep unwatch use_artifact use_model watch
    """,
    "wandb.data_types": """
        Audio BatchableMedia Bokeh BoundingBoxes2D Classes EvalTable Graph Histogram Html Image ImageMask JoinedTable
        Media Molecule Node Object3D PartitionedTable Plotly Table Video WBTraceTree WBValue _SavedModel box3d
    """,
    "wandb.errors": "AuthenticationError CommError Error UnsupportedError UsageError",
}
"""What `import *` brings of W&B's own modules."""


@pytest.mark.parametrize("module", STARS)
def test_a_star_brings_what_it_brings_there_and_it_is_ours(run: Script, module: str):
    code = f"""
brought = {{}}
exec("from {module} import *", brought)
del brought["__builtins__"]
print(*brought)
print({{one.__module__.partition(".")[0] for one in brought.values() if isinstance(one, type)}})
"""
    brought, owners = run("-c", code).stdout.splitlines()

    assert set(STARS[module].split()) <= set(brought.split())
    assert owners == "{'mlgit'}"


def test_looking_at_the_whole_package_loads_no_library(run: Script):
    code = (
        "import inspect, sys, wandb\ninspect.getmembers(wandb)\nprint('keras' in sys.modules, 'xgboost' in sys.modules)"
    )

    assert run("-c", code).stdout == "False False\n"


def test_a_config_that_is_assigned_is_the_runs(repo: Repo, run: Script):
    code = "import wandb\nwandb.init()\nwandb.config = {'lr': 0.1}\nwandb.config.epochs = 2\n"
    run("-c", f"{code}assert wandb.config.lr == 0.1")

    assert query.runs(repo)[0].params == {"lr": 0.1, "epochs": 2}


def test_words_at_the_terminal_are_said_as_often_as_asked(run: Script):
    code = "import wandb\nfor _ in range(2):\n wandb.termwarn('slow', repeat=False)\n wandb.termlog('hello')\n"
    said = run("-c", f"{code}wandb.errors.term.termerror('broken')").stderr

    assert said.count("mlgit: WARNING slow") == 1
    assert said.count("mlgit: hello") == 2
    assert "mlgit: ERROR broken" in said


def test_words_at_the_terminal_are_not_said_where_wandb_is_silent(run: Script):
    code = "import os\nos.environ['WANDB_SILENT'] = 'true'\nimport wandb\nwandb.termlog('a'); wandb.termwarn('b')"

    assert not {"mlgit: a", "mlgit: WARNING b"} & set(run("-c", code).stderr.splitlines())


def test_names_can_be_replaced_as_tests_do(run: Script):
    run("-c", "import wandb\nwandb.log = print\nwandb.watch_called = False\nassert wandb.log is print")


def test_a_module_that_nobody_knows_is_not_found(run: Script):
    code = "import importlib.util, wandb; print(importlib.util.find_spec('wandb.nothing'))"

    assert run("-c", code).stdout == "None\n"


def test_w_bs_own_commands_answer_and_a_script_that_calls_them_goes_on(repo: Repo, run: Script):
    code = """
import subprocess, sys
for words in (["login", "--relogin", "key"], ["offline"], ["disabled"], ["status"], ["sync", "--sync-all"]):
    subprocess.run(["wandb", *words], check=True)
subprocess.run([sys.executable, "-m", "wandb", "online"], check=True)
assert "0." in subprocess.run(["wandb", "--version"], check=True, capture_output=True, text=True).stdout
from wandb.cli import cli
assert cli.cli is not None and subprocess.run(["wandb", "nothing"]).returncode == 2
"""
    said = run("-c", code).stderr

    assert "wandb login: no login is needed" in said
    assert said.count("nothing is sent until") == 1
    assert "mlgit sync` pushes them" in said


def test_w_bs_commands_make_and_run_a_sweep(repo: Repo, run: Script):
    (repo.folder / "train.py").write_text(
        "import argparse, wandb\np = argparse.ArgumentParser(); p.add_argument('--lr', type=float)\n"
        "with wandb.init(config=p.parse_args()) as run: run.log({'loss': run.config.lr})\n"
    )
    (repo.folder / "sweep.yaml").write_text(
        f"program: train.py\nmethod: grid\nparameters: {{lr: {{values: [0.1, 0.2]}}}}\n"
        f"command: [{sys.executable}, '${{program}}', '${{args}}']\n"
    )
    code = """
import re, subprocess
made = subprocess.run(["wandb", "sweep", "-p", "digits", "sweep.yaml"], check=True, capture_output=True, text=True)
words = re.search(r"Run sweep agent with: (wandb agent .*)", made.stderr)[1].split()
subprocess.run([*words, "--count", "5"], check=True)
"""
    run("-c", code)

    assert sorted(one.metrics["loss"] for one in query.runs(repo)) == [0.1, 0.2]


def test_w_bs_commands_put_and_get_an_artifact(repo: Repo, run: Script):
    (repo.folder / "data.csv").write_text("1,2")
    code = """
import subprocess
ask = lambda *words: subprocess.run(["wandb", "artifact", *words], check=True, capture_output=True, text=True).stdout
assert ask("put", "-n", "anybody/digits/raw", "-t", "dataset", "-a", "best", "data.csv") == "digits/raw:v0\\n"
assert ask("ls", "digits") == "dataset\\traw:v0\\n"
assert open(ask("get", "digits/raw:best", "--root", "got").strip() + "/data.csv").read() == "1,2"
assert subprocess.run(["wandb", "artifact", "get", "nothing"]).returncode == 1
"""

    assert "There is no artifact 'nothing'" in run("-c", code).stderr


SWEEP = """
import wandb
def train():
    with wandb.init() as run:
        run.log({"loss": run.config.lr})
sweep = wandb.sweep({"method": "grid", "parameters": {"lr": {"values": [0.1, 0.2]}}}, project="digits")
wandb.agent(sweep, train)
"""


def test_a_script_that_only_runs_a_sweep_leaves_its_trials_and_nothing_else(repo: Repo, run: Script):
    (repo.folder / "sweep.py").write_text(SWEEP)  # new code, which a live run holds by a ref
    said = run("sweep.py").stderr

    assert [(one.project, one.metrics) for one in query.runs(repo)] == [
        ("digits", {"loss": 0.2}), ("digits", {"loss": 0.1}),
    ]  # fmt: skip
    assert not repo.refs("refs/mlgit/live/")
    assert "finished" not in said.splitlines()[-2]


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ((), "raise SystemExit(3)"),
        (("-n", "mine"), ""),
        (("-p", "a=1"), ""),
        (("-m", "m.json"), "open('m.json', 'w').write('{\"a\": 1}')"),
    ],
)
def test_the_run_around_a_sweep_stays_where_it_says_something(
    repo: Repo, mlgit: Script, options: tuple[str, ...], more: str
):
    words = ("run", "--wandb", *options, "--", sys.executable, "-c", SWEEP + more)
    mlgit(*words, cwd=repo.folder, check=not more.startswith("raise"))

    assert len(query.runs(repo)) == 3


@pytest.mark.parametrize(
    ("ends", "state"),
    [("sys.exit(3)", "failed"), ("1 / 0", "failed"), ("os.kill(os.getpid(), 9)", "crashed"),
     ("os.kill(os.getpid(), 15)", "preempted")],
)  # fmt: skip
def test_a_script_that_dies_with_a_run_of_its_own_id_leaves_that_run_alone(
    repo: Repo, mlgit: Script, ends: str, state: str
):
    code = f"import os, sys, wandb\nwandb.init(id='own', resume='allow').log({{'loss': 1}})\n{ends}"
    died = mlgit("run", "--wandb", "--", sys.executable, "-c", code, cwd=repo.folder, check=False)

    assert died.returncode
    assert [(run.id, run.state.value) for run in query.runs(repo)] == [("own", state)]


OWN = """
import wandb
for number in range(2):
    with wandb.init(id=f"own{number}", resume="allow", name=f"run{number}", config={"a": 1, "m": {"d": 1}}) as run:
        run.log({"a": run.config.a, "d": run.config["m"]["d"]})
"""


def test_what_mlgit_run_is_told_is_for_the_runs_of_a_script_that_has_its_own(repo: Repo, mlgit: Script):
    for _ in range(2):  # they are gone on with the second time
        mlgit(
            "run", "--wandb", "-p", "a=5", "-p", "m.d=7", "-n", "mine", "-t", "tag", "--", sys.executable, "-c", OWN,
            cwd=repo.folder,
        )  # fmt: skip
    found = sorted(query.runs(repo), key=lambda run: run.id)

    assert [(run.id, run.name, run.tags, run.metrics) for run in found] == [
        ("own0", "mine", ("tag",), {"a": 5, "d": 7}), ("own1", "run1", ("tag",), {"a": 5, "d": 7}),
    ]  # fmt: skip
    assert {run.given for run in found} == {("a", "m.d")}


def test_a_script_cannot_rewind_the_run_around_it_and_is_told_so(repo: Repo, run: Script):
    code = """
import wandb
with wandb.init() as run: run.log({"loss": 1})
wandb.init(resume_from=f"{run.id}?_step=0")
"""

    assert "is the one of the mlgit run around this script" in run("-c", code, check=False).stderr


def test_a_trace_of_a_chain_is_logged_step_within_step(repo: Repo, run: Script):
    code = """
import wandb
from wandb.sdk.data_types.trace_tree import Trace
root = Trace("agent", kind="agent", status_code="success", start_time_ms=1, end_time_ms=9, metadata={"a": 1})
root.add_child(Trace("model", kind="llm", inputs={"q": "why?"}, outputs={"a": "so"})).add_metadata({"b": 2})
with wandb.init() as run:
    run._label(code="chains")
    root.log("trace")
    assert not run._is_finished
assert run._is_finished and (root.kind, root.children[0].inputs) == ("AGENT", {"q": "why?"})
try: Trace("x", kind="nothing")
except ValueError: pass
"""
    run("-c", code)
    (found,) = query.runs(repo)
    document = runs.objects(repo, found)["trace"][-1].value
    root = Trace.load(repo.folder, document)

    assert document["_type"] == "wb_trace_tree"
    assert (root.name, root.kind, root.metadata, root.start_time_ms) == ("agent", "AGENT", {"a": 1, "b": 2}, 1)
    assert [(child.name, child.outputs) for child in root.children] == [("model", {"a": "so"})]


def test_a_trace_tree_is_logged_from_spans(repo: Repo, run: Script):
    code = """
import wandb
from wandb.sdk.data_types.trace_tree import Result, Span, SpanKind, StatusCode, WBTraceTree
root = Span(name="chain", span_kind=SpanKind.CHAIN, status_code=StatusCode.SUCCESS, attributes={("no", "text"): 1})
child = Span("7", "model", 1, 9, results=[Result({"q": "why?"}, {"a": object})])
child.add_named_result({"q": 2}, {"a": 3})
child.add_attribute("k", 1)
root.add_child_span(child)
with wandb.init() as run: run.log({"trace": WBTraceTree(root, {"_kind": "llm"})})
"""
    run("-c", code)
    (found,) = query.runs(repo)
    tree = media.load(repo.folder, runs.objects(repo, found)["trace"][-1].value)
    (child,) = tree.root_span.child_spans

    assert tree.model_dict == {"_kind": "llm"}
    assert (tree.root_span.name, tree.root_span.span_kind, tree.root_span.attributes) == ("chain", "CHAIN", {})
    assert (child.span_id, child.attributes, child.results[1].outputs) == ("7", {"k": 1}, {"a": 3})
    assert child.results[0].outputs == {"a": "<class 'object'>"}


def test_a_script_that_has_finished_its_run_may_ask_for_it_and_go_on_with_it(repo: Repo, run: Script):
    code = """
import wandb
with wandb.init(project="digits") as run:
    run.log({"loss": 1})
    assert wandb.Api().run(run.path).state == "running"
assert [one.state for one in wandb.Api().runs("digits", filters={"state": "finished"})] == ["finished"]
again = wandb.init(project="digits", id=run.id, resume="must")
assert again.resumed and again.step == 1 and wandb.Api().run(run.path).state == "running"
again.log({"loss": 2})
again.finish()
found = wandb.Api().run(run.path)
assert found.state == "finished" and found.history(pandas=False)[-1]["loss"] == 2
found.summary["best"] = 1
found.summary.update()
try:
    with wandb.init(project="digits", id=run.id, resume="allow"):
        raise ValueError("gone")
except ValueError:
    assert wandb.Api().run(run.path).state == "failed"
"""
    run("-c", code)
    (found,) = query.runs(repo)

    assert found.metrics == {"loss": 2, "best": 1}
    assert list(runs.history(repo, found)["loss"].values) == [1, 2]


def test_ranks_of_a_group_have_a_run_each(repo: Repo, run: Script):
    (repo.folder / "rank.py").write_text(
        "import os, wandb\nwith wandb.init(group='DDP') as run: run.log({'loss': int(os.environ['RANK'])})\n"
    )
    code = """
import os, subprocess, sys
together = {"WORLD_SIZE": "2", "MASTER_ADDR": "here", "MASTER_PORT": "1"}
for rank in "01":
    env = {**os.environ, **together, "RANK": rank, "LOCAL_RANK": rank}
    subprocess.run([sys.executable, "rank.py"], env=env, check=True)
"""
    run("-c", code)

    assert sorted((one.group, one.metrics["loss"]) for one in query.runs(repo)) == [("DDP", 0), ("DDP", 1)]


def test_programs_one_after_the_other_have_a_run_each(repo: Repo, run: Script):
    code = """
import subprocess, sys
child = "import wandb; run = wandb.init(project='child'); run.log({'loss': 1}); run.finish()"
subprocess.run([sys.executable, "-c", child], check=True)
import wandb
with wandb.init(project="parent") as run:
    run.log({"acc": 1})
    subprocess.run([sys.executable, "-c", child], check=True)
"""
    run("-c", code)

    assert sorted((one.project, *one.metrics) for one in query.runs(repo)) == [
        ("child", "loss"), ("child", "loss"), ("parent", "acc"),
    ]  # fmt: skip
