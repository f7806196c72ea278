"""A canary: pickles that say so when anything loads them lie wherever mlgit reads, and every command runs over them."""

from __future__ import annotations

import ast
import os
import pickle
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mlgit.cli import root
from mlgit.cli.lazily import Lazily
from mlgit.errors import MlgitError
from mlgit.git.repo import Repo
from tests.conftest import make_repo

Script = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = Path(__file__).parents[2]
ARTIFACT = "evil:latest"

# What each command is called with; one that is not here is called with the run, or below `data` and `model` with the
# artifact. `planted` has registered p@v1.0.0 and opened #1 for the run and #2 for its promotion.
WORDS: dict[str, Sequence[str]] = {
    "affected": ("evil:v0",),
    "archive": ("evil", "--dry-run"),
    "ci plan": ("--run", "lr=1", "-o", "../plan.json"),
    "ci trial": ("--plan", "../plan.json", "--job", "0", "--to", "../handed"),
    "ci comment": (),
    "ci collect": ("--plan", "../plan.json", "../handed"),
    "commit": ("--run", "lr=1", "--dry-run", "--", "--all"),
    "checkout": ("evil", "--to", "../as-it-ran"),
    "compare": ("evil", "other"),
    "ci cancel": ("--yes",),
    "ci check": ("--local",),
    "ci dispatch": (),
    "ci gates": (),
    "ci init": (),
    "ci logs": (),
    "ci ls": (),
    "ci promote": ("--plan", "../plan.json"),
    "ci report": (),
    "ci run": ("--command", "true"),
    "ci retry": (),
    "ci settle": (),
    "ci status": (),
    "ci upgrade": (),
    "ci watch": (),
    "completion": ("bash",),
    "data add": ("data/other.csv", "--name", "evil"),
    "data diff": ("evil:v0", "data/other.csv"),
    "data gc": ("--dry-run",),
    "data ls": (),
    "data status": (),
    "data tag": ("evil:v0", "+gold"),
    "demo": ("--help",),  # in a repository of its own
    "diff": ("evil", "other"),
    "doctor": (),
    "env freeze": ("--json",),  # without it, uv asks an index
    "export": ("--files", "--artifacts", "--history", "--to", "../out.zip"),
    "fsck": ("--repair",),
    "freeze": (),
    "gc": ("--dry-run",),
    "group": ("evil", "some"),
    "hold": ("p", "staging"),
    "login": (),
    "import dvclive": ("live",),
    "import mlflow": ("mlruns",),
    "import tensorboard": ("logs",),
    "import wandb": ("wandb",),
    "init": (),
    "jobs cancel": ("latest",),
    "jobs logs": ("latest",),
    "jobs ls": (),
    "jobs prune": ("--dry-run",),
    "jobs retry": ("latest", "--wait"),
    "jobs show": ("latest",),
    "launch": ("--wait", "--", "true"),
    "ls": ("--json",),
    "model alias": ("p@v1.0.0", "gold", "--pr"),
    "model card": ("p@v1.0.0",),
    "model compare": ("p@v1.0.0", "signed@v1.0.0"),
    "model deprecate": ("signed@v1.0.0", "--why", "old"),
    "model get": ("p@v1.0.0", "--to", "../model"),
    "model history": ("p",),
    "model ls": (),
    "model register": ("evil", "--artifact", "folder", "--name", "q"),
    "model show": ("p@v1.0.0",),
    "model sign": ("signed@v1.0.0", "--key", "../key.pem"),
    "model unregister": ("q@v1.0.0",),
    "model versions": ("p",),
    "model verify": ("p@v1.0.0",),
    "note": ("evil", "a word"),
    "policy check": (),
    "policy explain": ("p@v1.0.0", "production"),
    "policy init": (),
    "pr checks": ("1",),
    "pr close": ("2",),
    "pr comment": ("1", "-m", "a word"),
    "pr diff": ("1",),
    "pr edit": ("1", "-t", "a title"),
    "pr ls": (),
    "pr merge": ("1",),
    "pr open": ("evil",),
    "pr ready": ("1",),
    "pr reopen": ("2",),
    "pr review": ("1", "--comment", "-m", "a word"),
    "pr show": ("1",),
    "promote": ("p@v1.0.0", "production"),
    "purge": ("another", "--dry-run"),
    "push": (),
    "pull": (),
    "queues": (),
    "recover": (),
    "registry automations": (),
    "registry log": (),
    "registry observe": ("eu", "p@production", "--version", "v1.0.0"),
    "registry reconcile": (),
    "registry status": (),
    "registry verify": ("--bytes",),
    "rename": ("other", "another"),
    "report": ("--base", "another", "--head", "evil", "--dry-run"),
    "restore": ("--list",),
    "rm": ("evil", "--dry-run"),
    "rollback": ("p", "staging"),
    "run": (),
    "runner ls": (),
    "runner start": ("--on", "local"),
    "runner stop": ("--all",),
    "show": ("evil", "--media", "--into", "../pictures"),
    "sweep agent": ("latest",),
    "sweep cancel": ("latest",),
    "sweep check": ("sweep.yaml",),
    "sweep create": ("sweep.yaml",),
    "sweep ls": (),
    "sweep pause": ("latest",),
    "sweep resume": ("latest",),
    "sweep run": ("sweep.yaml", "--dry-run"),
    "sweep status": ("latest",),
    "sweep stop": ("latest",),
    "sync": (),
    "tag": ("evil", "+x"),
    "unfreeze": (),
    "watch": ("--once",),
}
# These may end before they look into anything.
REFUSES = {
    "checkpoint": "no run is under way",
    "ci check": "what was just written is in no commit",
    **dict.fromkeys(
        [f"ci {verb}" for verb in "cancel comment dispatch gates logs ls report retry settle status watch".split()],
        "no pull request lives on GitHub",
    ),
    "registry status": "what was observed is what no stage serves",
    **dict.fromkeys(("hold", "rollback"), "no stage serves anything"),
    "import dvclive": "a pickle is none of DVCLive's folders",
    "import mlflow": "nor one of MLflow's",
    "model sign": "the library for it may be missing",
    "pr merge": "what the others changed lies in its way",
    **dict.fromkeys([f"runner {verb}" for verb in ("ls", "start", "stop")], "no pull request lives on GitHub"),
    **dict.fromkeys(
        (
            "sweep agent",
            "sweep apply",
            "sweep best",
            "sweep cancel",
            "sweep pause",
            "sweep report",
            "sweep resume",
            "sweep show",
            "sweep status",
            "sweep stop",
        ),
        "no sweep was run",
    ),
    "unarchive": "no run is archived",
    "unfreeze": "nothing is frozen before that is merged",
}


class Canary:
    """It sings when it is loaded: a folder is there then."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.place),)

    @property
    def egg(self) -> bytes:
        """The pickle."""
        return pickle.dumps(self)

    def has_sung(self) -> bool:
        return self.place.exists()


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path / "song")


@pytest.fixture
def planted(repo: Repo, canary: Canary, mlgit: Script, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Repo:
    """A project with a DVC pipeline, two runs and a remote, and canaries in all that they left."""
    monkeypatch.chdir(repo.folder)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    egg = repr(canary.egg)
    (repo.folder / "evil.py").write_text(f"""\
import mlgit, pathlib
egg = {egg}
run = mlgit.init(name="evil")
for name in ("model.pkl", "folder/a.pt", "folder/b.npy", "saved.joblib"):
    path = pathlib.Path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(egg)
run.log_artifact("model.pkl", name="evil", type="model")
run.log_artifact("folder", name="folder", type="model")
run.save("saved.joblib")
run.log({{"accuracy": 1, "picture": mlgit.Image("white.png")}})
""")
    files = {
        "dvc.yaml": """\
stages:
  make:
    cmd: cp data/evil.csv made.pkl; cp lr.json metrics.json
    deps: [data/evil.csv]
    params: [lr]
    outs: [made.pkl]
    metrics: [{metrics.json: {cache: false}}]
""",
        "params.yaml": "lr: 0.1\n", "lr.json": "{\"loss\": 1}\n", "mlgit.yaml": "project: p\n",
        "sweep.yaml": "method: grid\nparameters: {lr: {values: [1]}}\ncommand: [dvc, repro]\n",
    }  # fmt: skip
    for name, text in files.items():
        (repo.folder / name).write_text(text)
    subprocess.run([sys.executable, "-c", "import PIL.Image as i; i.new('RGB', (2, 2)).save('white.png')"], check=True)
    for place in (
        "data/evil.csv",
        "live/model.pkl",
        "mlruns/0/model.pkl",
        "logs/events.out.tfevents.1",
        "wandb/run-1.wandb",
    ):
        (repo.folder / place).parent.mkdir(parents=True, exist_ok=True)
        (repo.folder / place).write_bytes(canary.egg)
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    stock = ("init", "-q"), ("remote", "add", "-q", "-d", "far", str(tmp_path / "far")), ("add", "-q", "data/evil.csv")
    for words in stock:
        subprocess.run(["dvc", *words], check=True)
    repo.git("add", "-A")
    repo.git("commit", "-qm", "evil")
    (repo.folder / "data/other.csv").write_bytes(canary.egg + b"0,1")
    repo.git("remote", "add", "origin", str(make_repo(tmp_path / "far.git", commit=False, bare=True).folder))
    mlgit("run", "--", "python", "evil.py")
    mlgit("run", "-n", "other", "--", "true")
    for name in ("p", "signed"):
        mlgit("model", "register", "evil", "--artifact", "evil", "--name", name)
    mlgit("pr", "open", "evil")
    mlgit("promote", "p@v1.0.0", "staging")
    for words in (("repro", "-q"), ("push", "-q"), ("checkout", "-q")):
        subprocess.run(["dvc", *words], check=True)
    for database in [*tmp_path.glob("site/**/cache.db"), *repo.folder.glob(".dvc/**/cache.db")]:
        poison(database, canary.egg)
    for memory in (*repo.own.glob("hashes/*"), *repo.own.glob("seen.json")):
        memory.write_bytes(canary.egg)
    return repo


def poison(database: Path, egg: bytes) -> None:
    """Let every value, and one more key, in a database of diskcache be a pickle."""
    with sqlite3.connect(database) as link:
        link.execute("UPDATE Cache SET mode = 4, value = ?, filename = NULL", (egg,))
        link.execute("INSERT INTO Cache(key, raw, store_time, mode, value) VALUES (?, 0, 0, 4, ?)", (egg, egg))


def commands(click_group: click.Group, *above: str) -> Iterator[tuple[str, ...]]:
    """Every command, and every command below one."""
    context = click.Context(click_group)
    for name in click_group.list_commands(context):
        found = click_group.get_command(context, name)
        assert found
        if isinstance(found, click.Group):
            yield from commands(found, *above, name)
        else:
            yield (*above, name)


def test_no_command_loads_a_pickle(planted: Repo, canary: Canary, mlgit: Script, capsys: pytest.CaptureFixture[str]):
    assert isinstance(root, Lazily)
    refused: dict[str, str] = {}
    for words in commands(root):
        name = " ".join(words)
        given = WORDS.get(name, (ARTIFACT,) if words[0] in ("data", "model") else ("evil",))
        try:
            if words[0] == "run":
                mlgit(*words, *given)
            else:
                root.main([*words, *given], standalone_mode=False)
        except SystemExit:
            pass
        except (MlgitError, click.ClickException, click.exceptions.Exit, click.Abort) as exc:
            refused[name] = str(exc)
        assert not canary.has_sung(), name

    unseen = [f"{name}: {why}" for name, why in refused.items() if name not in REFUSES]
    assert "\n".join(unseen) == ""  # else give them other WORDS


def test_the_canary_sings_for_who_loads_what_dvc_keeps(canary: Canary, tmp_path: Path, python: Script):
    code = f"import dvc_data.hashfile.cache as c; cache = c.Cache({str(tmp_path / 'links')!r})"
    python("-c", f"{code}; cache['link'] = (1, '2')")
    poison(tmp_path / "links" / "cache.db", canary.egg)
    code += "; print(list(cache))"
    guarded = f"from mlgit.dvc.pipelines import plainly; plainly.guard()\n{code}"

    careful = subprocess.run([sys.executable, "-c", guarded], capture_output=True, text=True, check=False)
    assert "DiskError" in careful.stderr
    assert not canary.has_sung()

    subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert canary.has_sung()


def test_what_dvc_itself_keeps_is_still_read(tmp_path: Path, python: Script):
    code = f"""
from mlgit.dvc.pipelines import plainly
plainly.guard()
plainly.guard()
from dvc_data.hashfile.cache import Cache
cache = Cache({str(tmp_path)!r})
cache["link"], cache[1, "a"] = (12, "1.5"), "x" * 100_000
print([(key, cache[key] if key == "link" else len(cache[key])) for key in cache])
"""

    assert python("-c", code).stdout == "[('link', (12, '1.5')), ((1, 'a'), 100000)]\n"


# Who may: load_model(…, allow_pickle=True), where a person has said so.
UNPICKLING = {"mlgit/formats/frameworks/pickle.py"}
NEVER = re.compile(
    r"(c?pickle|cloudpickle|dill|joblib|torch|marshal|.*library\('(joblib|torch)'\))\.loads?|.*\.read_pickle|.*Unpickler"
    r"|.*\.(extract|extractall|unpack_archive)|eval|exec"
)


def test_nothing_of_ours_unpickles_or_unpacks():
    found = {
        f"{path.relative_to(ROOT)}: {ast.unparse(node.func)}"
        for path in (ROOT / "mlgit").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and NEVER.fullmatch(ast.unparse(node.func))
        if str(path.relative_to(ROOT)) not in UNPICKLING
    }

    assert not found
