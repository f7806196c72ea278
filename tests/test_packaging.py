"""What is loaded when, what is public, and what a wheel holds."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import pydoc
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import mlgit as package
from mlgit import cli
from mlgit.integrations import names
from tests.conftest import need

Script = Callable[..., "subprocess.CompletedProcess[str]"]
TOP = Path(__file__).parent.parent
HEAVY = (
    "dvc", "git", "matplotlib", "skopt", "docker", "github3", "jinja2", "yaml", "orjson", "rich", "numpy", "sqlite3",
    "ruamel", "scipy", "sklearn", "markdown_it", "platformdirs", "requests",
)  # fmt: skip
LOADED = "; print(' '.join(name for name in {0!r} if name in sys.modules))"


@pytest.mark.parametrize(
    ("code", "also"),
    [
        ("import mlgit", ("click", "subprocess", "json", "dataclasses")),
        ("import mlgit; mlgit.__version__; dir(mlgit)", ("click", "subprocess")),
        ("sys.argv = ['mlgit', '--version']; import mlgit.__main__ as m; m.main()", ("click", "subprocess")),
        ("sys.argv = ['mlgit', '--help']; import mlgit.__main__ as m\ntry: m.main()\nexcept SystemExit: pass\n", ()),
    ],
    ids=["import", "dir", "--version", "--help"],
)
def test_nothing_heavy_is_loaded_at_the_door(python: Script, tmp_path: Path, code: str, also: tuple[str, ...]):
    program = f"import sys\n{code.rstrip()}\n{LOADED.format((*HEAVY, *also))[2:]}"
    done = python("-c", program, cwd=tmp_path)

    assert done.stdout.splitlines()[-1] == ""


def test_a_run_loads_no_heavy_library(repo: object, python: Script, tmp_path: Path):
    program = "import sys, mlgit\nmlgit.init(config={'lr': 0.1})\nmlgit.log({'a': 1})\nmlgit.finish()\n"
    needed = ("orjson", "yaml")
    unwanted = (*(name for name in HEAVY if name not in needed), "mlgit.integrations", "difflib", "html", "tempfile")
    done = python("-c", program + LOADED.format(unwanted)[2:], cwd=repo.folder)

    assert done.stdout.splitlines()[-1] == ""


def test_the_public_names_are_these():
    assert package.__all__ == [
        "AlertLevel", "Api", "Artifact", "ArtifactTTL", "Audio", "Bokeh", "Classes", "CommError", "Error", "EvalTable",
        "Graph", "Histogram", "Html", "Image", "JoinedTable", "Molecule", "Object3D", "Plotly", "Run", "Table",
        "UsageError", "Video", "__version__", "agent", "alert", "apis", "box3d", "config", "controller", "data_types",
        "define_metric", "finish", "init", "link_model", "load_model", "log", "log_artifact", "log_model", "login",
        "model_card", "models", "plot", "plot_table", "restore", "run", "runs", "save", "summary", "sweep",
        "tensorboard", "unwatch", "use_artifact", "use_model", "visualize", "watch",
    ]  # fmt: skip
    for name in package.__all__:
        assert getattr(package, name, None) is not None or name == "run"
    assert dir(package) == package.__all__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing


@pytest.mark.parametrize("name", [name for name in package.__all__ if name not in ("__version__", "run")])
def test_every_public_name_has_help_of_its_own_where_no_run_is_under_way(name: str):
    thing = getattr(package, name)
    text = inspect.getdoc(thing)

    assert text
    assert text != inspect.getdoc(type(thing))
    assert text.partition("\n")[0] in pydoc.plain(pydoc.render_doc(thing))


def test_a_function_of_the_run_under_way_asks_for_no_run():
    for name in ("alert", "log_artifact", "save", "use_artifact", "watch"):
        of_run = inspect.signature(getattr(package.Run, name))

        assert list(inspect.signature(getattr(package, name)).parameters) == list(of_run.parameters)[1:]


def test_no_room_bears_a_public_name():
    rooms = {module.name for module in pkgutil.iter_modules(package.__path__)}

    assert not rooms & set(package.__all__)


def test_no_room_imports_the_door():
    for path in Path(package.__path__[0]).rglob("*.py"):
        lines = path.read_text().splitlines()
        assert not [line for line in lines if line.strip() in ("import mlgit", "import mlgit as wandb")], path


def every_command() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for section in cli.COMMANDS.values():
        for name in section:
            command = importlib.import_module(f"mlgit.cli.{name}").command
            found.append((name, command))
            if isinstance(command, click.Group):
                context = click.Context(command)
                found += [
                    (f"{name} {sub}", command.get_command(context, sub)) for sub in command.list_commands(context)
                ]
    return found


def test_no_command_has_the_name_of_anything_else_there():
    code = "from mlgit import cli; print(*(one for some in cli.COMMANDS.values() for one in some if one in vars(cli)))"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


@pytest.mark.parametrize("name", [name for section in cli.COMMANDS.values() for name in section])
def test_a_command_that_is_listed_is_there(name: str):
    assert isinstance(importlib.import_module(f"mlgit.cli.{name}").command, click.Command)


def test_every_command_has_an_example_in_its_help():
    for name, command in every_command():
        if isinstance(command, click.Group):
            continue
        text = command.get_help(click.Context(command, info_name=f"mlgit {name}"))

        assert "Example" in text, name
        assert f"mlgit {name.split()[0]}" in text.split("Example")[1], name


def test_help_fits_a_terminal_of_80_columns_and_cuts_no_sentence_short():
    for name, command in every_command():
        text = command.get_help(click.Context(command, info_name=f"mlgit {name}", terminal_width=80))

        assert max(map(len, text.splitlines())) <= 80, name
        assert not re.search(r"^  [a-z]+ .*\.\.\.$", text, re.MULTILINE), name


def test_a_command_of_many_options_has_each_of_them_once_under_a_heading():
    from mlgit.cli import run

    text = run.command.get_help(click.Context(run.command, info_name="mlgit run", terminal_width=110))
    titles, shown = (
        re.findall(r"^(\S.*):$", text, re.MULTILINE),
        re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.MULTILINE),
    )

    assert titles == [*run.command.sections, "Help"]
    assert sorted(shown) == sorted(
        [*(one.opts[-1] for one in run.command.params if isinstance(one, click.Option) and not one.hidden), "--help"]
    )


def test_no_option_lacks_its_help():
    for name, command in every_command():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts}"


def test_an_unknown_command_gets_a_suggestion(mlgit: Script, tmp_path: Path):
    done = mlgit("shwo", cwd=tmp_path, check=False)

    assert done.returncode == 2
    assert "Did you mean 'show'?" in done.stderr


def test_who_knows_w_bs_commands_hears_ours(mlgit: Script, tmp_path: Path):
    said = [mlgit(*words, cwd=tmp_path, check=False).stderr for words in (("agent", "x"), ("sweep", "lr.yaml"))]

    assert "Did you mean 'sweep agent'?" in said[0]
    assert "Did you mean 'run lr.yaml'?" in said[1]
    ours = {name for section in cli.COMMANDS.values() for name in section}
    assert {words.split()[0] for words in cli._OF_WANDB.values()} <= ours


def test_outside_of_a_repository_a_command_says_so(mlgit: Script, tmp_path: Path):
    done = mlgit("ls", cwd=tmp_path, check=False)

    assert done.returncode == 1
    assert "is in no git repository" in done.stderr
    assert "To fix: git init" in done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a wheel of this checkout unpacks to."""
    need("hatchling", importlib.util.find_spec("hatchling") is not None)
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=TOP, check=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as file:
        file.extractall(folder / "site")
    return folder / "site"


def test_a_wheel_holds_templates_and_schemas(wheel: Path, python: Script, tmp_path: Path):
    ask = "from mlgit import resources; print(resources.templates(), resources.schemas())"
    done = python("-P", "-c", f"import sys; sys.path.insert(0, {str(wheel)!r}); {ask}", cwd=tmp_path)

    assert str(wheel / "mlgit/templates") in done.stdout
    assert (wheel / "mlgit/templates/project/mlgit.yaml").is_file()
    assert (wheel / "mlgit/schemas/mlgit.json").is_file()
    assert (wheel / "mlgit/index/schema.sql").is_file()


def test_a_wheel_holds_what_import_wandb_finds(wheel: Path, python: Script, tmp_path: Path):
    shim = wheel / "mlgit/integrations/path"
    ask = "import wandb, importlib.metadata as m; print(wandb.__version__, m.version('wandb'), wandb.init.__module__)"
    paths = os.pathsep.join([str(shim), str(wheel)])
    done = python("-P", "-c", ask, cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths})

    assert (shim / "wandb/__init__.py").is_file()
    assert (wheel / "mlgit/integrations/bin/wandb").is_file()
    assert done.stdout.split() == [names.VERSION, names.VERSION, "mlgit.tracking.session"]
