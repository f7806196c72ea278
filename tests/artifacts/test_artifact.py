from __future__ import annotations

import http.server
import inspect
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

import mlgit as wandb
from mlgit.artifacts import reference, ties
from mlgit.dvc import cache
from mlgit.errors import MlgitError, NotFoundError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query


@pytest.fixture
def data(inside: Repo, tmp_path: Path) -> Path:
    """A folder with two files, outside of the repository."""
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "train.csv").write_text("1,2")
    (folder / "deep" / "test.csv").write_text("3,4")
    return folder


def dataset(**about: object) -> wandb.Artifact:
    return wandb.Artifact("mnist", type="dataset", **about)


def logged(draft: wandb.Artifact, **about: object) -> wandb.Artifact:
    with wandb.init() as run:
        return run.log_artifact(draft, **about)


@pytest.mark.parametrize("name", re.findall(r"`(\w+)`", ties.__doc__ or ""))
def test_whatever_an_artifact_asks_for_was_handed_over(name: str):
    assert wandb.init  # by being loaded it hands that over
    assert callable(ties.ask(name))


def test_what_is_logged_in_one_run_is_used_in_another(data: Path):
    draft = dataset(metadata={"rows": 2}, description="digits")
    draft.add_dir(data)
    logged(draft)

    with wandb.init() as run:
        found = run.use_artifact("mnist:latest", type="dataset")
        place = Path(found.download())

    assert place == Path("artifacts/mnist:v0").absolute()
    assert {path.relative_to(place).as_posix(): path.read_text() for path in place.rglob("*.csv")} == {
        "train.csv": "1,2", "deep/test.csv": "3,4",
    }  # fmt: skip
    assert (found.metadata, found.description) == ({"rows": 2}, "digits")
    assert (found.version, found.aliases) == ("v0", ["latest"])
    assert [user.id for user in found.used_by()] == [run.id]
    assert found.logged_by().id != run.id


def test_it_can_be_used_in_the_script_that_logged_it_before_its_run_ends(data: Path):
    with wandb.init() as run:
        draft = dataset()
        draft.add_file(data / "train.csv")
        made = run.log_artifact(draft, aliases=["best"]).wait()

        assert (made.version, made.state, made.name) == ("v0", "COMMITTED", "mnist:v0")
        assert run.use_artifact("mnist:best").get_entry("train.csv").digest == made.get_entry("train.csv").digest


def test_the_same_content_is_the_same_version(data: Path):
    for name in ("train.csv", "deep/test.csv", "train.csv"):
        draft = dataset()
        draft.add_file(data / name, name="x.csv")
        logged(draft)

    versions = wandb.Api().artifacts("dataset", "mnist")

    assert [(one.version, one.aliases) for one in versions] == [("v1", []), ("v0", ["latest"])]


def test_an_entry_is_referenced_by_its_own_address(data: Path):
    draft = dataset()
    draft.add_dir(data)
    address = logged(draft).get_entry("deep/test.csv").ref_url()
    other = wandb.Artifact("other", type="dataset")
    other.add_reference(address)
    other.add_reference(address, name="again.csv")

    place = Path(logged(other).download())

    assert [(place / name).read_text() for name in ("deep/test.csv", "again.csv")] == ["3,4", "3,4"]
    with pytest.raises(KeyError, match="There is no nothing in"):
        wandb.Artifact("more", type="dataset").add_reference(address.replace("deep/test.csv", "nothing"))


def test_checkout_leaves_no_empty_folder_and_clears_none_in_which_a_repository_lies(data: Path, inside: Repo):
    draft = dataset()
    draft.add_dir(data)
    made = logged(draft)
    stray = Path("out/deep/er/stray")
    stray.parent.mkdir(parents=True)
    stray.write_text("mine")

    made.checkout("out")
    assert sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*")) == [
        "deep", "deep/test.csv", "train.csv",
    ]  # fmt: skip

    for place in (".", str(inside.folder.parent)):
        with pytest.raises(UsageError, match="holds a git repository"):
            made.checkout(place)
    assert stray.parent.parent.exists()
    assert inside.git("status", "--porcelain", "--", "out").startswith("?? out/")


def test_what_is_brought_is_no_part_of_the_next_runs_snapshot(data: Path, inside: Repo):
    draft = dataset()
    draft.add_dir(data)
    logged(draft).get_entry("train.csv").download()

    with wandb.init() as run:
        run.use_artifact("mnist:latest").download()
    source = query.runs(inside)[0].source or ""

    assert Path("artifacts/mnist:v0/deep/test.csv").exists()
    assert "artifacts" not in inside.git("ls-tree", "-r", "--name-only", source)


def test_a_draft_knows_the_hash_that_it_will_have(data: Path):
    draft = dataset()
    draft.add_dir(data)
    draft.add_reference("s3://bucket/more.csv")
    foreseen = draft.digest

    assert logged(draft).digest == foreseen


def test_a_file_may_change_after_it_was_added(data: Path):
    draft = dataset()
    draft.add_file(data / "train.csv")
    (data / "train.csv").write_text("changed")

    place = logged(draft).download()

    assert (Path(place) / "train.csv").read_text() == "1,2"
    (data / "train.csv").write_text("and again")  # the user's file is still his own


def test_an_immutable_file_is_read_when_it_is_logged(data: Path):
    draft = dataset()
    draft.add_file(data / "train.csv", policy="immutable")
    made = logged(draft)

    (data / "train.csv").write_text("changed after all")

    assert (Path(made.download()) / "train.csv").read_text() == "1,2"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "..", "", ".", "a\0b"])
def test_no_path_leaves_the_artifact(data: Path, name: str):
    draft = dataset()

    with pytest.raises(UsageError, match="path inside an artifact"):
        draft.add_file(data / "train.csv", name=name or "/")
    with pytest.raises(UsageError), draft.new_file(name):
        pass
    with pytest.raises(UsageError):
        draft.add_reference("s3://bucket/x", name=name or "/")


def test_two_contents_have_no_room_under_one_name(data: Path):
    draft = dataset()
    draft.add_file(data / "train.csv", name="x")

    draft.add_file(data / "train.csv", name="x")
    with pytest.raises(UsageError, match="already"):
        draft.add_file(data / "deep" / "test.csv", name="x")
    draft.add_file(data / "deep" / "test.csv", name="x", overwrite=True)

    assert (Path(logged(draft).download()) / "x").read_text() == "3,4"


def test_what_is_not_there_is_named(data: Path):
    with pytest.raises(UsageError, match="no file"):
        dataset().add_file(data / "nothing")
    with pytest.raises(UsageError, match="add_dir"):
        dataset().add_file(data)
    with pytest.raises(UsageError, match="no folder"):
        dataset().add_dir(data / "nothing")
    with pytest.raises(UsageError, match="not logged yet"):
        dataset().download()
    with pytest.raises(NotFoundError, match="no artifact 'mnist'"):
        wandb.Api().artifact("mnist:latest")


@pytest.mark.parametrize("name", ["a b", "a/b", "../x", "", "a:v0", "x.dvc", ".", "..", "a" * 129])
def test_a_name_that_cannot_be_is_refused_at_once(inside: Repo, name: str):
    with pytest.raises(UsageError):
        wandb.Artifact(name, type="dataset")


@pytest.mark.parametrize("name", ["_x", "-x", ".x", "x..y", "x.lock", "a" * 128])
def test_every_name_that_w_b_takes_is_one(data: Path, inside: Repo, name: str):
    with wandb.init() as run:
        run.log_artifact(data, name=name, type="my/type")
    found = wandb.Api().artifact(name)

    assert (found.name, found.type) == (f"{name}:v0", "my/type")
    assert Path(found.download(), "train.csv").is_file()
    inside.git("fsck", "--strict", "--no-dangling")


def test_what_is_no_time_span_or_no_metadata_is_refused_at_once(inside: Repo):
    draft = dataset()
    with pytest.raises(TypeError, match="timedelta"):
        draft.ttl = 3
    with pytest.raises(TypeError, match="metadata"):
        draft.metadata = 3
    for metadata in (3, {"made by": object()}):
        with pytest.raises(TypeError, match="metadata"):
            wandb.Artifact("a", type="dataset", metadata=metadata)


def test_a_time_to_live_is_recorded_and_said_to_mean_nothing_else(data: Path, capsys: pytest.CaptureFixture[str]):
    with wandb.init() as run:
        for name in ("a", "b"):
            draft = wandb.Artifact(name, type="dataset", metadata={"rows": np.int64(2)})
            draft.add_dir(data)
            draft.ttl = timedelta(days=1)
            assert draft.metadata == {"rows": 2}
            run.log_artifact(draft)

    assert wandb.Api().artifact("b:v0").ttl == timedelta(days=1)
    assert capsys.readouterr().err.count("nothing expires by itself") == 1


def test_a_draft_lacks_what_only_a_version_has(inside: Repo):
    draft = dataset()

    assert (hasattr(draft, "version"), getattr(draft, "qualified_name", "none")) == (False, "none")
    assert dict(inspect.getmembers(draft))["name"] == "mnist"


def test_a_manifest_is_looked_through(data: Path):
    draft = dataset()
    draft.add_dir(data, name="in")
    found = draft.manifest

    assert len(found) == len(found.get_entries_in_directory("in")) == len(found.entries) > 0
    assert found.get_entry_by_path("in/train.csv") is found.entries["in/train.csv"]
    assert (found.get_entry_by_path("in"), found.get_entries_in_directory("i")) == (None, [])


def test_an_artifact_leads_to_all_of_its_name(data: Path):
    with wandb.init() as run:
        run.log_artifact(data, name="mnist", type="dataset")
        run.link_artifact(wandb.Api().artifact("mnist:v0"), "best/digits")
    found = wandb.Api().artifact("digits:v0")

    assert (found.collection.name, found.source_collection.name) == ("digits", "mnist")
    assert [one.name for one in found.collection.versions()] == ["digits:v0"]


def test_a_new_file_is_written_in_a_block(inside: Repo):
    draft = dataset()
    with draft.new_file("notes/a.txt") as file:
        file.write("grün")
    with draft.new_file("b.bin", mode="wb") as file:
        file.write(b"\x00")
    with pytest.raises(ValueError, match="training"), draft.new_file("torn") as file:
        raise ValueError("training")

    place = Path(logged(draft).download())

    assert (place / "notes" / "a.txt").read_text() == "grün"
    assert sorted(draft.manifest.entries) == ["b.bin", "notes/a.txt"]


def test_nothing_is_added_to_a_version(data: Path):
    made = dataset()
    made.add_dir(data)
    logged(made)

    with pytest.raises(UsageError, match="finished"):
        made.add_file(data / "train.csv", name="again")


def test_a_new_draft_holds_the_same_and_may_be_changed(data: Path):
    made = dataset()
    made.add_dir(data)
    logged(made)

    draft = made.new_draft()
    draft.remove("deep")
    with draft.new_file("train.csv", mode="w") as file:
        file.write("new")
    second = logged(draft)

    assert (second.version, second.file_count) == ("v1", 1)
    assert (Path(made.download()) / "train.csv").read_text() == "1,2"  # a draft never writes into the cache


def test_an_incremental_artifact_holds_what_the_last_one_did(data: Path):
    first = dataset()
    first.add_file(data / "train.csv")
    logged(first)
    second = dataset(incremental=True)
    second.add_file(data / "deep" / "test.csv")

    assert sorted(logged(second).manifest.entries) == ["test.csv", "train.csv"]


def test_objects_come_back(inside: Repo):
    draft = dataset()
    draft.add(wandb.Table(columns=["a", "b"], data=[[1, "x"], [2, "y"]]), "predictions")
    draft["again"] = wandb.Table(columns=["c"], data=[[3]])
    logged(draft)

    found = wandb.Api().artifact("mnist:v0")

    assert found.get("predictions").data == [[1, "x"], [2, "y"]]
    assert found["again"].columns == ["c"]
    assert found.get("nothing") is None
    assert "predictions.table.json" in found.manifest.entries


def test_an_object_may_be_called_by_its_whole_name(inside: Repo):
    draft = dataset()

    assert draft.add(wandb.Table(columns=["a"], data=[[1]]), "t.table.json").path == "t.table.json"
    logged(draft)
    assert wandb.Api().artifact("mnist:v0").get("t").get_column("a") == [1]


def test_a_reference_is_recorded_and_not_downloaded(inside: Repo):
    draft = dataset()
    draft.add_reference("s3://bucket/big/train.parquet")
    draft.add_reference("gs://bucket/x", name="here/x")
    made = logged(draft)

    found = wandb.Api().artifact("mnist:v0")

    assert found.get_entry("train.parquet").ref_target() == "s3://bucket/big/train.parquet"
    assert sorted(found.manifest.entries) == ["here/x", "train.parquet"]
    assert found.digest == made.digest
    with pytest.raises(MlgitError, match="cannot bring"):
        found.download()
    assert list(Path(found.download(allow_missing_references=True)).iterdir()) == []


def test_a_folder_is_referenced_file_by_file_and_a_change_is_seen(data: Path):
    draft = dataset()
    draft.add_reference(data.as_uri(), name="raw")
    with pytest.raises(UsageError, match="more than 1 files"):
        dataset().add_reference(data.as_uri(), max_objects=1)
    made = logged(draft)

    assert (Path(made.download()) / "raw" / "train.csv").read_text() == "1,2"
    (data / "train.csv").write_text("9,9")
    with pytest.raises(MlgitError, match="not what was referenced"):
        made.download(root="elsewhere")


@pytest.fixture
def page() -> Iterator[str]:
    """The address of a page that says an ETag."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("ETag", '"abc"')
            self.send_header("Content-Length", "5")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(b"hello")

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/page.txt"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_page_is_known_by_its_head_and_brought_when_asked(inside: Repo, page: str):
    draft = dataset()
    (entry,) = draft.add_reference(page)

    assert (entry.path, entry.size, entry.digest) == ("page.txt", 5, "abc")
    assert (Path(logged(draft).download()) / "page.txt").read_text() == "hello"


def test_an_address_with_a_password_is_refused(inside: Repo):
    with pytest.raises(UsageError, match="password"):
        reference.described("https://me:hunter22@example.com/x", None)


def test_a_list_of_references_from_elsewhere_cannot_leave_the_artifact(data: Path, inside: Repo):
    (data / ".mlgit-references.json").write_text('{"../../evil": {"ref": "file:///etc/passwd"}}')
    with wandb.init() as run:
        run.log_artifact(data, name="mnist", type="dataset")

    with pytest.raises(MlgitError, match="path inside an artifact"):
        wandb.Api().artifact("mnist:v0").download()


def test_an_entry_of_another_artifact_is_taken_by_its_bytes(data: Path, inside: Repo):
    first = dataset()
    first.add_dir(data)
    logged(first)
    second = wandb.Artifact("subset", type="dataset")
    second.add_reference(first.get_entry("train.csv"), name="only.csv")

    assert (Path(logged(second).download()) / "only.csv").read_text() == "1,2"


def test_download_leaves_what_else_is_there_and_checkout_does_not(data: Path):
    made = dataset()
    made.add_dir(data)
    logged(made)
    Path("place").mkdir()
    Path("place/mine").write_text("x")
    Path("place/train.csv").write_text("old")

    made.download(root="place")

    assert Path("place/mine").exists()
    assert Path("place/train.csv").read_text() == "1,2"
    with pytest.raises(ValueError, match="mine is no file"):
        made.verify("place")
    made.checkout(root="place")
    made.verify("place")
    assert not Path("place/mine").exists()


def test_a_part_is_downloaded_by_its_prefix(data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    made = dataset()
    made.add_dir(data)
    logged(made)
    monkeypatch.setenv("WANDB_ARTIFACT_DIR", str(tmp_path / "kept"))

    place = Path(made.download(path_prefix="deep/"))

    assert place == tmp_path / "kept" / "mnist:v0"
    assert [path.name for path in place.rglob("*.csv")] == ["test.csv"]


def test_words_may_be_set_afterwards(data: Path):
    for name in ("train.csv", "deep/test.csv"):
        draft = dataset()
        draft.add_file(data / name, name="x.csv")
        logged(draft, aliases=["best"], tags=["t"])
    first = wandb.Api().artifact("mnist:v0")

    first.aliases.append("best")
    first.description, first.metadata["rows"], first.ttl = "the first", 1, timedelta(days=30)
    first.tags.append("kept")
    first.save()

    found = wandb.Api().artifact("mnist:best")
    assert (found.version, found.description, found.metadata) == ("v0", "the first", {"rows": 1})
    assert (found.ttl, found.tags) == (timedelta(days=30), ["t", "kept"])
    assert wandb.Api().artifact("mnist:latest").version == "v1"


def test_an_alias_that_is_taken_away_is_gone(data: Path):
    for _ in range(2):  # two runs claim it for the same version
        draft = dataset()
        draft.add_dir(data)
        logged(draft, aliases=["best"])
    made = wandb.Api().artifact("mnist:best")

    made.aliases.remove("best")
    made.save()

    with pytest.raises(NotFoundError, match="no version 'best'"):
        wandb.Api().artifact("mnist:best")


def test_a_deleted_version_is_found_no_more_and_the_others_keep_their_numbers(data: Path, inside: Repo):
    for name in ("train.csv", "deep/test.csv"):
        draft = dataset()
        draft.add_file(data / name, name="x.csv")
        logged(draft, aliases=["named"])
    old, new = wandb.Api().artifact("mnist:v0"), wandb.Api().artifact("mnist:v1")

    old.delete()
    with pytest.raises(UsageError, match="is called named"):
        new.delete()

    with pytest.raises(NotFoundError, match="deleted"):
        wandb.Api().artifact("mnist:v0")
    assert wandb.Api().artifact("mnist:latest").version == "v1"
    branch = old.logged_by().branch
    assert "artifacts/mnist.dvc" not in inside.git("ls-tree", "-r", "--name-only", branch)


def test_a_link_is_one_more_name(data: Path):
    first, made = dataset(), dataset()
    first.add_dir(data)
    logged(first)
    made.add_file(data / "train.csv")
    logged(made)

    made.link("model-registry/Digits", aliases=["production"])

    found = wandb.Api().artifact("model-registry/Digits:production")
    assert (found.digest, found.is_link) == (made.digest, True)
    assert (found.name, found.version) == ("Digits:v0", "v0")
    assert (found.source_name, found.source_version) == ("mnist:v1", "v1")
    assert (found.source_artifact.name, found.source_artifact.is_link) == ("mnist:v1", False)
    assert made.source_artifact is made
    assert Path(found.download()) == Path.cwd() / "artifacts" / "mnist:v1"  # one place, by whatever name it was found
    assert found.source_qualified_name == f"mlgit/{found.project}/mnist:v1"
    found.unlink()
    with pytest.raises(NotFoundError):
        wandb.Api().artifact("Digits:production")


def test_a_draft_saves_itself_into_the_run_that_is_under_way(data: Path):
    with wandb.init() as run:
        draft = dataset()
        draft.add_dir(data)
        draft.save()
    alone = wandb.Artifact("other", type="dataset")
    alone.add_dir(data)
    alone.save()

    assert draft.logged_by().id == run.id
    assert alone.logged_by().job_type == "auto"


def test_damaged_bytes_are_told(data: Path, inside: Repo):
    made = dataset()
    made.add_dir(data)
    logged(made)
    (_, place) = cache.listing(inside, made.digest)["train.csv"]
    place.chmod(0o644)
    place.write_text("rot")

    with pytest.raises(MlgitError, match="damaged"):
        made.download()


def test_a_folder_of_many_files_is_one_version(inside: Repo, tmp_path: Path):
    (tmp_path / "many").mkdir()
    for number in range(2000):
        (tmp_path / "many" / str(number)).write_text(str(number))
    draft = dataset()
    draft.add_dir(tmp_path / "many")

    made = logged(draft)

    assert made.file_count == 2000
    made.verify(made.download())


def test_drafts_leave_nothing_behind(data: Path, inside: Repo):
    draft = dataset()
    entry = draft.add_file(data / "train.csv")

    logged(draft)

    assert list((inside.own / "drafts").iterdir()) == []
    assert Path(entry.download()).read_text() == "1,2"


def test_a_table_may_come_in_pieces(inside: Repo):
    draft = wandb.Artifact("pieces", type="dataset")
    for number in range(2):
        draft.add(wandb.Table(columns=["n"], data=[[number]]), f"parts/{number}")
    draft.add(wandb.data_types.PartitionedTable("parts"), "whole")
    logged(draft)

    found = wandb.Api().artifact("pieces:latest").get("whole")

    assert [row for _, row in found.iterrows()] == [[0], [1]]


def test_a_draft_has_the_digest_that_it_is_logged_under(data: Path):
    (data / "deep-er").write_text("sorts before what is in the folder, for DVC sorts whole paths")
    draft = dataset()
    draft.add_dir(str(data))
    before = draft.digest

    assert logged(draft).digest == before
