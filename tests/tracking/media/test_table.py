"""Tables: rows go in, the same rows come out, and what does not fit says so."""

from __future__ import annotations

import datetime
import importlib.util
import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from mlgit.tracking import media
from mlgit.tracking.media.histogram import Histogram
from mlgit.tracking.media.image import Image
from mlgit.tracking.media.joined import EvalTable, JoinedTable
from mlgit.tracking.media.shelf import Shelf
from mlgit.tracking.media.table import Table
from tests.conftest import need

PICTURE = Image(np.zeros((2, 2, 3)))
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, "rows", 3)


def again(table: Any, shelf: Shelf) -> Any:
    return media.load(shelf.folder, json.loads(json.dumps(table.store(shelf))))


def file(table: Table, shelf: Shelf) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shelf.folder / table.store(shelf)["path"]).read_text())
    return found


def test_a_table_is_stored_as_wandb_stores_it(shelf: Shelf):
    table = Table(columns=["n", "text"], data=[[1, "a"], [None, "b"]])

    document = table.store(shelf)

    assert document["_type"] == "table-file"
    assert (document["ncols"], document["nrows"], document["log_mode"]) == (2, 2, "IMMUTABLE")
    assert document["path"].startswith("media/table/rows_3_")
    assert file(table, shelf)["columns"] == ["n", "text"]
    assert file(table, shelf)["data"] == [[1, "a"], [None, "b"]]


def test_a_table_tells_which_column_is_its_key_and_whose_keys_it_holds(shelf: Shelf):
    people = Table(columns=["id", "name"], data=[[1, "Ada"]])
    people.set_pk("id")
    votes = Table(columns=["who", "vote"], data=[[1, "yes"]])
    votes.set_fk("who", people, "id")

    kinds = file(votes, shelf)["column_types"]["params"]["type_map"]
    stored = json.loads((shelf.folder / kinds["who"]["params"]["table"]).read_text())

    assert (kinds["who"]["wb_type"], kinds["who"]["params"]["col_name"]) == ("foreignKey", "id")
    assert stored["data"] == [[1, "Ada"]]
    assert stored["column_types"]["params"]["type_map"]["id"] == {"wb_type": "primaryKey"}
    assert again(votes, shelf).data == [[1, "yes"]]
    with pytest.raises(ValueError, match="no column 'name'"):
        votes.set_pk("name")
    with pytest.raises(ValueError, match="no column 'vote'"):
        votes.set_fk("who", people, "vote")


def test_whatever_a_cell_holds_comes_back(shelf: Shelf):
    row = [1, 0.5, "ü", True, None, [1, [2]], {"a": {"b": 1}}, PICTURE, NOON, Histogram([1, 2, 3])]
    table = Table(columns=[f"c{number}" for number in range(len(row))], data=[row])

    found = again(table, shelf)

    assert found.data[0][:9] == row[:9]
    assert found.data[0][9].histogram == row[9].histogram
    assert found.columns == table.columns
    found.add_data(*row)
    with pytest.raises(TypeError, match="'c0' holds number"):
        found.add_data("text", *row[1:])


def test_numbers_of_numpy_dates_and_the_rest_become_plain(shelf: Shelf):
    cells = [
        np.float32(0.5), np.int64(3), np.bool_(True), np.str_("x"), np.arange(3), np.datetime64("2026-01-02"),
        datetime.date(2026, 1, 2), Decimal("1.5"), {1}, (1, 2), b"x", 1j, object, [PICTURE],
    ]  # fmt: skip
    table = Table(columns=[str(number) for number in range(len(cells))], data=[cells])

    (row,) = file(table, shelf)["data"]

    assert row[:10] == [0.5, 3, True, "x", [0, 1, 2], 1767312000000, 1767312000000, 1.5, [1], [1, 2]]
    assert row[10:13] == ["x", "1j", "builtins.object"]
    assert row[13]["_type"] == "images/separated"


def test_nan_and_the_infinities_are_kept(shelf: Shelf):
    found = again(Table(columns=["x"], data=[[math.nan], [math.inf], [-math.inf], [None]]), shelf)

    assert math.isnan(found.data[0][0])
    assert found.get_column("x")[1:] == [math.inf, -math.inf, None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(st.integers() | st.floats(), st.text(), st.none() | st.booleans())))
def test_any_rows_come_back(rows: list[Any], shelf: Shelf):
    table = Table(columns=["a", "b", "c"], data=rows)

    assert again(table, shelf) == table


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1, "x"), (True, 2), ("x", 1.5), ([1], 2), ({"a": 1}, "x"), (PICTURE, 1), (NOON, 3), (np.ones(3), 1),
        (np.int64(1), True),
    ],
)  # fmt: skip
def test_a_column_takes_values_of_one_kind(first: Any, second: Any):
    table = Table(columns=["a"], data=[[first], [None]])

    with pytest.raises(TypeError, match=r"the column 'a' holds \w+ or none, not .*allow_mixed_types=True takes both"):
        table.add_data(second)
    Table(columns=["a"], data=[[first], [second]], allow_mixed_types=True)
    assert len(table.data) == 2


@pytest.mark.parametrize(
    "values",
    [
        (1, 2.5), (np.float32(1), 2), ("x", math.nan), (math.nan, "x"), ((1,), [2]), (np.bool_(True), False),
        (datetime.date(2026, 1, 2), NOON), (None, 1), (np.datetime64("NaT"), "x"),
    ],
)  # fmt: skip
def test_values_of_one_kind_by_any_type_go_together(values: tuple[Any, ...]):
    assert len(Table(columns=["a"], data=[[value] for value in values]).data) == len(values)


def test_dtype_and_optional_say_what_a_column_takes():
    table = Table(columns=["a", "b"], dtype=[int, str], optional=[True, False])
    table.add_data(None, "x")
    Table(columns=["a"], dtype=Image, data=[[PICTURE]])
    Table(columns=["a"], dtype=np.float32, data=[[1.5]])

    with pytest.raises(TypeError, match="'b' holds string, not none"):
        table.add_data(1, None)
    with pytest.raises(TypeError, match="'a' holds number"):
        table.add_data("x", "x")
    with pytest.raises(TypeError, match="no column is of the type Path"):
        Table(columns=["a"], dtype=Path)
    with pytest.raises(ValueError, match="1 values of dtype for 2 columns"):
        Table(columns=["a", "b"], dtype=[int])


def test_a_column_can_be_cast():
    table = Table(columns=["a"], data=[[1]])
    table.cast("a", float)

    with pytest.raises(TypeError, match="'1' in the column 'a' is no string"):
        table.cast("a", str)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": ["a"], "data": [[1, 2]]}, "1 columns, .'a'., but a row of 2"),
        ({"columns": "ab"}, "columns are a list of names, not 'ab'"),
        ({"columns": [1.5]}, "columns are a list of names"),
        ({"columns": ["a"], "data": {"a": [1]}}, "data is a list of rows, not a dict"),
        ({"columns": ["a"], "data": "text"}, "data is a list of rows, not a str"),
        ({"columns": ["a"], "data": np.zeros(3)}, r"an array is \(rows, columns\), not \(3,\)"),
        ({"dataframe": [1]}, "a DataFrame is asked for, not a list"),
        ({"log_mode": "SOMETIMES"}, "'SOMETIMES' is none of IMMUTABLE"),
    ],
)
def test_what_is_no_table_says_why(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        Table(**arguments)


def test_a_table_is_made_of_rows_or_an_array_or_nothing():
    assert Table(rows=[[1, 2, 3]]).columns == ["Input", "Output", "Expected"]
    assert Table(columns=["a", "b"], data=np.ones((2, 2))).data == [[1.0, 1.0], [1.0, 1.0]]
    assert Table(columns=["a"], data=iter([[1]])).data == [[1]]
    assert Table(columns=[]).data == []
    assert Table()


def test_a_table_is_made_of_a_dataframe(shelf: Shelf):
    need("pandas", importlib.util.find_spec("pandas") is not None)
    import pandas as pd

    frame = pd.DataFrame({
        "n": [1, 2], "x": [0.5, None], "text": ["a", None], "when": [pd.Timestamp("2026-01-02"), pd.NaT],
        "kind": pd.Categorical(["u", "v"]), "maybe": pd.array([1, None], dtype="Int64"), 7: [True, False],
    })  # fmt: skip

    for table in (Table(dataframe=frame), Table(data=frame)):
        assert table.columns == ["n", "x", "text", "when", "kind", "maybe", 7]
        found = again(table, shelf)
        assert found.data[0] == [1, 0.5, "a", datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), "u", 1, True]
        assert found.data[1][3] is None
        assert found.data[1][5] is None
    assert list(Table(dataframe=frame).get_dataframe()["n"]) == [1, 2]


def test_a_table_is_made_of_a_dataframe_of_polars():
    polars = pytest.importorskip("polars")

    assert Table(dataframe=polars.DataFrame({"a": [1, 2], "b": ["x", None]})).data == [[1, "x"], [2, None]]


def test_columns_are_added_read_and_computed():
    table = Table(columns=["a"], data=[[1], [2]])
    table.add_column("b", np.array([3, 4]))
    table.add_computed_columns(lambda number, row: {"sum": row["a"] + row["b"], "number": number})
    table.add_row(5, 6, 11, 2)

    assert table.columns == ["a", "b", "sum", "number"]
    assert table.get_column("sum") == [4, 6, 11]
    assert table.get_column("a", convert_to="numpy").tolist() == [1, 2, 5]
    assert list(table.iterrows())[2] == (2, [5, 6, 11, 2])
    assert [row[0] for row in table] == [1, 2, 5]
    assert table.get_index() == [0, 1, 2]
    assert table.index_ref(2) == 2


def test_pictures_of_a_column_become_an_array():
    table = Table(columns=["picture"], data=[[PICTURE], [PICTURE]])

    assert table.get_column("picture", convert_to="numpy").shape == (2, 2, 2, 3)


def test_a_first_column_brings_the_rows():
    table = Table(columns=[])
    table.add_column("a", [1, 2])

    assert table.data == [[1], [2]]


def test_a_column_that_does_not_fit_changes_nothing():
    table = Table(columns=["a"], data=[[1], [2]])

    with pytest.raises(ValueError, match="2 rows, but 1 values for the column 'b'"):
        table.add_column("b", [1])
    with pytest.raises(ValueError, match="'a' cannot be a new column"):
        table.add_column("a", [1, 2])
    with pytest.raises(TypeError, match="the new column 'b' holds string, not number"):
        table.add_column("b", ["x", 1])
    with pytest.raises(TypeError, match="the new column 'b' holds unknown, not none"):
        table.add_column("b", [None, 1])
    with pytest.raises(ValueError, match="no column 'z', only"):
        table.get_column("z")
    with pytest.raises(ValueError, match="convert_to is 'numpy' or None"):
        table.get_column("a", convert_to="pandas")
    with pytest.raises(ValueError, match="no row 2 among 2"):
        table.index_ref(2)
    assert (table.columns, table.data) == (["a"], [[1], [2]])


def test_a_table_that_was_logged_stays_what_it_was(shelf: Shelf, capsys: pytest.CaptureFixture[str]):
    table = Table(columns=["a"], data=[[1]])
    first = table.store(shelf)
    table.add_data(2)
    table.add_data(3)

    assert table.store(Shelf(shelf.folder, "rows", 4)) == first
    assert capsys.readouterr().err.count("log_mode='MUTABLE' would store it again") == 1


def test_a_mutable_table_is_stored_anew(shelf: Shelf):
    table = Table(columns=["a"], data=[[1]], log_mode="MUTABLE")
    table.store(shelf)
    table.add_data(2)

    assert table.store(Shelf(shelf.folder, "rows", 4))["nrows"] == 2
    assert again(table, shelf).data == [[1], [2]]


def test_of_an_incremental_table_the_new_rows_are_stored(shelf: Shelf):
    table = Table(columns=["a"], data=[[1], [2]], log_mode="INCREMENTAL")
    first = table.store(shelf)
    table.add_data(3)
    second = table.store(Shelf(shelf.folder, "rows", 4))

    assert first["_type"] == "incremental-table-file"
    assert (second["increment_num"], second["previous_increments_paths"]) == (1, [first["path"]])
    assert json.loads((shelf.folder / second["path"]).read_text())["data"] == [[3]]
    assert again(table, Shelf(shelf.folder, "rows", 5)).data == [[1], [2], [3]]
    with pytest.raises(ValueError, match="takes rows alone"):
        table.add_column("b", [1, 2, 3])


def test_a_table_of_very_many_rows_is_cut_off(
    shelf: Shelf, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Table, "MAX_ROWS", 10)
    monkeypatch.setattr(Table, "MAX_ARTIFACT_ROWS", 1000)
    rows = ([number, "x"] for number in range(100_000))
    table = Table(columns=["a", "b"], data=rows, log_mode="MUTABLE")

    assert len(file(table, shelf)["data"]) == 1000
    assert "a table of 100,000 rows; the first 1,000 are kept" in capsys.readouterr().err
    monkeypatch.setattr(Table, "MAX_ROWS", 2000)
    assert len(file(table, shelf)["data"]) == 2000


def test_a_cell_within_itself_is_refused(shelf: Shelf):
    cell: dict[str, Any] = {}
    cell["cell"] = cell
    row: list[Any] = []
    row.append(row)

    for bad in (cell, row):
        with pytest.raises(TypeError, match="within itself"):
            Table(columns=["a"], data=[[bad]]).store(shelf)


def test_two_tables_are_joined(shelf: Shelf):
    one = Table(columns=["id", "a"], data=[[1, "x"]])
    two = Table(columns=["id", "b"], data=[[1, "y"]])

    found = again(JoinedTable(one, two, "id"), shelf)

    assert (found.table1, found.table2, found.join_key) == (one, two, "id")
    with pytest.raises(ValueError, match="no column 'a'"):
        JoinedTable(one, two, "a")
    with pytest.raises(ValueError, match="a pair of columns"):
        JoinedTable(one, two, ["id"])
    with pytest.raises(TypeError, match="not a list"):
        JoinedTable(one, [], "id")


def test_an_evaluation_knows_its_inputs_outputs_and_scores(shelf: Shelf):
    table = EvalTable(input_columns=["question"], output_columns=["answer"], score_columns=["right"])
    table.add_data("2+2", "4", 1.0)

    document = table.store(shelf)
    found = again(table, shelf)

    assert document["_type"] == "eval-table-file"
    assert document["output_columns"] == ["answer"]
    assert isinstance(found, EvalTable)
    assert (found.input_columns, found.data) == (["question"], table.data)
    with pytest.raises(ValueError, match="are not columns"):
        EvalTable(columns=["a"], input_columns=["b"])


def test_an_artifact_of_wandbs_is_read(tmp_path: Path):
    picture = PICTURE.store(Shelf(tmp_path, "cat", 0))
    document = {key: picture[key] for key in ("path", "sha256", "width", "height", "format")}
    box = {"class_id": 1, "position": {"minX": 0.1, "maxX": 0.2, "minY": 0.1, "maxY": 0.3}}
    document |= {"_type": "image-file", "boxes": {"truth": [box]}, "masks": {}}
    document |= {"classes": {"type": "classes-file", "path": "media/classes/x.classes.json", "digest": "x"}}
    (tmp_path / "media/classes").mkdir()
    (tmp_path / "media/classes/x.classes.json").write_text(
        '{"_type": "classes", "class_set": [{"id": 1, "name": "car"}]}'
    )
    types = {"when": {"wb_type": "union", "params": {"allowed_types": [{"wb_type": "none"}, {"wb_type": "timestamp"}]}}}
    table = {"_type": "table", "columns": ["img", "when"], "data": [[document, 1767355200000]], "ncols": 2, "nrows": 1}
    table |= {"column_types": {"wb_type": "typedDict", "params": {"type_map": types}}, "log_mode": "IMMUTABLE"}
    (tmp_path / "rows.table.json").write_text(json.dumps(table))

    ((image, when),) = media.get(tmp_path, "rows").data

    assert image.boxes["truth"].class_labels == {1: "car"}
    assert when == NOON


def test_tables_and_pictures_live_in_an_artifact(tmp_path: Path):
    table = Table(columns=["picture", "n"], data=[[PICTURE, 1]])

    assert media.save(table, tmp_path, "tables/truth") == "tables/truth.table.json"
    assert media.save(PICTURE, tmp_path, "cat") == "cat.image-file.json"

    assert media.get(tmp_path, "tables/truth") == table
    assert media.get(tmp_path, "tables/truth.table.json") == table
    assert media.get(tmp_path, "cat") == PICTURE
    assert media.get(tmp_path, "dog") is None
    with pytest.raises(ValueError, match="leads out"):
        media.save(table, tmp_path, "../truth")
    with pytest.raises(TypeError, match="a int is nothing that an artifact holds"):
        media.save(1, tmp_path, "one")
