"""What is odd about a policy beside the repository that it is for: nothing of it is an error."""

from __future__ import annotations

from fnmatch import fnmatchcase

from mlgit.git.objects import Reader
from mlgit.git.repo import Repo
from mlgit.registry.policy import codeowners
from mlgit.registry.policy.file import Policy
from mlgit.store import registry as store


def remarks(repo: Repo, commit: str | None, policy: Policy) -> list[str]:
    """What a person should know who lets *policy* be that of *commit*, each in a sentence that names the place."""
    known = sorted({*store.models(repo)})
    found = []
    globs = [(rule.models, rule.where) for rule in policy.rules if rule.models != "*"]
    for glob, where in dict(globs).items():
        if not any(fnmatchcase(model, glob) for model in known):
            found.append(f"{where}: no model is called {glob} so far.")
    found += _overlaps(known, policy)
    if commit:
        with repo.reader() as reader:
            found += _left(reader, commit, policy)
            found += _unowned(reader, commit)
    return found


def _overlaps(models: list[str], policy: Policy) -> list[str]:
    """Where several rules for some models ask something of the same one: all of them count."""
    found: dict[tuple[str, ...], str] = {}
    for model in models:
        for stage in policy.stages(model):
            places = tuple(rule.where for rule in policy.asked(model, stage) if rule.models != "*")
            if len(places) > 1:
                told = (
                    f"{places[-1]}: {stage} of {model} is asked by {' and '.join(places[:-1])} too; all of it counts."
                )
                found.setdefault(places, told)
    return list(found.values())


def _left(reader: Reader, commit: str, policy: Policy) -> list[str]:
    """The stages that serve something, and that the policy does not list: nothing moves them any more."""
    return [
        f"{store.stage_path(model, stage)}: {stage} serves {version} of {model}, and {policy.source} lists it no more."
        for (model, stage), version in sorted(store.stages_at(reader, commit).items())
        if stage not in policy.stages(model)
    ]


def _unowned(reader: Reader, commit: str) -> list[str]:
    """That nobody has to review the registry, where the repository is one of GitHub's."""
    files = ((path, reader.blob(f"{commit}:{path}")) for path in codeowners.PLACES)
    place, text = next(((path, text) for path, text in files if text is not None), ("", b""))
    if not place and reader.tree(f"{commit}:.github") is None:
        return []
    owned = (store.POLICY, ".github/workflows/mlgit-settle.yml")
    bare = [path for path in owned if not codeowners.owners(text.decode(errors="replace"), path)]
    fix = "who may write may change what stages ask, or who asks it"
    return [f"{place or codeowners.PLACES[0]}: nobody has to review {path}; {fix}." for path in bare]
