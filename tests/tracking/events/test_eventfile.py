"""Event files that the real writers wrote, read without TensorBoard."""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlgit.tracking.events.eventfile import Encoded, EventFile
from mlgit.tracking.media.histogram import Histogram
from tests.conftest import need

Writer = Callable[..., Any]


@pytest.fixture(params=["torch.utils.tensorboard", "tensorboardX"])
def writer(request: pytest.FixtureRequest) -> Writer:
    library = request.param.partition(".")[0]
    need(library, importlib.util.find_spec(library) is not None)
    return importlib.import_module(request.param).SummaryWriter


def the_file(folder: Path) -> EventFile:
    (path,) = folder.glob("*tfevents*")
    return EventFile(path)


def told(file: EventFile) -> dict[str, list[tuple[int, Any]]]:
    found: dict[str, list[tuple[int, Any]]] = {}
    for event in file.read():
        for tag, value in event.values.items():
            found.setdefault(tag, []).append((event.step, value))
    return found


def test_scalars_come_with_their_steps_and_nan_stays_nan(writer: Writer, tmp_path: Path) -> None:
    with writer(str(tmp_path)) as w:
        for step in range(0, 30, 10):
            w.add_scalar("loss", step / 2, step)
        w.add_scalar("far", -math.inf, 3)

    found = told(the_file(tmp_path))

    assert found == {"loss": [(0, 0.0), (10, 5.0), (20, 10.0)], "far": [(3, -math.inf)]}


def test_pictures_texts_and_histograms_are_what_they_were(writer: Writer, tmp_path: Path) -> None:
    import numpy

    with writer(str(tmp_path)) as w:
        w.add_image("picture", numpy.zeros((3, 4, 6), dtype=numpy.uint8), 1)
        w.add_text("word", "hé", 2)
        w.add_histogram("heights", numpy.arange(100.0), 3)

    found = told(the_file(tmp_path))

    ((_, picture),) = found["picture"]
    ((_, heights),) = found["heights"]
    assert isinstance(picture, Encoded)
    assert picture.content.startswith(b"\x89PNG")
    assert found["word"] == [(2, "hé")]
    assert isinstance(heights, Histogram)
    assert sum(heights.histogram) == 100
    assert heights.bins[0] == 0
    assert heights.bins[-1] >= 99


def test_hyperparameters_are_params(writer: Writer, tmp_path: Path) -> None:
    with writer(str(tmp_path)) as w:
        w.add_hparams({"lr": 0.1, "layers": 3, "name": "sgd"}, {"accuracy": 0.5})

    (path,) = tmp_path.rglob("*/*tfevents*")
    events = list(EventFile(path).read())

    params = {name: value for event in events for name, value in event.params.items()}
    assert params == {"lr": 0.1, "layers": 3, "name": "sgd"}
    assert [event.values for event in events if event.values] == [{"accuracy": 0.5}]


def test_the_tensors_of_new_summaries_are_read_too(tmp_path: Path) -> None:
    need("tensorboard", importlib.util.find_spec("tensorboard") is not None)
    import numpy
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
    from tensorboard.util.tensor_util import make_tensor_proto

    def value(tag: str, plugin: str, array: Any) -> Summary.Value:
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=plugin))
        return Summary.Value(tag=tag, tensor=make_tensor_proto(array), metadata=metadata)

    buckets = numpy.array([[0.0, 1.0, 3.0], [1.0, 2.0, 5.0]])
    values = [
        value("scalar", "scalars", numpy.float32(2.5)),
        value("whole", "scalars", numpy.int64(-7)),
        value("half", "scalars", numpy.float16(1.5)),
        value("buckets", "histograms", buckets),
        value("text", "text", numpy.array([b"one", b"two"], dtype=object)),
        value("pictures", "images", numpy.array([b"4", b"6", b"\x89PNG one", b"\x89PNG two"], dtype=object)),
        value("matrix", "own", numpy.array([[1, 2], [3, 4]])),
        value("large", "own", numpy.zeros(20_000)),
    ]
    writer = EventFileWriter(str(tmp_path))
    writer.add_event(Event(wall_time=5.0, step=1, summary=Summary(value=values)))
    writer.close()

    events = list(the_file(tmp_path).read())

    found = dict(events[-1].values)
    assert (found["scalar"], found["whole"], found["half"]) == (2.5, -7, 1.5)
    assert (found["buckets"].histogram, found["buckets"].bins) == ([3.0, 5.0], [0.0, 1.0, 2.0])
    assert found["text"] == ["one", "two"]
    assert found["pictures/1"].content == b"\x89PNG two"
    assert found["matrix"] == [[1, 2], [3, 4]]
    assert "large" not in found
    assert events[-1].left_out == ("large: a tensor of 20,000 values",)


def test_a_torn_record_is_waited_for(writer: Writer, tmp_path: Path) -> None:
    with writer(str(tmp_path)) as w:
        for step in range(10):
            w.add_scalar("loss", step, step)
    whole = the_file(tmp_path).path.read_bytes()
    path = tmp_path / "growing.tfevents.1"
    path.write_bytes(whole[:-7])
    file = EventFile(path)

    before = told(file)
    torn = file.torn
    with path.open("ab") as growing:
        growing.write(whole[-7:])
    after = told(file)

    assert torn
    assert not file.torn
    assert [step for step, _ in before["loss"]] == list(range(9))
    assert after == {"loss": [(9, 9.0)]}


def test_however_a_file_is_cut_up_every_event_comes_once(writer: Writer, tmp_path: Path) -> None:
    with writer(str(tmp_path)) as w:
        for step in range(5):
            w.add_scalar("loss", step, step)
    whole = the_file(tmp_path).path.read_bytes()
    path = tmp_path / "growing.tfevents.1"
    path.touch()
    file = EventFile(path)
    seen = []

    for byte in whole:
        with path.open("ab") as growing:
            growing.write(bytes([byte]))
        seen += [event.step for event in file.read() if event.values]

    assert seen == [0, 1, 2, 3, 4]
    assert (file.damaged, file.broken, file.torn) == (0, False, False)


def test_a_record_with_a_wrong_checksum_is_passed_over_and_counted(writer: Writer, tmp_path: Path) -> None:
    with writer(str(tmp_path)) as w:
        for step in range(10):
            w.add_scalar("loss", step, step)
    file = the_file(tmp_path)
    content = bytearray(file.path.read_bytes())
    content[-6] ^= 1
    file.path.write_bytes(content)

    found = told(file)

    assert [step for step, _ in found["loss"]] == list(range(9))
    assert (file.damaged, file.broken) == (1, False)


def test_a_length_that_lies_ends_the_reading_without_setting_room_aside(tmp_path: Path) -> None:
    path = tmp_path / "x.tfevents.1"
    path.write_bytes(b"\xff" * 8 + b"\0" * 100)
    file = EventFile(path)

    assert list(file.read()) == []
    assert file.broken
