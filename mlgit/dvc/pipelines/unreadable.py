"""DVC's complaint about `dvc.yaml`, `dvc.lock` or a `.dvc` file, as one error that begins with `file:line:`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlgit.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from dvc.utils.strictyaml import YAMLSyntaxError, YAMLValidationError

_CONFLICT = "It holds two sides of a merge that git could not bring together."
_TAKE_ONE = "take either side, `git checkout --ours {file}`; the stages bring it in line again"


def error(exc: Exception) -> UsageError:
    """What to raise for *exc*, which DVC raised as it read the stages of a project."""
    from dvc.utils.strictyaml import YAMLSyntaxError, YAMLValidationError

    if isinstance(exc, YAMLSyntaxError):
        return _of_syntax(exc)
    if isinstance(exc, YAMLValidationError):
        return _of_schema(exc)
    why = str(exc).strip()
    if isinstance(cause := exc.__cause__, YAMLSyntaxError | YAMLValidationError):
        return error(cause)
    return UsageError("The stages cannot be read.", why=why)


def _of_syntax(exc: YAMLSyntaxError) -> UsageError:
    parsing = exc.exc.__cause__ or exc.exc
    mark = getattr(parsing, "problem_mark", None) or getattr(parsing, "context_mark", None)
    problem = str(getattr(parsing, "problem", None) or parsing).partition("\n")[0].strip()
    file = exc.relpath.removeprefix("./")
    where = f"{file}:{mark.line + 1 if mark else 1}: {problem}"
    if exc.hint:
        return ConfigError(where, why=_CONFLICT, fix=_TAKE_ONE.format(file=file))
    return ConfigError(where)


def _of_schema(exc: YAMLValidationError) -> UsageError:
    from dvc.utils.serialize import parse_yaml_for_update
    from dvc.utils.strictyaml import determine_linecol

    first = exc.exc.errors[0]
    data = parse_yaml_for_update(exc.text, exc.path)
    line = determine_linecol(data, list(first.path))[0] if isinstance(data, dict) else None
    where = ".".join(map(str, first.path))
    more = len(exc.exc.errors) - 1
    why = f"{more} more of it {'is' if more == 1 else 'are'} wrong, too." if more else ""
    file = exc.path.removeprefix("./")
    return ConfigError(f"{file}:{line or 1}: {f'{where}: ' if where else ''}{first.error_message}", why=why)
