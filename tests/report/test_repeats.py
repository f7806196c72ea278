from collections.abc import Callable
from pathlib import Path

import pytest

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.report import champion, publish, render, repeats, view
from mlgit.report.view import Compared
from mlgit.store import place
from mlgit.store.place import Place

Train = Callable[..., Run]


@pytest.fixture
def here(inside: Repo) -> Place:
    Path("train.py").write_text("print('learning')\n")
    Path("mlgit.yaml").write_text("project: digits\n")
    inside.git("add", "-A")
    inside.git("commit", "-q", "-m", "A project")
    found = place.find(inside.folder)
    assert found
    return found


def names(here: Place, run: Run) -> list[str]:
    return [each.run.name for each in repeats.find(publish.known_runs(here), run)]


def test_runs_that_differ_in_their_seed_alone_are_one_setting(here: Place, train: Train) -> None:
    for seed in range(3):
        train(f"seed-{seed}", {"accuracy": [0.9]}, params={"lr": 0.1, "model": {"random_state": seed}})
    train("other", {"accuracy": [0.9]}, params={"lr": 0.2, "model": {"random_state": 4}})
    train("broken", {"accuracy": [0.1]}, params={"lr": 0.1, "model": {"random_state": 5}}, exit_code=1)
    train("trial", {"accuracy": [0.9]}, params={"lr": 0.1, "model": {"random_state": 6}}, sweep="s1")
    head = train("again", {"accuracy": [0.9]}, params={"lr": 0.1, "model": {"random_state": 0}})

    assert names(here, head) == ["again", "seed-2", "seed-1"]  # a seed that is known already tells nothing new


def test_a_setting_is_found_behind_however_many_others_of_the_code(
    here: Place, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "MOST_READ", 3)
    for seed in range(2):
        train(f"seed-{seed}", {"accuracy": [0.9]}, params={"lr": 0.1, "net": {"kind": "mlp"}, "seed": seed})
    for number in range(4):
        train(f"other-{number}", {"accuracy": [0.9]}, params={"lr": number, "net": {"kind": "mlp"}, "seed": 0})
    head = train("head", {"accuracy": [0.9]}, params={"lr": 0.1, "net": {"kind": "mlp"}, "seed": 9})

    assert names(here, head) == ["head", "seed-1", "seed-0"]


def test_other_code_is_another_setting(here: Place, train: Train) -> None:
    train("before", {"accuracy": [0.9]}, params={"seed": 1})
    Path("train.py").write_text("print('learning more')\n")
    here.repo.git("commit", "-q", "-a", "-m", "Learn more")

    assert names(here, train("after", {"accuracy": [0.9]}, params={"seed": 2})) == ["after"]


def test_a_report_is_over_the_seeds_of_both_sides(here: Place, train: Train) -> None:
    for seed in range(3):
        train(f"base-{seed}", {"accuracy": [0.8 + seed / 100]}, params={"seed": seed})
    here.repo.git("switch", "-q", "-c", "idea")
    Path("train.py").write_text("print('learning more')\n")
    here.repo.git("commit", "-q", "-a", "-m", "Learn more")
    for seed in range(3):
        train(f"idea-{seed}", {"accuracy": [0.85 + seed / 90]}, params={"seed": seed})

    found = publish.between(here, base=None, head="HEAD")

    assert isinstance(found, Compared)
    assert (len(found.head_repeats), len(found.base_repeats)) == (3, 3)
    assert {each.seed for each in found.head_repeats} == {"seed=0", "seed=1", "seed=2"}


def test_the_champion_is_what_main_has_in_production_of_this_project(here: Place, train: Train) -> None:
    run = train("baseline", {"accuracy": [0.9]})
    assert champion.find(here.repo, run) is None
    for model, project in (("digits", "digits"), ("other", "elsewhere")):
        folder = Path("registry") / model
        (folder / "versions").mkdir(parents=True)
        (folder / "production.yaml").write_text("version: v1.0.0\n")
        (folder / "versions/v1.0.0.yaml").write_text(
            f"model: {model}\nversion: v1.0.0\nproject: {project}\nrun: {run.id}\ncommit: {run.commit}\n"
            f"artifact: weights\nhash: {'a' * 32}\nmetrics:\n  accuracy: 0.9\n"
        )
    here.repo.git("add", "-A")
    here.repo.git("commit", "-q", "-m", "Promote")

    found = champion.find(here.repo, run)

    assert found
    assert (found.name, found.run, found.metrics) == ("digits@v1.0.0", run.id, {"accuracy": 0.9})


def test_a_registry_that_cannot_be_read_is_told_in_the_report(here: Place, train: Train) -> None:
    run = train("baseline", {"accuracy": [0.9]})
    Path("registry/digits").mkdir(parents=True)
    Path("registry/digits/production.yaml").write_text("version: [v1.0.0\n")
    here.repo.git("add", "-A")
    here.repo.git("commit", "-q", "-m", "Break the registry")

    found = publish.between(here, base=None, head=run.id)

    assert isinstance(found, Compared)
    text = render.render(view.build(found))
    assert "accuracy" in text
    assert "What is in production cannot be told: registry/digits/production.yaml:" in text
