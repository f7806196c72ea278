import os
import shutil
import subprocess

import pytest

from tests.conftest import need


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(mlgit, shell):
    script = mlgit("completion", shell).stdout

    assert f"_MLGIT_COMPLETE={shell}_complete" in script


def test_bash_takes_the_script(mlgit):
    bash = shutil.which("bash")
    need("bash", bash is not None)
    script = mlgit("completion", "bash").stdout

    done = subprocess.run([str(bash), "--norc", "-c", f"{script}\ncomplete -p mlgit"], capture_output=True, text=True)

    assert done.returncode == 0
    assert "_mlgit_completion" in done.stdout


def test_a_version_is_one_word_for_bash(mlgit):
    bash = shutil.which("bash")
    need("bash", bash is not None)
    script = mlgit("completion", "bash").stdout

    words = [str(bash), "--norc", "-ic", f'{script}\necho "<$COMP_WORDBREAKS>"']
    shown = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout

    assert "=" in shown
    assert ":" not in shown


def test_subcommands_are_completed(mlgit):
    env = os.environ | {"_MLGIT_COMPLETE": "bash_complete", "COMP_WORDS": "mlgit pr re", "COMP_CWORD": "2"}

    assert set(mlgit(env=env).stdout.split()) == {"plain,ready", "plain,reopen", "plain,review"}


def test_other_shells_are_refused(mlgit):
    done = mlgit("completion", "tcsh", check=False)

    assert done.returncode == 2
    assert "bash" in done.stderr


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["--where", "val/"], ["val/acc", "val/loss"]),
        (["--where", "'lr < 1 and (val/a"], ["lr < 1 and (val/acc"]),
        (["--sort", "val/l"], ["val/loss"]),
        (["--metric", "params.l"], ["params.lr"]),
        (["--where", "stat"], ["state"]),
    ],
)
def test_names_in_conditions_and_orders_are_completed(inside, python, mlgit, words, completed):
    python("-c", "import mlgit; mlgit.init(config={'lr': 1}).log({'val/acc': 1, 'val/loss': 2})")
    env = os.environ | {
        "_MLGIT_COMPLETE": "fish_complete",
        "COMP_WORDS": f"mlgit ls {words[0]}",
        "COMP_CWORD": words[1],
    }

    assert mlgit(env=env).stdout.replace("plain,", "").splitlines() == completed


@pytest.mark.parametrize(("typed", "known_as"), [("sl", "slow-{}"), ("slow-", "slow-{}"), ("exp/p/s", "exp/p/slow-{}")])
def test_a_run_is_completed_as_it_is_listed(inside, python, mlgit, typed, known_as):
    run_id = python("-c", "import mlgit; print(mlgit.init(project='p', name='slow').id)").stdout.split()[-1]
    env = os.environ | {"_MLGIT_COMPLETE": "bash_complete", "COMP_WORDS": f"mlgit show {typed}", "COMP_CWORD": "2"}

    assert mlgit(env=env).stdout == f"plain,{known_as.format(run_id[:6])}\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [("launch --on de", ["desk"]), ("jobs retry x --on d", ["desk", "docker"]), ("sweep run f --on loc", ["local"])],
)
def test_queues_are_completed_before_backends(inside, mlgit, words, completed):
    (inside.folder / "mlgit.yaml").write_text("queues:\n  desk:\n    local: {slots: 2}\n")
    typed = {"COMP_WORDS": f"mlgit {words}", "COMP_CWORD": str(len(words.split()))}

    done = mlgit(env=os.environ | typed | {"_MLGIT_COMPLETE": "bash_complete"})

    assert done.stdout.replace("plain,", "").splitlines() == completed


@pytest.mark.parametrize("words", ["run --resume sl", "run --fork sl", "run --rewind sl", "model register sl"])
def test_a_run_that_is_gone_on_with_or_registered_is_completed(inside, python, mlgit, words):
    python("-c", "import mlgit; mlgit.init(project='p', name='slow')")
    typed = {"COMP_WORDS": f"mlgit {words}", "COMP_CWORD": str(len(words.split()))}

    done = mlgit(env=os.environ | typed | {"_MLGIT_COMPLETE": "bash_complete"})

    assert done.stdout.startswith("plain,slow-")


@pytest.mark.parametrize("words", ["tag +", "show r", "ls --where st", "jobs show x", "sweep show s", "restore r"])
def test_where_there_is_no_repository_no_name_is_completed_and_nothing_said(mlgit, tmp_path, words):
    typed = {"COMP_WORDS": f"mlgit {words}", "COMP_CWORD": str(len(words.split()))}

    done = mlgit(cwd=tmp_path, env=os.environ | typed | {"_MLGIT_COMPLETE": "bash_complete"})

    assert (done.stdout.strip(), done.stderr) == ("", "")
