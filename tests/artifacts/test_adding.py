"""Datasets that a person adds, in Python's hands."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import mlgit
from mlgit import wiring
from mlgit.artifacts import adding, amend, log
from mlgit.artifacts.adding import Added, Wish
from mlgit.dvc.caches import databases
from mlgit.errors import MlgitError, NotFoundError, UsageError, WrongKindError
from mlgit.git.repo import Repo
from mlgit.store import ledgers


def add(target: str, **wish: object) -> Added:
    place, wanted = wiring.place(), Wish(**wish)
    return adding.add(place, adding.plan(place, target, wanted), wanted)


@pytest.fixture
def digits(inside: Repo) -> Path:
    folder = Path("data/digits")
    for name in ("train/1", "train/2", "test/3"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def test_a_folder_becomes_a_version_that_stock_dvc_knows(inside: Repo, digits: Path):
    done = add("data/digits", splits={"train": ("train/",)}, aliases=("gold",), metadata={"rows": 3})

    assert (done.held.name, done.is_new, done.held.aliases) == ("digits:v0", True, ("gold", "latest"))
    assert (done.held.run, done.held.by) == (None, "Ada <ada@example.com>")
    assert {"data/digits.dvc", "data/.gitignore"} <= set(done.written)
    status = subprocess.run([sys.executable, "-m", "dvc", "status"], capture_output=True, text=True, check=True)
    assert "up to date" in status.stdout
    assert inside.git("log", "-1", "--format=%s", "refs/mlgit/artifacts/repo/digits") == "digits:v0: 3 files, 20 B"


def test_the_same_content_is_the_same_version(inside: Repo, digits: Path):
    add("data/digits")
    before = inside.refs()
    again = add("data/digits")

    assert (again.held.name, again.is_new, again.written, inside.refs()) == ("digits:v0", False, (), before)


def test_the_next_version_from_a_path_has_the_name_and_the_splits_of_the_one_before(inside: Repo, digits: Path):
    add("data/digits", name="mnist", splits={"train": ("train/",), "test": ("test/",)})
    (digits / "train/4").write_text("4")
    (digits / "test/3").unlink()
    second = add("data/digits")
    third = add("data/digits", name="digits")

    assert (second.held.name, second.held.version.splits) == ("mnist:v1", {"train": ("train/",)})
    assert (third.held.name, third.held.version.splits) == ("digits:v0", {})
    assert add(str(digits.resolve())).held.name == "digits:v0"


def test_an_address_keeps_the_name_that_it_was_given(inside: Repo, tmp_path: Path):
    (tmp_path / "far.csv").write_text("a\n1\n")
    add((tmp_path / "far.csv").as_uri(), name="near")
    (tmp_path / "far.csv").write_text("a\n1\n2\n")

    assert add((tmp_path / "far.csv").as_uri()).held.name == "near:v1"


def test_an_older_content_that_is_added_again_is_the_latest_and_takes_no_alias_from_another(digits: Path):
    add("data/digits", description="of March", aliases=("gold", "first"))
    (digits / "train/1").write_text("another")
    second = add("data/digits", aliases=("gold",))
    (digits / "train/1").write_text("train/1")
    third = add("data/digits", metadata={"rows": 3})

    assert (second.held.name, third.held.name) == ("digits:v1", "digits:v0")
    assert set(third.held.aliases) == {"first", "latest"}
    assert log.find(wiring.place().repo, "digits:gold").name == "digits:v1"
    assert (third.held.version.description, third.held.version.metadata) == ("of March", {"rows": 3})


def test_what_was_hidden_and_is_added_again_has_its_aliases_back(digits: Path):
    held = add("data/digits", aliases=("gold",)).held
    amend.hide(wiring.place().repo, held)
    again = add("data/digits")

    assert (again.held.name, set(again.held.aliases)) == ("digits:v0", {"gold", "latest"})


def test_an_alias_that_a_run_has_moved_stays_where_it_is_when_it_logs_the_older_content_again(inside: Repo):
    with mlgit.init(settings=mlgit.Settings(silent=True)) as run:
        for text, aliases in (("a", ["gold", "first"]), ("b", ["gold"]), ("a", [])):
            Path("rows.csv").write_text(text)
            run.log_artifact("rows.csv", name="rows", type="dataset", aliases=aliases)

    assert [log.find(inside, f"rows:{alias}").label for alias in ("gold", "first", "latest")] == ["v1", "v0", "v0"]


def test_what_runs_logged_before_keeps_its_number(ended: None, digits: Path):
    with mlgit.init(project="repo") as run:
        for content in "ab":
            Path("x.csv").write_text(content)
            run.log_artifact("x.csv", name="digits", type="dataset")
    Path("x.csv").write_text("c")

    assert add("x.csv", name="digits").held.name == "digits:v2"
    Path("x.csv").write_text("a")
    again = add("x.csv", name="digits")
    assert (again.held.name, again.is_new, again.held.aliases) == ("digits:v0", False, ("latest",))
    assert again.held.run is not None


def test_a_run_uses_what_a_person_added(ended: None, digits: Path, tmp_path: Path):
    add("data/digits", splits={"train": ("train/",)}, description="hand-written", metadata={"rows": 3})
    with mlgit.init(project="repo") as run:
        data = run.use_artifact("digits:latest", type="dataset")

        folder = Path(data.download(tmp_path / "there"))
        assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["1", "2", "3"]
        assert [file.name for file in data.split("train")] == ["train/1", "train/2"]
        assert (data.name, data.logged_by(), data.description, data.metadata) == (
            "digits:v0", None, "hand-written", {"rows": 3},
        )  # fmt: skip
        with pytest.raises(NotFoundError, match="there are: train"):
            data.split("test")

    assert [one.id for one in data.used_by()] == [run.id]
    assert [one.name for one in mlgit.Api().run(run.id).used_artifacts()] == ["digits:v0"]


def test_a_script_says_something_else_of_what_a_person_added(inside: Repo, digits: Path):
    add("data/digits", aliases=("old",))
    data = mlgit.Api().artifact("digits:v0")
    data.aliases.append("gold")
    data.aliases.remove("old")
    data.description = "hand-written"
    data.ttl = timedelta(days=30)
    data.save()
    data.link("model-registry/Our Data", aliases=["best"])

    gold = mlgit.Api().artifact("digits:gold")
    assert (gold.description, gold.ttl) == ("hand-written", timedelta(days=30))
    assert mlgit.Api().artifact("Our Data:best").source_name == "digits:v0"
    assert [one.name for one in mlgit.Api().artifact_type("dataset").collections()] == ["Our Data", "digits"]
    with pytest.raises(NotFoundError):
        mlgit.Api().artifact("digits:old")
    mlgit.Api().artifact("digits:v0").delete(delete_aliases=True)
    with pytest.raises(NotFoundError):
        mlgit.Api().artifact("digits:latest")
    assert inside.git("log", "--format=%s", "refs/mlgit/artifacts/repo/digits").splitlines() == [
        "digits:v0 is deleted", "digits:v0 is linked to Our Data", "digits:v0 is edited", "digits:v0: 3 files, 20 B",
    ]  # fmt: skip


def test_the_next_version_of_an_added_dataset_may_be_logged_and_the_other_way_round(ended: None, digits: Path):
    add("data/digits")
    with mlgit.init(project="repo") as run:
        more = mlgit.Artifact("digits", type="dataset", incremental=True)
        with more.new_file("train/4") as file:
            file.write("four")
        made = run.log_artifact(more)

        assert (made.wait().name, made.file_count) == ("digits:v1", 4)
        assert made.get_entry("train/1").size == len("train/1")
        with pytest.raises(WrongKindError):
            run.log_artifact("data/digits", name="digits", type="model")
    (digits / "test/3").unlink()

    assert add("data/digits").held.name == "digits:v2"
    assert mlgit.Api().artifact("digits:v1").logged_by().id == run.id


def test_checkout_removes_what_the_version_has_not(digits: Path, tmp_path: Path):
    add("data/digits")
    data = mlgit.Api().artifact("digits:v0")
    folder = Path(data.download(tmp_path / "there"))
    (folder / "more").write_text("x")
    with pytest.raises(ValueError, match="more"):
        data.verify(folder)

    data.checkout(folder)

    data.verify(folder)


@pytest.mark.parametrize(
    ("target", "wish", "words"),
    [
        ("nowhere", {}, "no file or folder"),
        ("data/digits", {"splits": {"valid": ("valid/",)}}, "split valid"),
        ("data/digits", {"aliases": ("v3",)}, "cannot be an alias"),
        ("data/digits", {"name": "a/b"}, "cannot be the name"),
        ("data/digits", {"type": ""}, "cannot be a type"),
        ("..", {}, "outside"),
    ],
)
def test_what_cannot_be_added_leaves_nothing(inside: Repo, digits: Path, target: str, wish: dict, words: str):
    before = inside.git("status", "--porcelain", "-uall"), inside.refs()

    with pytest.raises(UsageError, match=words):
        add(target, **wish)

    assert (inside.git("status", "--porcelain", "-uall"), inside.refs()) == before


def test_another_type_is_refused(digits: Path):
    add("data/digits")

    with pytest.raises(WrongKindError):
        add("data/digits", type="model")


def test_secrets_stay_out_of_what_is_said(inside: Repo, digits: Path):
    token = "ghp_" + "a1B2" * 9
    add("data/digits", description=f"with {token}", metadata={"token": token})

    assert token not in inside.git("show", "refs/mlgit/artifacts/repo/digits")


def test_names_that_no_ref_can_have_are_found_as_well(inside: Repo, digits: Path):
    add("data/digits", name="net..lock")

    assert log.find(inside, "net..lock").name == "net..lock:v0"


@pytest.fixture
def page() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a page whose ETag is told by its content, and that content, to be changed."""
    content = [b"hello"]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.path == "/page.csv" else 404)
            self.send_header("ETag", f'"{len(content[0])}-{content[0][:1].decode()}"')
            self.send_header("Content-Length", str(len(content[0])))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(content[0])

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/page.csv", content
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_is_pinned_and_a_change_since_is_an_error(inside: Repo, page: tuple[str, list[bytes]], tmp_path: Path):
    address, content = page
    done = add(address)
    data = mlgit.Api().artifact("page:latest")

    assert (done.held.version.path, done.held.version.size, done.written) == (address, 5, ())
    assert data.get_entry("page.csv").digest == "5-h"
    assert (Path(data.download(tmp_path / "one")) / "page.csv").read_text() == "hello"
    content[0] = b"jello"
    with pytest.raises(MlgitError, match="changed since"):
        mlgit.Api().artifact("page:v0").download(tmp_path / "two")
    assert add(address).held.name == "page:v1"
    assert (Path(mlgit.Api().artifact("page").download(tmp_path / "three")) / "page.csv").read_text() == "jello"


def test_a_page_that_does_not_answer_is_not_added(inside: Repo, page: tuple[str, list[bytes]]):
    for address in (page[0].replace("page.csv", "nothing"), "http://127.0.0.1:9/x.csv"):
        with pytest.raises(MlgitError, match="nobody answers there"):
            add(address)

    assert inside.refs("refs/mlgit/") == {}


def test_a_file_elsewhere_is_referenced_by_its_address(inside: Repo, tmp_path: Path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far/x.csv").write_text("x")
    done = add((tmp_path / "far").as_uri(), name="far")

    assert (done.held.version.files, done.held.version.size) == (1, 1)
    (tmp_path / "far/x.csv").write_text("y")
    with pytest.raises(MlgitError, match="changed since"):
        mlgit.Api().artifact("far").download(tmp_path / "two")


def test_what_lies_there_unchanged_is_not_read_again_and_what_was_touched_is(
    inside: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("mlgit.artifacts.bringing._WORTH", 0)
    folder = Path("many")
    folder.mkdir()
    for number in range(20):
        (folder / str(number)).write_text(f"{number:04}")
    add("many")
    there = tmp_path / "there"
    mlgit.Api().artifact("many:v0").download(there)
    read: list[str] = []
    real = databases.md5_of
    monkeypatch.setattr(databases, "md5_of", lambda path: (read.append(path.name), real(path))[1])

    mlgit.Api().artifact("many:v0").download(there)
    assert read == []
    (there / "7").write_text("more")  # as long as before
    (there / "8").unlink()
    mlgit.Api().artifact("many:v0").download(there)

    assert set(read) == {"7"}
    assert [(there / str(number)).read_text() for number in (7, 8)] == ["0007", "0008"]


def test_to_use_what_is_here_loads_nothing_of_dvc_and_no_reader_of_yaml(digits: Path, python: Any):
    add("data/digits")
    code = (
        "import sys, mlgit\n"
        "run = mlgit.init()\n"
        "run.use_artifact('digits:latest').download('there')\n"
        "print([one for one in ('dvc', 'dvc_data', 'dvc_objects', 'yaml', 'numpy') if one in sys.modules])"
    )

    assert python("-c", code).stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("path", ["..", "x/..", "", "/"])
def test_a_ledger_from_elsewhere_leads_no_file_out_of_its_folder(inside: Repo, tmp_path: Path, path: str):
    Path("x.csv").write_text("x")
    told = add("x.csv", name="x").held.version
    ledgers.change(inside, "repo", "x", lambda one: one.telling(replace(told, path=path)), why=lambda _: "evil")

    with pytest.raises(UsageError, match="cannot be a path"):
        mlgit.Api().artifact("x:v0").download(tmp_path / "far/there")

    assert not (tmp_path / "far").exists()
