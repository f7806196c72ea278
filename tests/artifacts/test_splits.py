"""Splits: which files a name means."""

import pytest

from mlgit.artifacts import splits
from mlgit.errors import UsageError

PATHS = ["train/a/1.png", "train/2.png", "test/3.png", "labels.csv", "train.csv"]


def test_several_splits_are_told_in_one_option_or_in_several():
    assert splits.parse(["train=train/,test=test/", "train=more/*"]) == {
        "train": ("train/", "more/*"), "test": ("test/",),
    }  # fmt: skip


@pytest.mark.parametrize("text", ["train", "=x", "train=", ",", "a\x1bb=x"])
def test_what_is_no_split_is_refused(text: str):
    with pytest.raises(UsageError):
        splits.parse([text])


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("train/", PATHS[:2]), ("./train", PATHS[:2]), ("train/*.png", PATHS[:2]), ("*.csv", PATHS[3:]),
        ("train.csv", PATHS[4:]), ("t*/[23].png", PATHS[1:3]), ("Train/", []),
    ],
)  # fmt: skip
def test_a_pattern_is_a_file_a_folder_or_a_glob(pattern: str, files: list[str]):
    assert splits.files_of([pattern], PATHS) == files


@pytest.mark.parametrize("top", ["data/digits", "./data/digits/"])
def test_a_split_may_be_told_from_where_one_stands_as_a_shell_completes_it(top: str):
    told = {"train": ("data/digits/train/", "./data/digits/train/1.png"), "test": ("test/",)}

    assert splits.seen_from(top, told, PATHS) == {"train": ("train/", "train/1.png"), "test": ("test/",)}


def test_a_split_of_a_folder_that_is_called_as_the_dataset_stays():
    assert splits.seen_from("data", {"all": ("data/",)}, ["data/1.png"]) == {"all": ("data/",)}


def test_a_split_without_a_file_is_a_mistake_and_a_file_in_two_worth_a_word():
    with pytest.raises(UsageError, match=r"valid.*\n.*train"):
        splits.check({"valid": ("valid/",)}, PATHS)

    assert splits.check({"train": ("train/",), "all": ("*.png",)}, PATHS) == [
        "2 files are in train and in all: train/2.png, train/a/1.png."
    ]
    assert splits.check({"train": ("train/",), "test": ("test/",)}, PATHS) == []
