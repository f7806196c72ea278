"""A script that logs pictures and the like: its branch holds them, and no trouble with them ends a training."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import mlgit as wandb
from mlgit.core.run import Run
from mlgit.errors import NotFoundError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import live, recover
from mlgit.tracking import media
from tests.recorded import only

pytestmark = pytest.mark.usefixtures("ended")

PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def checked_out(repo: Repo, run: Run, target: Path) -> Path:
    """The run's `experiment/`, as anybody who fetches its branch has it."""
    done = subprocess.run(["git", "archive", run.branch], cwd=repo.folder, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(target, filter="data")
    return target / "experiment"


def logged(folder: Path, name: str) -> list[Any]:
    """What was logged as *name*, from the branch's `objects/`."""
    lines = (folder / f"objects/{name}.jsonl").read_text().splitlines()
    return [json.loads(line)["value"] for line in lines]


def test_a_row_keeps_its_picture_and_its_loss(inside: Repo, tmp_path: Path):
    wandb.init()
    for step in range(2):
        wandb.log({"val/img": wandb.Image(PIXELS + step, caption=f"c{step}"), "loss": 1.0 - step})
    assert wandb.summary["val/img"]["_type"] == "image-file"

    run = only(inside)
    folder = checked_out(inside, run, tmp_path / "out")

    assert run.metrics["loss"] == 0.0
    found = [media.load(folder, document) for document in logged(folder, "val/img")]
    assert [one.caption for one in found] == ["c0", "c1"]
    assert (np.asarray(found[1].image) == PIXELS + 1).all()


def test_everything_that_is_no_number_reaches_the_branch(inside: Repo, tmp_path: Path):
    from matplotlib.figure import Figure
    from PIL import Image as Pillow

    figure = Figure()
    figure.subplots().plot([1, 2])
    table = wandb.Table(columns=["img", "n"], data=[[wandb.Image(PIXELS), 1]])
    things = {
        "picture": Pillow.fromarray(PIXELS), "gallery": [wandb.Image(PIXELS)] * 2, "figure": figure, "table": table,
        "sound": wandb.Audio([0.0, 0.5], sample_rate=2), "film": wandb.Video(np.zeros((2, 3, 4, 4))),
        "cloud": wandb.Object3D(np.zeros((2, 3))), "page": wandb.Html("<b>x</b>"), "spread": wandb.Histogram([1, 2]),
        "array": np.arange(100.0), "chart": wandb.plot.bar(table, "n", "n"), "classes": wandb.Classes([]),
        "matrix": wandb.plot.confusion_matrix(y_true=[0, 1], preds=[0, 1]),
    }  # fmt: skip
    wandb.init()
    wandb.log(things)

    folder = checked_out(inside, only(inside), tmp_path / "out")

    found = {name: media.load(folder, logged(folder, name)[0]) for name in things}
    assert found["table"] == table
    assert [type(found[name]).__name__ for name in ("picture", "figure", "sound", "film", "cloud", "page")] == [
        "Image", "Image", "Audio", "Video", "Object3D", "Html",
    ]  # fmt: skip
    assert len(found["gallery"]) == 2
    assert sum(found["array"].histogram) == 100
    assert found["chart"].table == table
    assert found["matrix"].kind == "confusion_matrix"


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (wandb.Image, "z.png"), (wandb.Audio, "z.wav"), (wandb.Video, "z.mp4"), (wandb.Object3D, "z.obj"),
        (wandb.Molecule, "z.pdb"),
    ],
)  # fmt: skip
def test_a_file_that_is_gone_when_it_is_logged_is_said_as_such(
    inside: Repo, capsys: pytest.CaptureFixture[str], made: Callable[[str], Any], name: str
):
    PIL.Image.fromarray(PIXELS).save("z.png")
    Path(name).write_bytes(Path("z.png").read_bytes())
    run = wandb.init()
    gone = made(name)
    Path(name).unlink()

    with pytest.raises(FileNotFoundError, match=name.replace(".", r"\.")):
        run.log({"a": 1, "it": gone})
    with pytest.raises(FileNotFoundError):
        run.summary["it"] = gone
    run.log({"a": 2})
    assert (dict(only(inside).metrics), "no room" in capsys.readouterr().err) == ({"a": 2}, False)


def test_pictures_nest_in_mappings_and_stand_in_the_summary(inside: Repo, tmp_path: Path):
    run = wandb.init()
    wandb.log({"val": {"deep": {"img": wandb.Image(PIXELS)}, "acc": 1}})
    run.summary["best"] = wandb.Image(PIXELS, caption="best")
    run.summary.update({"rows": wandb.Table(columns=["a"], data=[[1]])})
    documents = dict(run.summary)

    folder = checked_out(inside, only(inside), tmp_path / "out")

    assert media.load(folder, documents["best"]).caption == "best"
    assert media.load(folder, documents["rows"]).data == [[1]]
    assert list((folder / "media/images").rglob("val_0_*.png"))


def test_a_dataframe_is_a_table(inside: Repo):
    pandas = pytest.importorskip("pandas")
    wandb.init()
    wandb.log({"frame": pandas.DataFrame({"a": [1, 2]}), "series": pandas.Series(range(3))})

    assert wandb.summary["frame"]["nrows"] == 2
    assert wandb.summary["series"] == [0, 1, 2]


def test_what_cannot_be_drawn_drops_its_row_and_names_its_key(inside: Repo):
    from matplotlib.figure import Figure

    wandb.init()
    wandb.log({"loss": 1})
    figure = Figure()
    figure.text(0, 0, r"$\nothing$")
    with pytest.raises(TypeError, match=r"val/fig: (?s:.*)Unknown symbol"):
        wandb.log({"val/fig": figure, "loss": 2})
    row: dict[str, Any] = {}
    row["row"] = row
    with pytest.raises(TypeError, match="nested more than 32 deep, or within itself"):
        wandb.log({"cycle": row, "img": wandb.Image(PIXELS)})
    wandb.log({"acc": 3})

    assert only(inside).metrics == {"loss": 1, "acc": 3}


def test_a_disk_that_refuses_costs_the_row_and_nothing_else(inside: Repo, capsys: pytest.CaptureFixture[str]):
    run = wandb.init()
    (folder,) = live.folders(inside)
    (folder / "media").write_text("in the way")
    run.log({"img": wandb.Image(PIXELS), "loss": 1})
    run.summary["img"] = wandb.Image(PIXELS)
    (folder / "media").unlink()
    run.log({"img": wandb.Image(PIXELS), "loss": 2})

    assert capsys.readouterr().err.count("a row could not be stored") == 1
    assert only(inside).metrics["loss"] == 2


def test_a_killed_run_keeps_its_pictures(inside: Repo, tmp_path: Path, python: Callable[..., Any]):
    script = (
        "import mlgit, numpy, os, signal\nmlgit.init()\n"
        "mlgit.log({'img': mlgit.Image(numpy.zeros((4, 4))), 'loss': 1})\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = python("-c", script, cwd=inside.folder, check=False)
    recover.recover_all(inside, lambda _text: None)

    folder = checked_out(inside, only(inside), tmp_path / "out")

    assert done.returncode == -signal.SIGKILL
    assert media.load(folder, logged(folder, "img")[0]).width == 4


def test_a_disabled_run_stores_no_picture(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    place = tmp_path_factory.mktemp("empty")
    monkeypatch.chdir(place)
    run = wandb.init(mode="disabled")
    run.log({"img": wandb.Image(PIXELS), "table": wandb.Table(columns=["a"], data=[[1]])})
    run.finish()

    assert list(place.iterdir()) == []


def test_hostile_keys_reach_the_branch_as_harmless_paths(inside: Repo):
    keys = ["../../x", "a\0b", "a\nb", ".git/x", "a" * 1000, "~/x", "ü", "a//b", " ", "con/aux"]
    wandb.init()
    for key in keys:
        wandb.log({key: wandb.Image(PIXELS)})

    run = only(inside)
    paths = inside.git("ls-tree", "-r", "--name-only", "-z", run.branch).split("\0")
    assert len([path for path in paths if path.startswith("experiment/media/images/")]) == len(keys)


def test_a_logged_table_is_found_again_as_an_artifact(inside: Repo):
    with wandb.init(project="p") as run:
        for number, img in ((1, None), (1, None), (2, wandb.Image(PIXELS))):
            run.log({"preds": wandb.Table(columns=["a", "img"], data=[[number, img]]), "no": number})
        run.log({"val/preds": wandb.Table(columns=["a"], data=[[3]])})
        while_it_runs = run.use_artifact(f"run-{run.id}-preds:latest").get("preds")
    first = wandb.Api().artifact(f"p/run-{run.id}-preds:v0", type="run_table")
    last = wandb.Api().artifact(f"run-{run.id}-preds:latest")

    assert while_it_runs.get_column("a") == last.get("preds").get_column("a") == [2]
    assert (first.get("preds").get_column("a"), first.version, last.version) == ([1], "v0", "v1")
    assert (first.type, first.name, first.logged_by().id) == ("run_table", f"run-{run.id}-preds:v0", run.id)
    assert last.get("preds").get_column("img")[0].width == 4
    assert last.file_count == 2
    for text in (f"run-{run.id}-preds:v2", f"run-{run.id}-no", "run-nobody-preds"):
        with pytest.raises(NotFoundError):
            wandb.Api().artifact(text)


def test_logged_tables_stand_among_the_artifacts_of_their_run(inside: Repo):
    with wandb.init(project="p") as run:
        for number in (1, 1, 2):
            run.log({"preds": wandb.Table(columns=["a"], data=[[number]]), "img": wandb.Image(PIXELS)})
        run.log_artifact(wandb.Artifact("data", type="dataset"))
    with wandb.init(project="p") as reader:
        reader.use_artifact(f"run-{run.id}-preds:v0")
    api = wandb.Api()
    name = f"run-{run.id}-preds"

    assert [(one.name, one.type) for one in api.run(run.id).logged_artifacts()] == [
        ("data:v0", "dataset"), (f"{name}:v0", "run_table"), (f"{name}:v1", "run_table"),
    ]  # fmt: skip
    assert [one.name for one in api.run(reader.id).used_artifacts()] == [f"{name}:v0"]
    assert [(one.name, one.aliases) for one in api.artifacts("run_table", f"p/{name}")] == [
        (f"{name}:v1", ["latest"]), (f"{name}:v0", []),
    ]  # fmt: skip
    assert [one.name for one in api.artifact_types("p")] == ["dataset", "run_table"]
    assert [one.name for one in api.artifact_type("run_table", "p").collections()] == [name]
    assert len(api.artifact(f"p/{name}:v0").collection) == 2


def test_a_run_that_logged_a_table_is_deleted_with_its_artifacts(inside: Repo):
    with wandb.init(project="p") as run:
        run.log({"preds": wandb.Table(columns=["a"], data=[[1]])})
        run.log_artifact(wandb.Artifact("data", type="dataset"))
    wandb.Api().run(run.id).delete(delete_artifacts=True)

    assert not query.runs(inside)


def test_an_incremental_table_is_found_again_by_w_bs_name_for_it(inside: Repo):
    with wandb.init(project="p") as run:
        table = wandb.Table(columns=["a"], log_mode="INCREMENTAL")
        for number in range(3):
            table.add_data(number)
            run.log({"my table": table})
    api = wandb.Api()
    found = api.artifact(f"p/run-{run.id}-incr-mytable:latest")
    (entry,) = found.manifest.entries

    assert (found.type, found.version) == ("wandb-run-incremental-table", "v2")
    assert re.fullmatch(r"2-\d+\.my table\.table\.json", entry)
    assert found.get(entry).get_column("a") == [0, 1, 2]
    assert api.artifact(found.name).get(entry.removesuffix(".table.json")).get_column("a") == [0, 1, 2]
    assert [one.version for one in api.run(run.id).logged_artifacts()] == ["v0", "v1", "v2"]


def test_a_table_is_found_by_its_name_with_and_without_a_check_sum(inside: Repo):
    with wandb.init(project="p") as run:
        run.log({"val/preds": wandb.Table(columns=["a"], data=[[1]]), "a b": wandb.Table(columns=["a"], data=[[2]])})
        run.log({"ab": wandb.Table(columns=["a"], data=[[3]])})
    api = wandb.Api()
    older = api.artifact(f"run-{run.id}-valpreds:latest")

    assert older.get("val/preds").data == api.artifact(older.name).get("val/preds").data == [[1]]
    assert re.fullmatch(f"run-{run.id}-valpreds-[A-Za-z0-9_-]{{6}}:v0", older.name)
    assert api.artifact(f"run-{run.id}-ab:latest").get("ab").data == [[3]]


def test_a_table_of_too_many_rows_is_refused_where_the_settings_say_so(inside: Repo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wandb.Table, "MAX_ROWS", 2)
    monkeypatch.setattr(wandb.Table, "MAX_ARTIFACT_ROWS", 2)
    table = wandb.Table(columns=["a"], data=[[1], [2], [3]])
    with wandb.init(settings=wandb.Settings(table_raise_on_max_row_limit_exceeded=True)) as run:
        run.log({"loss": 1})
        with pytest.raises(ValueError, match="rows: a table of 3 rows; 2 are the most"):
            run.log({"rows": table, "loss": 2})

    assert run.settings.table_raise_on_max_row_limit_exceeded is True
    assert only(inside).metrics == {"loss": 1}
