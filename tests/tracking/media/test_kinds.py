"""Sound, films, things in space, pages, histograms, figures and graphs: what goes in comes out."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image as Pillow

from mlgit.tracking import media
from mlgit.tracking.media import convert
from mlgit.tracking.media.audio import Audio
from mlgit.tracking.media.figure import Bokeh, Plotly
from mlgit.tracking.media.graph import Graph
from mlgit.tracking.media.histogram import Histogram
from mlgit.tracking.media.html import Html
from mlgit.tracking.media.image import Image
from mlgit.tracking.media.shelf import Media, Shelf
from mlgit.tracking.media.solid import Molecule, Object3D, box3d
from mlgit.tracking.media.video import Video
from tests.conftest import need


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "run", "key", 0)


def again(value: Any, shelf: Shelf) -> Any:
    return media.load(shelf.folder, json.loads(json.dumps(convert.stored(value, shelf))))


def content(value: Media, shelf: Shelf) -> bytes:
    return (shelf.folder / value.store(shelf)["path"]).read_bytes()


# -- sound


@pytest.mark.parametrize(
    ("samples", "channels", "width", "first"),
    [
        (np.array([0.5, -1.0, 2.0]), 1, 2, b"\x00\x40\x01\x80\xff\x7f"),
        ([0.0, math.nan, math.inf], 1, 2, b"\x00\x00\x00\x00\xff\x7f"),
        (np.array([1, 2], dtype=np.int16), 1, 2, b"\x01\x00\x02\x00"),
        (np.array([1, 2]), 1, 2, b"\x01\x00\x02\x00"),
        (np.array([1, 200], dtype=np.uint8), 1, 1, b"\x01\xc8"),
        (np.array([1, 2], dtype=np.int32), 1, 4, b"\x01\x00\x00\x00\x02\x00\x00\x00"),
        (np.array([[1, 2], [3, 4], [5, 6]], dtype=np.int16), 2, 2, b"\x01\x00\x02\x00"),
        (np.array([[1, 3, 5], [2, 4, 6]], dtype=np.int16), 2, 2, b"\x01\x00\x02\x00"),
    ],
    ids=["fractions", "nan", "int16", "int", "uint8", "int32", "stereo", "channels first"],
)
def test_samples_become_a_wave_file(samples: Any, channels: int, width: int, first: bytes, shelf: Shelf):
    audio = Audio(samples, sample_rate=8000, caption="hm")

    with wave.open(io.BytesIO(content(audio, shelf))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (channels, width, 8000)
        assert file.readframes(3).startswith(first)
    document = audio.store(shelf)
    assert document["_type"] == "audio-file"
    assert document["duration"] == audio.duration
    assert again(audio, shelf).caption == "hm"


def test_a_file_of_sound_is_stored_as_it_is(shelf: Shelf, tmp_path: Path):
    (tmp_path / "x.flac").write_bytes(b"flac")

    assert content(Audio(str(tmp_path / "x.flac")), shelf) == b"flac"


def test_several_sounds_are_one_list(shelf: Shelf):
    document = convert.stored([Audio([0.0, 0.1], 2, caption="a"), Audio([0.0], 1)], shelf)

    assert (document["_type"], document["count"], document["durations"]) == ("audio", 2, [1.0, 1.0])
    assert document["captions"] == ["a", ""]
    assert [one.caption for one in media.load(shelf.folder, document)] == ["a", None]


def test_what_is_no_sound_says_why():
    with pytest.raises(ValueError, match="ask for a sample_rate"):
        Audio([0.0])
    with pytest.raises(ValueError, match=r"samples are \(frames,\) or \(frames, channels\), not \(2, 2, 2\)"):
        Audio(np.zeros((2, 2, 2)), 8000)
    with pytest.raises(TypeError, match="not complex128"):
        Audio(np.zeros(3, dtype=complex), 8000)
    with pytest.raises(FileNotFoundError):
        Audio("/nope.wav")


# -- films


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((4, 3, 6, 8), (8, 6)), ((4, 6, 8, 3), (8, 6)), ((4, 1, 6, 8), (8, 6)), ((4, 4, 6, 8), (8, 6)),
        ((3, 4, 3, 6, 8), (16, 12)),
    ],
)  # fmt: skip
def test_frames_become_a_gif(shape: tuple[int, ...], size: tuple[int, int], shelf: Shelf):
    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    video = Video(frames, fps=10, caption="run")

    document = video.store(shelf)
    with Pillow.open(shelf.folder / document["path"]) as found:
        assert (found.n_frames, found.size, found.info["duration"]) == (4, size, 100)
    assert (document["_type"], document["width"], document["height"]) == ("video-file", *size)
    assert again(video, shelf).caption == "run"


def test_a_gif_shows_the_colours_of_its_frames(shelf: Shelf):
    frames = np.zeros((3, 3, 6, 8), dtype=np.uint8)
    for number in range(3):
        frames[number, number] = 255

    with Pillow.open(io.BytesIO(content(Video(frames), shelf))) as found:
        seen = []
        for number in range(3):
            found.seek(number)
            seen.append(found.convert("RGB").getpixel((4, 3)))

    assert seen == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def test_a_film_that_is_a_file_is_stored_as_it_is(
    shelf: Shelf, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):  # fmt: skip
    (tmp_path / "x.mp4").write_bytes(b"mp4")

    assert content(Video(tmp_path / "x.mp4"), shelf) == b"mp4"
    assert content(Video(io.BytesIO(b"webm"), format="webm", fps=3), shelf) == b"webm"
    assert "fps changes nothing" in capsys.readouterr().err


def test_an_mp4_without_a_library_for_it_says_what_to_install(shelf: Shelf):
    if importlib.util.find_spec("imageio_ffmpeg") or importlib.util.find_spec("moviepy"):
        pytest.skip("a library for it is installed")

    with pytest.raises(
        TypeError, match=r"key: Video: no library here writes mp4\. Install imageio\[ffmpeg\] or moviepy"
    ):
        convert.stored(Video(np.zeros((2, 3, 4, 4)), format="mp4"), shelf)


def test_several_films_are_one_list(shelf: Shelf):
    films = [Video(np.zeros((2, 3, 4, 4)), caption="a"), Video(np.ones((2, 3, 4, 4)))]

    document = convert.stored(films, shelf)

    assert (document["_type"], document["count"], document["captions"]) == ("videos", 2, ["a", ""])
    assert len(media.load(shelf.folder, document)) == 2


def test_what_is_no_film_says_why(tmp_path: Path):
    (tmp_path / "x.avi").write_bytes(b"avi")

    with pytest.raises(ValueError, match=r"\(time, channels, height, width\), or a batch of such, not \(3, 4\)"):
        Video(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="with 1, 3 or 4 channels"):
        Video(np.zeros((3, 5, 6, 7)))
    with pytest.raises(ValueError, match="'avi' is none of gif"):
        Video(np.zeros((3, 3, 6, 7)), format="avi")
    with pytest.raises(ValueError, match=r"x\.avi is none of gif"):
        Video(tmp_path / "x.avi")
    with pytest.raises(ValueError, match="asks for a format"):
        Video(io.BytesIO(b""))


# -- things in space


@pytest.mark.parametrize("columns", [3, 4, 6])
def test_points_are_stored_as_they_are(columns: int, shelf: Shelf):
    points = np.arange(2 * columns, dtype=float).reshape(2, columns)

    document = Object3D(points, caption="cloud").store(shelf)

    assert document["_type"] == "object3D-file"
    assert document["path"].endswith(".pts.json")
    assert json.loads(content(Object3D.from_numpy(points), shelf)) == points.tolist()
    assert again(Object3D(points, caption="cloud"), shelf).caption == "cloud"


def test_a_scene_has_points_boxes_and_vectors(shelf: Shelf):
    box = box3d(center=(0, 0, 0), size=(2, 2, 2), orientation=(1, 0, 0, 0), color=(255, 0, 0), label="car", score=0.9)
    cloud = Object3D.from_point_cloud(
        points=np.zeros((1, 3)), boxes=[box], vectors=[{"start": [0, 0, 0], "end": [1, 1, 1]}]
    )

    scene = json.loads(content(cloud, shelf))

    assert scene["type"] == "lidar/beta"
    assert sorted(scene["boxes"][0]["corners"])[0] == [-1, -1, -1]
    assert scene["vectors"][0]["end"] == [1, 1, 1]
    assert json.loads(content(Object3D({"type": "lidar/beta", "points": np.ones((1, 3))}), shelf))["boxes"] == []


def test_a_box_is_turned_by_its_quaternion():
    half = math.sqrt(0.5)
    box = box3d(center=(0, 0, 0), size=(2, 4, 6), orientation=(half, 0, 0, half), color=(0, 0, 0))

    assert np.allclose(box["corners"][7], [-2, 1, 3])  # (1, 2, 3), a quarter about z
    with pytest.raises(ValueError, match="a quaternion that is not zero"):
        box3d(center=(0, 0, 0), size=(2, 4, 6), orientation=(0, 0, 0, 0), color=(0, 0, 0))


def test_a_mesh_or_a_molecule_is_its_file(shelf: Shelf, tmp_path: Path):
    (tmp_path / "x.obj").write_text("v 0 0 0")
    (tmp_path / "x.pdb").write_text("ATOM")

    with (tmp_path / "x.obj").open() as file:
        assert content(Object3D(file), shelf) == b"v 0 0 0"
    assert content(Object3D.from_file(io.StringIO("v"), file_type="obj"), shelf) == b"v"
    document = convert.stored(
        [Molecule(tmp_path / "x.pdb"), Molecule(io.StringIO("A"), "water", file_type="pdb")], shelf
    )
    assert (document["_type"], document["count"], document["captions"]) == ("molecule", 2, ["", "water"])
    assert [one.caption for one in media.load(shelf.folder, document)] == [None, "water"]


def test_what_is_nothing_in_space_says_why(tmp_path: Path):
    (tmp_path / "x.txt").write_text("")

    with pytest.raises(ValueError, match=r"an array is \(points, 3\).*not \(2, 5\)"):
        Object3D(np.zeros((2, 5)))
    with pytest.raises(ValueError, match=r"none of pts\.json, obj"):
        Object3D(tmp_path / "x.txt")
    with pytest.raises(ValueError, match="asks for a file_type"):
        Molecule(io.StringIO(""))
    with pytest.raises(ValueError, match="type is 'lidar/beta', not None"):
        Object3D({"points": []})
    with pytest.raises(TypeError, match="a path or an open file is asked for, not a int"):
        Molecule(3)


def test_a_molecule_is_made_of_its_smiles(shelf: Shelf):
    need("rdkit", importlib.util.find_spec("rdkit") is not None)

    assert b"HETATM" in content(Molecule.from_smiles("CCO"), shelf)
    with pytest.raises(ValueError, match="is no SMILES"):
        Molecule.from_smiles("no smiles")


# -- pages


def test_a_page_is_text_a_file_or_a_path(shelf: Shelf, tmp_path: Path):
    (tmp_path / "x.html").write_text("<p>file</p>")

    assert content(Html("<b>x</b>", inject=False), shelf) == b"<b>x</b>"
    assert content(Html(io.StringIO("<b>x</b>"), inject=False), shelf) == b"<b>x</b>"
    assert content(Html(str(tmp_path / "x.html"), inject=False), shelf) == b"<p>file</p>"
    assert content(Html(tmp_path / "x.html", inject=False), shelf) == b"<p>file</p>"
    assert Html(str(tmp_path / "x.html"), inject=False, data_is_not_path=True).html.endswith("x.html")
    assert Html("\ud800", inject=False).store(shelf)["_type"] == "html-file"
    with pytest.raises(TypeError, match="not a int"):
        Html(3)


@pytest.mark.parametrize(
    ("page", "before", "after"),
    [
        ("<b>x</b>", "<base", "<b>x</b>"),
        ("<html><head><title>t</title></head>", "<html><head><base", "<title>t</title></head>"),
        ('<html lang="en"><body>x', '<html lang="en"><head><base', "</head><body>x"),
        ("<header>x</header>", "<base", "<header>x</header>"),
    ],
)
def test_a_page_gets_a_head_of_its_own_and_fetches_nothing(page: str, before: str, after: str):
    found = Html(page).html

    assert found.startswith(before)
    assert found.endswith(after)
    assert "http" not in found


def test_several_pages_are_one_list(shelf: Shelf):
    assert [one.html for one in again([Html("a", inject=False), Html("b", inject=False)], shelf)] == ["a", "b"]


# -- histograms


def test_a_histogram_counts_as_numpy_does(shelf: Shelf):
    values = np.random.default_rng(0).normal(size=100)
    counts, edges = np.histogram(values, bins=64)

    document = Histogram(values).store(shelf)

    assert document == {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}
    assert Histogram(np_histogram=(counts, edges)).store(shelf) == document
    assert again(Histogram(values, num_bins=3), shelf).bins == np.histogram(values, bins=3)[1].tolist()


def test_nan_falls_into_no_bin_and_is_counted(shelf: Shelf):
    histogram = Histogram([1, math.nan, 2, math.inf])

    assert sum(histogram.histogram) == 2
    assert histogram.store(shelf)["dropped"] == 2
    assert sum(Histogram([]).histogram) == 0
    assert sum(Histogram(np.full(40, math.nan)).histogram) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give values"),
        ({"sequence": [1], "num_bins": 513}, "512 are the most"),
        ({"np_histogram": ([1], [0])}, "1 counts ask for 2 edges, not 1"),
        ({"np_histogram": ([1],)}, "a pair"),
        ({"np_histogram": (range(600), range(601))}, "600 bins"),
    ],
)
def test_what_is_no_histogram_says_why(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Histogram(**arguments)
    with pytest.raises(TypeError, match="numbers are asked for"):
        Histogram(["a"])


def test_an_array_of_many_numbers_is_its_histogram(shelf: Shelf):
    document = convert.stored(np.arange(33), shelf)

    assert (document["_type"], len(document["values"]), sum(document["values"])) == ("histogram", 32, 33)
    assert convert.stored(np.arange(32), shelf) is NotImplemented
    assert convert.stored(np.array(["x"] * 40), shelf) is NotImplemented
    assert convert.stored(np.float64(3), shelf) is NotImplemented


# -- figures and graphs


def test_what_is_taken_can_be_asked_of_the_classes():
    assert (Image.MAX_ITEMS, Video.EXTS) == (108, ("gif", "mp4", "webm", "ogg"))
    assert "glb" in Object3D.SUPPORTED_TYPES
    assert "pdb" in Molecule.SUPPORTED_TYPES


def test_a_figure_becomes_what_it_is_logged_as():
    assert isinstance(Plotly.make_plot_media({"data": [], "layout": {}}), Plotly)
    assert isinstance(Plotly.make_plot_media(Figure()), Image)


def test_a_figure_of_plotly_is_its_json(shelf: Shelf):
    need("plotly", importlib.util.find_spec("plotly") is not None)
    from plotly import graph_objects

    figure = graph_objects.Figure(graph_objects.Scatter(x=np.array([1, 2]), y=[3, math.nan]))
    figure.add_heatmap(z=np.arange(6).reshape(2, 3))

    document = convert.stored(figure, shelf)
    found = media.load(shelf.folder, document)

    assert document["_type"] == "plotly-file"
    assert found.figure["data"][0]["x"] == [1, 2]
    assert found.figure["data"][0]["y"] == [3, None]
    assert found.figure["data"][1]["z"] == [[0, 1, 2], [3, 4, 5]]
    assert graph_objects.Figure(found.figure)
    with pytest.raises(ValueError, match="a figure is asked for, not a int"):
        Plotly(3)


def test_a_plot_of_bokeh_is_its_document(shelf: Shelf):
    need("bokeh", importlib.util.find_spec("bokeh") is not None)
    from bokeh.plotting import figure

    plot = figure()
    plot.line([1, 2], [3, 4])

    assert convert.stored(plot, shelf)["_type"] == "bokeh-file"
    assert again(Bokeh(plot), shelf).document["roots"]


def test_layers_are_nodes_of_a_graph(shelf: Shelf):
    def layer(name: str) -> SimpleNamespace:
        return SimpleNamespace(name=name, output=SimpleNamespace(shape=(None, 3)), count_params=lambda: 5)

    graph = Graph.from_keras(SimpleNamespace(layers=[layer("a"), layer("b")]))
    graph.add_edge(graph["b"], graph.add_node(id="c", name="softmax"))

    found = again(graph, shelf)

    assert [node.id for node in found.nodes] == ["a", "b", "c"]
    assert found.edges == [("a", "b"), ("b", "c")]
    assert found["a"].attributes["num_parameters"] == 5
    with pytest.raises(KeyError):
        found["z"]


def test_what_is_none_of_ours_is_left_alone(shelf: Shelf):
    for value in (1, "text", {}, [], [1, 2], object(), json, int, [np.zeros(40)]):
        assert convert.stored(value, shelf) is NotImplemented
    assert media.load(shelf.folder, {"a": 1}) is None
