"""A model as a script takes it up: by the name of an artifact or of a registered version, verified, as an object."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlgit.artifacts import bringing, log
from mlgit.artifacts.artifact import Artifact
from mlgit.artifacts.catalog import Held
from mlgit.core.model import ModelVersion
from mlgit.core.model_card import ModelCard
from mlgit.errors import NotFoundError, WrongKindError
from mlgit.formats import loading
from mlgit.formats.frameworks import Trust
from mlgit.registry import deliver
from mlgit.registry.trust import vouching
from mlgit.registry.versions import shelf
from mlgit.store import place as places
from mlgit.store import registry as store
from mlgit.store.place import Place
from mlgit.tracking import session


def load_model(name: str, *, allow_pickle: bool = False, trusted: str | Sequence[str] = ()) -> Any:
    """The model *name* as an object, every byte verified; the run that is under way, if any, remembers that it used it.

        classifier = mlgit.load_model("churn@production")

    It is named as an artifact (`churn:latest`, `churn:best`, `project/churn:v3`) or as a registered model
    (`churn@v1.2.0`, `churn@production`; `churn` is what production serves, else its latest). What `log_model` stored
    comes back as it was; of PyTorch's modules their state, for `load_state_dict`. No code that came with the model runs
    unless *allow_pickle*; *trusted* names classes beside scikit-learn's that a skops file may make. A deprecated
    version comes with a warning.

    Raises `NotFoundError`, `UsageError` for an unsafe model, `MlgitError` for bytes that are not what was logged, or a
    signature that is not of the trusted key that it names.
    """
    home = _place()
    found = _find(home, name)
    _remember(home, found)
    if isinstance(found, ModelVersion):
        if said := shelf.deprecated(home.repo, found):
            warnings.warn(f"{said}.", stacklevel=2)
        folder = bringing.top_folder() / f"{found.model}-{found.version}"
        bringing.leave_out_of_git(folder)
        target = deliver.deliver(home.repo, found, folder)
        vouching.vouched(home.repo, found, target, store.base_name(home.repo))
    else:
        artifact = Artifact.of(home.repo, found)
        target = Path(artifact.file() if artifact.file_count == 1 else artifact.download())
    card = _card(home, found)
    loading.verify(target, card.sha256)
    types = (trusted,) if isinstance(trusted, str) else tuple(trusted)
    return loading.load(target, card, Trust(pickle=allow_pickle, types=types))


def model_card(name: str) -> ModelCard:
    """What is known of the model *name*, named as for `load_model`: its format, size, inputs, and whether it is unsafe.

        mlgit.model_card("churn@production").check_input(frame)

    Raises `NotFoundError`.
    """
    home = _place()
    return _card(home, _find(home, name))


def _place() -> Place:
    home = places.of_reader(places.here())
    if home is None:
        raise NotFoundError(f"{Path.cwd()} is in no git repository.", fix="cd into your project")
    return home


def _find(home: Place, name: str) -> ModelVersion | Held:
    model = name.partition("@")[0].partition("#")[0]
    if ":" not in name and "/" not in name and shelf.has(home.repo, model):
        return shelf.find(home.repo, name, base=store.base_name(home.repo))
    run = session.current()
    try:
        held = log.find(home.repo, name, project=run.project if run else home.meant)
    except NotFoundError as exc:
        if "@" not in name:
            raise
        raise NotFoundError(
            f"There is no registered model {model[:120]!r}, and no artifact {name[:120]!r}.", why=exc.what,
            fix=f"mlgit model register RUN --name {model[:120]}, or name an artifact: NAME:latest",
        ) from exc  # fmt: skip
    if "model" not in held.version.type.lower():
        raise WrongKindError(f"{held.name} is a {held.version.type}, no model.", fix="use_artifact() takes it")
    return held


def _card(home: Place, found: ModelVersion | Held) -> ModelCard:
    """Its card; of a model that was logged before there were cards, by its bytes."""
    if isinstance(found, Held):
        return found.version.card or log.described(home.repo, found.version, folder=found.folder)
    if found.card:
        return replace(found.card, sha256=found.sha256, size=found.size)
    with suppress(NotFoundError):
        return _card(home, _held(home, found))
    return ModelCard(sha256=found.sha256, size=found.size)


def _held(home: Place, version: ModelVersion) -> Held:
    """The artifact that was registered as *version*. Raises `NotFoundError` where no run tells of it any more."""
    return log.find(home.repo, f"{version.project}/{version.artifact}:{version.hash}")


def _remember(home: Place, found: ModelVersion | Held) -> None:
    if (run := session.current()) is None:
        return
    with suppress(NotFoundError):
        held = found if isinstance(found, Held) else _held(home, found)
        run.use_artifact(Artifact.of(home.repo, held))
