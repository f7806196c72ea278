"""What a run under way keeps of its models: a file as it is, or an object in a safe format; and how it takes one up."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlgit.errors import UsageError, WrongKindError
from mlgit.tracking.notice import notify
from mlgit.tracking.run.keeping import Kept, Path_, of_path

if TYPE_CHECKING:
    from mlgit.artifacts.artifact import Artifact


class Modelled(Kept):
    """The part of a run that keeps models, which are artifacts of the type `model`."""

    def log_model(
        self, path: Any, name: str | None = None, aliases: Sequence[str] | str | None = None,
        framework: str | None = None, signature: Mapping[str, Any] | None = None, input_example: Any = None,
        metadata: Mapping[str, Any] | None = None, allow_pickle: bool = False, exclude: Sequence[str] | str = (),
    ) -> Artifact:  # fmt: skip
        """Keep a model: the file or folder *path* as it is, or an object in its place, in a safe format.

            run.log_model(classifier, name="churn", input_example=X[:5], aliases=["best"])
            classifier = mlgit.load_model("churn:best")

        An object's format is that of its library, unless *framework* names another: safetensors for PyTorch and
        Transformers, skops for scikit-learn, the own formats of XGBoost, LightGBM, CatBoost, Keras, ONNX, TensorFlow
        and NumPy. With *allow_pickle* anything else is pickled, and marked unsafe for ever, as a file is that holds a
        pickle. What goes in and out is learned by asking the model with *input_example*, or said by *signature*:
        `{"inputs": …, "outputs": …}`, data of that kind; neither is stored. *metadata* is plain data that is kept with
        it. The *name* is that of the file, or `model`; the version is called `latest`, and by the *aliases*. Of a
        folder what *exclude* meets is left out: `["training_args.bin", "checkpoint-*"]`.

        Raises `UsageError` for an object that cannot be stored safely, and for a folder that is empty or that the
        project lies in; else as `log_artifact` does.
        """
        from mlgit.artifacts.artifact import Artifact
        from mlgit.artifacts.staging import Staging
        from mlgit.formats import keeping

        self._journal.check_open("artifacts")
        if isinstance(path, str | os.PathLike):
            asked = {"framework": framework, "signature": signature, "input_example": input_example}
            if unused := [word for word, value in asked.items() if value is not None]:
                notify(f"log_model: {os.fspath(path)} is kept as it is; {', '.join(unused)}: for objects alone")
            return self._log_file(path, name, aliases, metadata, [exclude] if isinstance(exclude, str) else exclude)
        artifact = Artifact(name or "model", "model", metadata=metadata)
        with Staging().alone() as folder:
            keeping.store(
                path, folder, framework=framework, allow_pickle=allow_pickle, signature=signature,
                example=input_example,
            )  # fmt: skip
            artifact.add_dir(folder)
        return self.log_artifact(artifact, aliases=aliases)

    def _log_file(
        self, path: Path_, name: str | None, aliases: Sequence[str] | str | None, metadata: Mapping[str, Any] | None,
        exclude: Sequence[str],
    ) -> Artifact:  # fmt: skip
        artifact, place = of_path(path, name, "model")
        if place is not None and place.is_dir():
            self._check_folder(place)
        if not metadata and not exclude:
            return self.log_artifact(path, name=name, type="model", aliases=aliases)
        artifact.metadata = dict(metadata or {})
        if exclude and place is not None and place.is_dir():
            from mlgit.formats import keeping

            for inner, file in keeping.without(place, exclude).items():
                artifact.add_file(file, inner)
        elif place is not None:
            artifact.add_dir(place) if place.is_dir() else artifact.add_file(place)
        return self.log_artifact(artifact, aliases=aliases)

    def _check_folder(self, place: Path) -> None:
        """Raise `UsageError` for a folder that is no model: one without files, or one that the project lies in."""
        journal = self._journal
        project = (journal.repo.folder / journal.record.folder).resolve()
        if project.is_relative_to(place.resolve()):
            raise UsageError(
                f"{place.resolve()} is no model: the project {journal.project} lies in it, code and data.",
                fix="save the model into a folder of its own and log that, or log the object",
            )
        if not any(names for _, _, names in os.walk(place, followlinks=True)):
            raise UsageError(f"{place} has no file in it.", fix="save the model there first, or log the object")

    def use_model(self, name: str) -> str:
        """Bring a model that was logged; return its path: the file, or the folder where it has several.

            model.load_state_dict(torch.load(run.use_model("digits:best")))

        Raises `NotFoundError`, `WrongKindError` for an artifact that is no model.
        """
        artifact = self.use_artifact(name)
        if "model" not in artifact.type.lower():
            raise WrongKindError(f"{artifact.name} is a {artifact.type}, no model.", fix="use_artifact() takes it")
        return artifact.file() if artifact.file_count == 1 else artifact.download()

    def link_model(
        self, path: Any, registered_model_name: str, name: str | None = None, aliases: Sequence[str] | None = None
    ) -> Artifact | None:
        """Keep *path*, or an object in its place, as a model; link it to the collection *registered_model_name*.

        *name* is that of the artifact, its file's unless given; the *aliases* are those of the link. Returns the
        artifact as it is found there, or None where it could not be kept. Raises as `log_model` does.
        """
        artifact = self.log_model(path, name=name)
        return self.link_artifact(artifact, f"model-registry/{registered_model_name}", aliases)
