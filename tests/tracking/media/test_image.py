"""Pictures: whatever people log becomes the picture they meant, or an error that says what is accepted."""

from __future__ import annotations

import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as arrays
from PIL import Image as Pillow

from mlgit.tracking import media, notice
from mlgit.tracking.media import convert, pixels
from mlgit.tracking.media.image import Image
from mlgit.tracking.media.marks import BoundingBoxes2D, Classes
from mlgit.tracking.media.shelf import Shelf
from tests.conftest import need

COLOURS = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
BOX = {"position": {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4}, "class_id": 1, "scores": {"iou": 0.5}}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, "val/picture", 3)


def stored(image: Image, shelf: Shelf) -> np.ndarray[Any, Any]:
    with Pillow.open(shelf.folder / image.store(shelf)["path"]) as found:
        return np.asarray(found)


def test_colours_are_stored_as_they_are(shelf: Shelf):
    document = Image(COLOURS, caption="a cat").store(shelf)

    assert document["_type"] == "image-file"
    assert (document["width"], document["height"], document["format"]) == (7, 5, "png")
    assert document["caption"] == "a cat"
    assert document["path"].startswith("media/images/val/picture_3_")
    assert (shelf.folder / document["path"]).stat().st_size == document["size"]
    assert (stored(Image(COLOURS), shelf) == COLOURS).all()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]]), [[0, 127, 255]]),
        (np.array([[0.0, 128.0, 255.0]]), [[0, 128, 255]]),
        (np.array([[-1.0, 0.0, 1.0]]), [[0, 127, 255]]),
        (np.array([[False, True]]), [[0, 255]]),
        (np.array([[0, 1, 200]]), [[0, 1, 200]]),
        (np.array([[0, 65535]], dtype=np.uint16), [[0, 255]]),
        (np.array([[-5, 5]]), [[0, 255]]),
        (np.array([[np.nan, np.inf, -np.inf, 1.0]]), [[0, 255, 0, 255]]),
        (np.array([[np.nan]]), [[0]]),
        (np.array([[0.25, 0.5]], dtype=np.float16), [[63, 127]]),
    ],
    ids=["0..1", "0..255", "negative", "bool", "int", "uint16", "negative int", "nan", "only nan", "float16"],
)
def test_values_of_any_kind_become_pixels(given: Any, expected: list[list[int]]):
    assert pixels.picture(given).tolist() == expected


def test_without_normalizing_values_are_taken_as_they_are():
    assert pixels.picture(np.array([[0.5, 300.0, -3.0]]), normalize=False).tolist() == [[0, 255, 0]]


@pytest.mark.parametrize(
    ("shape", "size", "mode"),
    [
        ((5, 7), (7, 5), "L"), ((5, 7, 1), (7, 5), "L"), ((1, 5, 7), (7, 5), "L"), ((5, 7, 3), (7, 5), "RGB"),
        ((3, 5, 7), (7, 5), "RGB"), ((5, 7, 4), (7, 5), "RGBA"), ((5, 7, 2), (7, 5), "LA"), ((4, 5, 7), (7, 5), "RGBA"),
        ((1, 5, 7, 3), (7, 5), "RGB"), ((6, 5, 7, 3), (21, 10), "RGB"), ((6, 3, 5, 7), (21, 10), "RGB"),
        ((6, 1, 5, 7), (21, 10), "L"), ((6, 5, 7, 1), (21, 10), "L"), ((1, 1, 5, 7), (7, 5), "L"),
    ],
)  # fmt: skip
def test_shapes_of_every_library_are_taken(shape: tuple[int, ...], size: tuple[int, int], mode: str):
    image = Image(np.zeros(shape))

    assert (image.width, image.height) == size
    assert image.image.mode == mode


@pytest.mark.parametrize("shape", [(3,), (5, 7, 9), (0, 5, 3), (2, 2, 2, 5, 7, 3), ()])
def test_a_shape_that_is_no_picture_is_refused_with_what_is_accepted(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"no picture has the shape .* accepted are \(height, width\)") as caught:
        Image(np.zeros(shape))

    assert str(shape) in str(caught.value)


def test_values_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match="complex128; accepted are"):
        Image(np.zeros((5, 7), dtype=complex))


@given(st.sampled_from([np.float16, np.float32, np.float64]).flatmap(lambda kind: arrays.arrays(kind, (4, 5, 3))))
def test_no_numbers_at_all_break_a_picture(values: Any):
    assert pixels.picture(values).dtype == np.uint8


def test_a_tensor_has_its_channels_first(shelf: Shelf):
    need("torch", importlib.util.find_spec("torch") is not None)
    import torch

    tensor = torch.zeros(3, 4, 3, requires_grad=True) + torch.tensor([1.0, 0.0, 0.0])[:, None, None]

    assert stored(Image(tensor), shelf)[0, 0].tolist() == [255, 0, 0]
    assert Image(torch.zeros(4, 1, 5, 7, dtype=torch.bfloat16)).width == 14


def test_pixels_are_taken_when_the_picture_is_made(shelf: Shelf):
    buffer = COLOURS.copy()
    image = Image(buffer)
    buffer[:] = 0

    assert (stored(image, shelf) == COLOURS).all()


def test_a_file_is_stored_as_it_is(shelf: Shelf, tmp_path: Path):
    Pillow.fromarray(COLOURS).save(tmp_path / "cat.jpg")

    document = Image(tmp_path / "cat.jpg").store(shelf)

    assert document["format"] == "jpg"
    assert (shelf.folder / document["path"]).read_bytes() == (tmp_path / "cat.jpg").read_bytes()


def test_a_file_is_changed_where_that_is_asked_for(shelf: Shelf, tmp_path: Path):
    Pillow.fromarray(COLOURS).save(tmp_path / "cat.png")

    document = Image(tmp_path / "cat.png", file_type="jpg", mode="L").store(shelf)

    with Pillow.open(shelf.folder / document["path"]) as found:
        assert (found.format, found.mode) == ("JPEG", "L")


def test_the_name_of_a_file_leads_nowhere(shelf: Shelf, tmp_path: Path):
    Pillow.fromarray(COLOURS).save(tmp_path / "cat.png")
    (tmp_path / "cat.png").rename(tmp_path / "cat.p\n~g")

    assert Image(tmp_path / "cat.p\n~g").store(shelf)["path"].endswith(".pg")


def test_an_open_file_and_a_picture_of_pils_are_taken(shelf: Shelf):
    buffer = io.BytesIO()
    Pillow.fromarray(COLOURS).save(buffer, "PNG")

    assert (stored(Image(buffer), shelf) == COLOURS).all()
    assert (stored(Image(Pillow.fromarray(COLOURS)), shelf) == COLOURS).all()
    assert stored(Image(Pillow.new("F", (3, 2))), shelf).shape == (2, 3, 3)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "webp"])
def test_the_format_is_what_was_asked_for(shelf: Shelf, ending: str):
    document = Image(np.zeros((5, 7, 4)), file_type=ending).store(shelf)

    assert document["path"].endswith(f".{ending}")
    with Pillow.open(shelf.folder / document["path"]) as found:
        assert found.size == (7, 5)


def test_the_mode_is_what_was_asked_for(shelf: Shelf):
    assert stored(Image(COLOURS, mode="L"), shelf).ndim == 2


def test_what_is_no_file_no_picture_or_no_format_is_refused(tmp_path: Path):
    (tmp_path / "text.png").write_text("no picture")

    with pytest.raises(FileNotFoundError, match=r"there is no file '/nope\.png'"):
        Image("/nope.png")
    with pytest.raises(FileNotFoundError):
        Image("a\0b.png")
    with pytest.raises(ValueError, match="is no picture"):
        Image(tmp_path / "text.png")
    with pytest.raises(ValueError, match="is an address"):
        Image("s3://bucket/cat.png")
    with pytest.raises(ValueError, match="'tiff' is none of png"):
        Image(COLOURS, file_type="tiff")


def test_a_picture_keeps_its_boxes_masks_and_classes(shelf: Shelf):
    mask = np.zeros((5, 7), dtype=int)
    mask[1:3] = 2
    image = Image(
        COLOURS, classes=[{"id": 1, "name": "car"}], grouping=2,
        boxes={"truth": {"box_data": [BOX], "class_labels": {1: "car"}}, "guess": {"box_data": [BOX]}},
        masks={"truth": {"mask_data": mask, "class_labels": {0: "sky", 2: "tree"}}},
    )  # fmt: skip

    document = json.loads(json.dumps(image.store(shelf)))
    again = media.load(shelf.folder, document)

    assert document["boxes"]["truth"]["_type"] == "boxes2D"
    assert document["masks"]["truth"]["_type"] == "mask"
    assert document["grouping"] == 2
    assert again == image
    assert (again.masks["truth"].mask_data == mask).all()
    assert again.masks["truth"].class_labels == {0: "sky", 2: "tree"}
    assert again.boxes["guess"].box_data == [BOX]
    assert again.boxes["guess"].class_labels == {1: "car"}
    assert again.classes == Classes([{"id": 1, "name": "car"}])


def test_a_picture_of_a_picture_takes_new_words(shelf: Shelf):
    image = Image(Image(COLOURS, caption="old", boxes={"a": {"box_data": [BOX]}}), caption="new")

    assert (image.caption, list(image.boxes)) == ("new", ["a"])


def test_boxes_of_numpy_and_pixels_are_taken():
    box = {"position": {"middle": np.array([3, 4]), "width": np.float32(2), "height": 1}, "domain": "percentage"}

    assert BoundingBoxes2D({"box_data": [box]}).box_data[0]["position"]["middle"] == [3, 4]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ({}, "a position is"),
        ({"position": {"minX": 1}}, "a position is"),
        ({"position": {"middle": [1], "width": 1, "height": 1}}, "a position is"),
        ({**BOX, "class_id": "car"}, "class_id is a whole number"),
        ({**BOX, "box_caption": 3}, "box_caption is a text"),
        ({**BOX, "scores": {"iou": "high"}}, "scores are numbers"),
    ],
)
def test_a_box_that_is_none_says_why(box: dict[str, Any], message: str):
    with pytest.raises(TypeError, match=f"boxes truth: box 0: {message}"):
        Image(COLOURS, boxes={"truth": {"box_data": [box]}})


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({}, "neither mask_data nor a path"),
        ({"mask_data": np.zeros((2, 2, 3))}, r"is \(height, width\) of class numbers, not \(2, 2, 3\)"),
        ({"mask_data": np.full((2, 2), 300)}, "0 to 255"),
        ({"mask_data": np.zeros((2, 2)), "class_labels": ["sky"]}, "mapping of numbers to names"),
    ],
)
def test_a_mask_that_is_none_says_why(mask: dict[str, Any], message: str):
    with pytest.raises(TypeError, match=message):
        Image(COLOURS, masks={"truth": mask})


def test_a_gallery_is_stored_as_wandb_stores_it_and_read_back(shelf: Shelf):
    images = [Image(COLOURS, caption="a"), Image(COLOURS[:4], masks={"m": {"mask_data": np.zeros((4, 7), int)}})]

    document = json.loads(json.dumps(convert.stored(images, shelf)))

    assert document["_type"] == "images/separated"
    assert document["count"] == 2
    assert document["captions"] == ["a", None]
    assert document["all_masks"][0] is None
    assert media.load(shelf.folder, document) == images


def test_a_gallery_is_cut_off_where_it_is_no_page_any_more(shelf: Shelf, capsys: pytest.CaptureFixture[str]):
    document = convert.stored([Image(np.zeros((1, 1)))] * 200, shelf)

    assert document["count"] == 108
    assert "200 pictures in one list; the first 108 are kept" in capsys.readouterr().err


def test_a_figure_is_the_picture_that_it_shows(shelf: Shelf):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    (line,) = axes.plot([1, 2])

    for drawn in (figure, axes, line):
        document = convert.stored(drawn, shelf)
        assert document["_type"] == "image-file"
        assert document["width"] == 640
    assert Image(figure).width == 640


def test_a_figure_on_which_nothing_is_drawn_is_a_blank_picture(
    shelf: Shelf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    from matplotlib.figure import Figure

    monkeypatch.setattr(notice, "_SAID", set())
    cleared = Figure()
    cleared.subplots().plot([1, 2])
    cleared.clear()
    document = convert.stored(Figure(), shelf)

    assert (document["_type"], document["width"]) == ("image-file", 640)
    assert Image(cleared).image.convert("L").getextrema() == (255, 255)
    assert capsys.readouterr().err.count("is empty: log it before it is closed or shown") == 1


def test_pyplot_itself_is_its_current_figure(shelf: Shelf):
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    pyplot.plot([1, 2])
    document = convert.stored(pyplot, shelf)
    pyplot.close()

    assert document["_type"] == "image-file"


@pytest.mark.parametrize(
    "key",
    [
        "../../x", "/etc/passwd", "a" * 5000, "a/" * 500, "a\0b", "a\nb", ".git/config", "GIT~1/x", "..", "", "ü/ß ",
        "\ud800",
    ],
)  # fmt: skip
def test_a_hostile_key_leads_nowhere(tmp_path: Path, key: str):
    folder = tmp_path / "run"
    document = Image(COLOURS).store(Shelf(folder, key, 0))

    path = folder / document["path"]
    assert path.is_file()
    assert path.resolve().is_relative_to(folder.resolve() / "media/images")
    assert not any(part.startswith(".") or "~" in part or len(part) > 200 for part in Path(document["path"]).parts)
    assert document["path"].isascii()


def test_a_document_cannot_lead_out_of_its_folder(tmp_path: Path):
    for path in ("../secret.png", "/etc/passwd", "media/../../x"):
        with pytest.raises(ValueError, match="leads out"):
            media.load(tmp_path, {"_type": "image-file", "path": path})


def test_the_same_picture_is_stored_once(shelf: Shelf):
    for _ in range(3):
        Image(COLOURS).store(shelf)

    assert len(list((shelf.folder / "media/images/val").iterdir())) == 1


def test_numbers_at_the_end_of_what_there_is_become_pixels():
    assert pixels.picture(np.array([[-1.7e308, 0.0, 1.7e308]])).tolist() == [[0, 127, 255]]
    assert pixels.picture(np.array([[-3.4e38, 0.0, 3.4e38]], dtype=np.float32)).tolist() == [[0, 127, 255]]
    assert pixels.picture(np.array([[-5e-324, 0.0, 5e-324]])).tolist() == [[0, 127, 255]]
    assert pixels.picture(np.array([[-1.0, -1.0]])).tolist() == [[0, 0]]
