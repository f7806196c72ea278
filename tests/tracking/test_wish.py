"""What a script asks for, by its own words, its settings and its environment."""

from __future__ import annotations

import argparse
import collections.abc
import copy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import mlgit as wandb
from mlgit.errors import ConfigError, UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.tracking import wish
from mlgit.tracking.wish import Settings, Wish
from tests.conftest import make_repo


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(wish, "_chosen", Settings())


VARIABLES = {
    "PROJECT": ("p", "project", "p"),
    "NAME": ("n", "name", "n"),
    "RUN_GROUP": ("g", "group", "g"),
    "JOB_TYPE": ("eval", "job_type", "eval"),
    "NOTES": ("why not", "notes", "why not"),
    "TAGS": ("a, b", "tags", ("a", "b")),
    "DIR": ("/tmp/x", "folder", "/tmp/x"),
    "MODE": ("dryrun", "mode", "offline"),
    "RESUME": ("must", "resume", "must"),
    "SWEEP_ID": ("s1", "sweep", "s1"),
    "CONSOLE": ("wrap", "console", "wrap"),
    "REINIT": ("true", "reinit", "finish_previous"),
    "SAVE_CODE": ("false", "save_code", False),
    "DISABLE_CODE": ("true", "save_code", False),
    "DISABLED": ("true", "mode", "disabled"),
    "SYSTEM_SECONDS": ("5", "system_seconds", 5.0),
}


@pytest.mark.parametrize("prefix", ["MLGIT_", "WANDB_"])
@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_has_its_twin(monkeypatch: pytest.MonkeyPatch, prefix: str, name: str):
    text, field, value = VARIABLES[name]
    monkeypatch.setenv(prefix + name, text)

    assert getattr(wish.settle({}), field) == value


def test_our_own_variable_goes_before_its_twin(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    monkeypatch.setenv("MLGIT_PROJECT", "ours")

    assert wish.settle({}).project == "ours"


def test_a_scripts_own_words_go_before_settings_and_these_before_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WANDB_NAME", "environment")
    monkeypatch.setenv("WANDB_PROJECT", "environment")
    monkeypatch.setenv("WANDB_NOTES", "environment")
    said = wish.settle({"name": "own"}, Settings(run_name="settings", project="settings"))

    assert (said.name, said.project, said.notes) == ("own", "settings", "environment")


def test_setup_says_it_for_every_run():
    wish.setup(Settings(project="p", run_group="g"))

    assert (wish.settle({}).project, wish.settle({"group": "other"}).group) == ("p", "other")


def test_settings_are_a_mapping_or_settings_and_are_read_back():
    settings = Settings(run_name="n", init_timeout=300, x_stats_sampling_interval=2, base_url="https://example.com")

    assert settings.run_name == "n"
    assert settings.init_timeout == 300
    assert settings.run_notes is None
    assert wish.settle({}, settings).system_seconds == 2
    assert wish.settle({}, {"run_name": "m"}).name == "m"
    assert wish.settle({}, Settings(_disable_stats=True)).system_seconds == 0


def test_settings_are_copied_changed_and_told():
    settings = Settings(mode="offline").copy()
    settings.update_from_dict({"project": "p"})

    assert settings.model_dump() == {"mode": "offline", "project": "p"}
    assert (settings.silent, copy.deepcopy(settings).project) == (False, "p")


def test_a_setting_that_is_set_counts_and_is_among_the_pairs():
    settings = Settings(mode="offline")
    settings.project = "p"

    assert wish.settle({}, settings).project == "p"
    assert dict(settings) == {"mode": "offline", "project": "p"}
    with pytest.raises(UsageError, match="no setting 'projet'"):
        settings.projet = "p"


def test_a_tag_counts_once():
    assert wish.settle({"tags": ["a", "a", "b"]}).tags == ("a", "b")


def test_a_run_tells_of_its_settings(inside: Repo):
    with wandb.init(mode="offline") as run:
        assert (run.settings._offline, run.settings.run_id) == (True, run.id)
        assert Path(run.settings.files_dir) == Path(run.dir)


def test_the_settings_of_a_run_are_read_back_as_they_were_given(inside: Repo):
    given = Settings(base_url="https://example.com", x_disable_stats=True, x_label="rank-0", init_timeout=7)

    with wandb.init(project="p", mode="shared", settings=given) as run:
        told = dict(run.settings)

    assert {name: told[name] for name in dict(given)} == dict(given)
    assert (told["project"], told["mode"], told["_shared"], told["reinit"]) == ("p", "shared", True, "default")


def test_the_settings_of_a_run_lead_to_its_places(inside: Repo):
    with wandb.init() as run:
        settings = run.settings
        assert (settings.run_url, settings.project_url, settings.sweep_url) == (run.url, run.project_url, None)
        assert (settings.run_mode, settings.resumed, settings._noop, settings._jupyter) == ("run", False, False, False)
        assert (settings.is_local, len(settings.timespec)) == (True, len("20260102_030405"))
        assert Path(settings.log_dir).is_dir()
        assert Path(settings.wandb_dir) == Path.cwd() / "wandb"
    with wandb.init(mode="disabled") as run:
        assert (run.settings._noop, run.settings.run_url, run.settings.files_dir) == (True, "", "")


def test_a_setting_that_nobody_knows_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match=r"no setting 'run_nam'.*\n.*did you mean run_name"):
        Settings(run_nam="x")
    with pytest.raises(AttributeError):
        _ = Settings().no_such_thing


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"mode": "of"}, "no mode 'of'"),
        ({"resume": "maybe"}, "no resume 'maybe'"),
        ({"reinit": "sometimes"}, "no reinit 'sometimes'"),
    ],
)
def test_a_choice_that_does_not_exist_is_refused(own: dict[str, Any], said: str):
    with pytest.raises(UsageError, match=said):
        wish.settle(own)


@pytest.mark.parametrize(
    ("value", "means"),
    [(None, "default"), (True, "finish_previous"), (False, "return_previous"), ("create_new", "create_new")],
)
def test_reinit_is_a_word_or_a_truth_value(value: Any, means: str):
    assert wish.settle({"reinit": value}).reinit == means


def test_every_wish_has_a_default():
    assert all(field.default is not None or field.name for field in fields(Wish))
    assert wish.settle({}) == Wish()


def test_a_config_comes_from_a_namespace_a_file_or_w_bs_own_form(inside: Repo):
    Path("a.yaml").write_text("lr: 0.1\nlayers: [1, 2]\n")
    Path("b.yaml").write_text("wandb_version: 1\nlr:\n  desc: rate\n  value: 0.2\n")
    seen = []
    for config in (argparse.Namespace(lr=0.3), "a.yaml", Path("b.yaml")):
        with wandb.init(config=config) as run:
            seen.append(run.config.as_dict())

    assert seen == [{"lr": 0.3}, {"lr": 0.1, "layers": [1, 2]}, {"lr": 0.2}]


def test_a_config_of_omegaconf_keeps_its_lists(inside: Repo):
    class Sequence(collections.abc.Sequence):  # OmegaConf's ListConfig is one, and no list
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> int:
            return (3, 4)[index]

    with wandb.init(config={"layers": Sequence(), "deep": {"sizes": Sequence()}}) as run:
        assert run.config.as_dict() == {"layers": [3, 4], "deep": {"sizes": [3, 4]}}


def test_defaults_of_a_file_are_what_a_script_does_not_say(inside: Repo):
    Path("config-defaults.yaml").write_text("lr:\n  value: 0.2\nepochs:\n  value: 3\n")
    with wandb.init(config={"lr": 0.5}) as run:
        assert run.config.as_dict() == {"lr": 0.5, "epochs": 3}


def test_a_config_file_that_is_none_is_told_and_no_run_begins(inside: Repo):
    Path("bad.yaml").write_text("a: [\n")
    for name in ("missing.yaml", "bad.yaml"):
        with pytest.raises(ConfigError, match=name):
            wandb.init(config=name)

    assert wandb.run is None


def test_keys_are_taken_or_left_out(inside: Repo):
    config = {"lr": 0.1, "secret_sauce": 1, "epochs": 2}
    with wandb.init(config=config, config_exclude_keys=["secret_sauce"]) as run:
        assert run.config.as_dict() == {"lr": 0.1, "epochs": 2}
    with wandb.init(config=config, config_include_keys=["lr"]) as run:
        assert run.config.as_dict() == {"lr": 0.1}
    with pytest.raises(UsageError, match="both"):
        wandb.init(config=config, config_include_keys=["lr"], config_exclude_keys=["lr"])


def test_what_cannot_be_stored_of_a_config_is_stored_by_its_name(inside: Repo):
    with wandb.init(config={"loss": argparse.Namespace, "nested": {"kind": dict}}) as run:
        assert run.config.as_dict() == {"loss": "argparse.Namespace", "nested": {"kind": "builtins.dict"}}


def test_allow_val_change_lets_a_config_change(inside: Repo):
    with wandb.init(config={"lr": 0.1}, allow_val_change=True) as run:
        run.config.lr = 0.2
        assert run.config.lr == 0.2


def test_a_name_tags_and_notes_may_be_set_while_it_is_under_way(inside: Repo):
    with wandb.init(project="p") as run:
        run.name = "another"
        run.tags = (*run.tags, "new")
        run.notes = "why"
    (found,) = wandb.Api().runs("p")

    assert (found.name, found.tags, found.notes) == ("another", ["new"], "why")


@pytest.mark.parametrize("variable", ["MLGIT_SILENT", "WANDB_SILENT", "WANDB_QUIET"])
def test_silence_is_kept(inside: Repo, monkeypatch: pytest.MonkeyPatch, capfd: Any, variable: str):
    monkeypatch.setenv(variable, "true")
    wandb.init().finish()

    assert capfd.readouterr().err == ""


def test_settings_may_ask_for_silence(inside: Repo, capfd: Any):
    wandb.init(settings=wandb.Settings(silent=True)).finish()
    silent = capfd.readouterr().err
    wandb.init().finish()

    assert (silent, "finished" in capfd.readouterr().err) == ("", True)


def test_nobody_has_to_log_in(inside: Repo, capfd: Any):
    assert wandb.api.api_key
    assert wandb.Api().api_key
    assert wandb.api.default_entity == wandb.Api().default_entity
    assert wandb.api.viewer()["username"] == wandb.Api().viewer.username == "Ada"
    assert wandb.termlog("said", prefix=False) is None


def test_what_means_nothing_without_a_server_says_so_and_goes_on(inside: Repo, capfd: Any):
    wandb.login(key="0" * 40)
    wandb.init(entity="my-team", force=True, anonymous="must").finish()

    assert capfd.readouterr().err.count("means nothing here") == 1


def test_an_id_is_generated_as_w_b_does():
    assert len(wandb.util.generate_id()) == 8
    assert wandb.util.generate_id() != wandb.util.generate_id()


@pytest.mark.parametrize("there", ["missing", "empty", "repository"])
def test_a_dir_elsewhere_takes_no_run_from_its_repository(inside: Repo, tmp_path: Path, there: str):
    elsewhere = tmp_path / "elsewhere"
    if there != "missing":
        elsewhere.mkdir()
    if there == "repository":
        make_repo(elsewhere)
    with wandb.init(dir=elsewhere) as run:
        assert Path(run.dir).is_dir()

    assert [found.id for found in query.runs(inside)] == [run.id]


def test_outside_of_every_repository_the_one_of_dir_records_the_run(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "plain").mkdir()
    monkeypatch.chdir(tmp_path / "plain")
    with wandb.init(dir=repo.folder) as run:
        pass

    assert [found.id for found in query.runs(repo)] == [run.id]


@pytest.mark.parametrize("text", ["1e300", "inf", "nan", "often"])
def test_a_variable_that_is_no_time_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch, text: str):
    monkeypatch.setenv("MLGIT_SYSTEM_SECONDS", text)

    with pytest.raises(UsageError, match=f"MLGIT_SYSTEM_SECONDS is '{text}'"):
        wish.settle({})
