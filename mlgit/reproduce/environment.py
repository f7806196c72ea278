"""What a run is made again in: which Python, and the variables around it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlgit import errors
from mlgit.core.compare import MISSING, Change, changes
from mlgit.errors import MlgitError
from mlgit.reproduce import container, pylock
from mlgit.reproduce.recipe import Missing, Recipe
from mlgit.tracking import installed, provenance

CHOICES = ("auto", "none", "uv", "docker")
_OURS = ("MLGIT_", "WANDB_")
HEARD = ("MLGIT_SILENT", "MLGIT_QUIET")
"""Those of our own variables that a run that is made again heeds as well."""
_NOT_ITS_OWN = frozenset(("mlgit",))
"""What the one who makes a run again brings along, as it is today."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where a run is to be made again."""

    kind: str
    """`current`: the Python that runs mlgit; `uv`: one made for it; `docker`: one in a container."""
    missing: tuple[Missing, ...] = ()
    """What that lacks."""
    lock: str = ""
    """The `pylock.toml` of what is to be installed; empty where the code has a `uv.lock`, or nothing is made."""
    image: str = ""
    """The container's."""
    python: str = ""
    """The image's own Python, where that has just what the run had and nothing is installed."""


Call = Callable[[Sequence[str], Mapping[str, str]], "subprocess.CompletedProcess[str]"]
"""What runs a command to its end, with these variables besides."""


def here(words: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run *words* on this machine."""
    return subprocess.run(words, capture_output=True, text=True, env={**os.environ, **env}, check=False)


def plan(recipe: Recipe, wanted: str, *, has_lock: bool, image: str = "") -> Plan:
    """What *recipe* is to be made again in, if *wanted* is one of `CHOICES`; a container is one of *image*, if given.

    *has_lock*: whether there is a `uv.lock` beside its command. Else an index is asked for what it had installed.
    """
    if wanted == "docker" or (wanted == "auto" and recipe.image and recipe.image != provenance.image()):
        return _contained(recipe, image or container.image(recipe), has_lock=has_lock)
    differing = list(_differing(recipe))
    if wanted == "none" or (wanted == "auto" and not differing):
        return Plan(kind="current")
    if pylock.uv():
        missing = list(_unnamed(recipe))
        if not missing and not has_lock and not pylock.has_python(recipe.python):
            missing.append(Missing(kind="python", name=recipe.python, why="uv knows none of this version"))
        return _installed(recipe, Plan(kind="uv", missing=tuple(missing)), has_lock=has_lock)
    return Plan(kind="uv", missing=(*differing, _NO_UV) if wanted == "auto" else (_NO_UV,))


_NO_UV = Missing(
    kind="tool", name="uv", why="it makes an environment of what the run had installed",
    fix="pip install uv; or --env none, to take what is installed here",
)  # fmt: skip


def _contained(recipe: Recipe, image: str, *, has_lock: bool) -> Plan:
    """A container of *image*, in which uv installs what *recipe* had, unless the image has it."""
    told = json.loads(container.answer(image, ("python3", "-I", "-c", _TELLS)) or "{}")
    if (
        recipe.packages
        and told.get("python") == recipe.python
        and not package_changes(recipe.packages, told["packages"])
    ):
        lacking = tuple(container.lacking(image, recipe))
        return Plan(kind="docker", missing=lacking, image=image, python=told["executable"])
    missing = [*_unnamed(recipe), *container.lacking(image, recipe), *(() if pylock.uv() else (_NO_UV,))]
    return _installed(recipe, Plan(kind="docker", missing=tuple(missing), image=image), has_lock=has_lock)


def _installed(recipe: Recipe, plan: Plan, *, has_lock: bool) -> Plan:
    """*plan* with the lock of what an index has; what was installed from the run's own code comes with that."""
    if plan.missing or has_lock:
        return plan
    missing: list[Missing] = []
    ours = {*_NOT_ITS_OWN, *(name for name, told in recipe.sources.items() if "path" in told)}
    packages = {name: version for name, version in recipe.packages.items() if name not in ours}
    try:
        lock, lacking = pylock.locked(packages, recipe.sources, python=recipe.python, elsewhere=recipe.elsewhere)
    except MlgitError as exc:
        lock, lacking = "", []
        missing.append(Missing(kind="tool", name="the package index", why=exc.why, fix=exc.fix))
    for name in lacking:
        fix = "UV_INDEX and UV_FIND_LINKS say where else to look; --env none takes what is installed here"
        why = "no index has it"
        if known := [address for some in recipe.elsewhere.values() for address in some]:
            why += f" that answers here; the run knew of {', '.join(known)}"
        elif "+" in packages[name]:
            why += ", and the run recorded none of its own"
        missing.append(Missing(kind="package", name=f"{name}=={packages[name]}", why=why, fix=fix))
    return replace(plan, missing=tuple(missing), lock=lock)


def _unnamed(recipe: Recipe) -> Iterator[Missing]:
    """What the record does not say, and an environment is not made without."""
    if not recipe.python:
        yield Missing(kind="python", name="?", why="its version was not recorded", fix="--env none")
    for name, told in pylock.addressed(recipe.sources)[1].items():
        where = told.get("folder") or told.get("url") or "?"
        why = f"it was installed from {where}, of which no address is known"
        fix = "push that repository, and install it from there; or --env none"
        yield Missing(kind="package", name=name, why=why, fix=fix)
    if not recipe.packages:
        yield Missing(kind="package", name="?", why="what was installed was not recorded", fix="--env none")


def _differing(recipe: Recipe) -> list[Missing]:
    """What the current Python has otherwise than the run had."""
    found: list[Missing] = []
    if recipe.python and recipe.python != platform.python_version():
        found.append(Missing(kind="python", name=recipe.python, why=f"this is Python {platform.python_version()}"))
    for change in package_changes(recipe.packages, installed.packages()):
        name = change.key if change.base is MISSING else f"{change.key}=={change.base}"
        here = "it is not installed" if change.head is MISSING else f"{change.head} is installed"
        found.append(Missing(kind="package", name=name, why=here if change.base is not MISSING else "it had none"))
    return found


def package_changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """The distributions that differ, mlgit itself left aside."""
    return tuple(one for one in changes(_flat(before), _flat(after)) if one.key not in _NOT_ITS_OWN)


def _flat(packages: Mapping[str, str]) -> dict[str, str]:
    return {name.lower().replace("_", "-"): version for name, version in packages.items()}


def make(plan: Plan, recipe: Recipe, *, code: Path, folder: Path, call: Call = here) -> Path:
    """The Python that *plan* wants; one that has to be made, in *folder*, has what the run had installed.

    Where *plan* has no lock, that is what the `uv.lock` beside the command says, in *code*, the run's. *call* runs uv,
    where the Python is to run. Raises `MlgitError` where uv fails.
    """
    if plan.kind == "current" or plan.python:
        return Path(plan.python or sys.executable)
    python = folder / "bin" / "python"
    _uv(call, "venv", "--no-project", "--python", recipe.python, str(folder))
    if plan.lock:
        lock = folder / "pylock.toml"
        lock.write_text(plan.lock)
        _uv(call, "pip", "sync", "--preview-features", "pylock", "--python", str(python), str(lock))
    else:
        project = str(code / recipe.cwd)
        _uv(call, "sync", "--frozen", "--project", project, env={"UV_PROJECT_ENVIRONMENT": str(folder)})
    _bring_mlgit(python)
    return python


def _uv(call: Call, *words: str, env: Mapping[str, str] | None = None) -> None:
    done = call((pylock.needed_uv(), *words, "--quiet"), env or {})
    if done.returncode:
        fix = "--env none takes what is installed here"
        raise MlgitError(f"uv {words[0]} failed.", why=done.stderr.strip()[-1500:], fix=fix)


def our_own() -> list[Path]:
    """This very mlgit: its package, and what tells of it where it is installed."""
    package = Path(errors.__file__).parent
    return [package, *(package.parent.glob("mlgit-*.dist-info") if "site-packages" in package.parts else ())]


def link_mlgit(folder: Path) -> None:
    """Let this very mlgit lie in *folder*, and nothing else, for a Python that is told to look there."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in our_own():
        (folder / path.name).symlink_to(path)


def _bring_mlgit(python: Path) -> None:
    """Let *python* find this very mlgit, which reads and writes the run; what it needs was installed beside it then."""
    package, *about = our_own()
    places = next((python.parent.parent / "lib").glob("python*")) / "site-packages"
    if not about:
        (places / "mlgit.pth").write_text(f"{package.parent}\n")
    for path in (package, *about) if about else ():
        if not (places / path.name).exists():
            (places / path.name).symlink_to(path)


def variables(recipe: Recipe, python: Path, *, user: Path | None, code: Path) -> dict[str, str]:
    """The environment for the program: ours, with the variables that were recorded, and none that would be instead.

    *python* comes first on the path. What leads into the *user*'s work tree leads into *code*, where this run's code
    is; so do packages that are installed from there, for editing.
    """
    recorded = provenance.variables(provenance.ENVIRONMENT)
    env = {
        name: value for name, value in os.environ.items()
        if name in HEARD or not (name in recorded or name.startswith(_OURS) or name == "PYTHONHOME")
    }  # fmt: skip
    env |= recipe.environment
    env["PATH"] = os.pathsep.join((str(python.parent), os.environ.get("PATH", os.defpath)))
    env["PWD"] = str(code / recipe.cwd)
    if (python.parent.parent / "pyvenv.cfg").exists():
        env["VIRTUAL_ENV"] = str(python.parent.parent)
    paths = [_moved(part, user, code) for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    paths += [place for part in _edited() if (place := _moved(part, user, code)) != part and Path(place).is_dir()]
    env.pop("PYTHONPATH", None)
    return env | ({"PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))} if paths else {})


def surroundings(
    plan: Plan, recipe: Recipe, python: Path, env: Mapping[str, str], call: Call = here
) -> dict[str, Any]:  # fmt: skip
    """What the record of a run in *python* and *env* says of these: asked there, where it is not this process's own."""
    told: dict[str, Any] = {"environment": provenance.variables((*provenance.ENVIRONMENT, *recipe.environment), env)}
    if plan.kind == "current":
        return told
    done = call((str(python), "-I", "-c", _TELLS), env)
    if done.returncode:
        raise MlgitError("The Python that was made does not run.", why=done.stderr.strip()[-1500:], fix="--env none")
    found: dict[str, Any] = json.loads(done.stdout)
    del found["executable"]
    return told | found


_TELLS = """
import json, os, platform, sys
packages = {}
for place in filter(os.path.isdir, reversed(sys.path)):
    for entry in os.listdir(place):
        name, _, version = entry.removesuffix(".dist-info").rpartition("-")
        if name and entry.endswith(".dist-info"):
            packages[name.lower().replace("_", "-")] = version
libc = os.confstr("CS_GNU_LIBC_VERSION") if "CS_GNU_LIBC_VERSION" in os.confstr_names else ""
runtime = {"implementation": sys.implementation.name, "abi": f"{sys.implementation.cache_tag}{sys.abiflags}"}
runtime |= {"platform": sys.platform, "libc": libc}
about = {"executable": sys.executable, "python": platform.python_version(), "runtime": runtime}
about["packages"] = dict(sorted(packages.items()))
print(json.dumps(about))
"""
"""What a Python says of itself, as `installed.interpreter` does: there may be nothing there that mlgit needs."""


def _edited() -> list[str]:
    """Where packages may lie that are installed for editing: on Python's path, or with a finder of setuptools'."""
    own = {str(Path.cwd()), str(Path(sys.argv[0]).parent)}
    paths = [part for part in sys.path if part not in own and "site-packages" not in part]
    finders = [module for name, module in sys.modules.items() if name.startswith("__editable__")]
    return paths + [str(Path(place).parent) for one in finders for place in getattr(one, "MAPPING", {}).values()]


def _moved(part: str, user: Path | None, code: Path) -> str:
    """The place *part*; in *code* where it lies in the *user*'s work tree."""
    path = Path(part)
    if user is None or not path.is_absolute() or not path.resolve().is_relative_to(user.resolve()):
        return part
    return str(code / path.resolve().relative_to(user.resolve()))
