"""What can go wrong, said so that the reader can mend it.

Raise these for anything the user can act on; let everything else be a bug and show its traceback.
There is one class per way of *handling* an error, not one per message.
"""

from __future__ import annotations


class MlgitError(Exception):
    """A problem with a remedy, and the class of all that mlgit raises by itself; `wandb.Error` in W&B's words.

    Its text is *what* happened, *why*, and how to *fix* it. The command line prints it and exits with `exit_code`.
    """

    exit_code = 1

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        self.what, self.why, self.fix = what, why, fix
        super().__init__("\n".join(filter(None, (what, why, fix and f"To fix: {fix}"))))

    @property
    def message(self) -> str:
        """All that it says: W&B's name for it."""
        return str(self)


Error = MlgitError
"""W&B's name for it."""


class UsageError(MlgitError, ValueError):
    """A call or a command that says what cannot be: a wrong name, type or combination.

    Much of it is a plain `ValueError` in W&B, which scripts catch.
    """

    exit_code = 2


class HeldError(UsageError):
    """A stage is held: what moves it by itself leaves it alone, a person may lift that."""


class WrongKindError(UsageError, TypeError, AssertionError):
    """What was given is of another kind than is asked for: W&B says so by a `TypeError`, or by an `AssertionError`."""


class ArtifactStateError(UsageError, AttributeError):
    """An artifact is no draft any more, or still one; `hasattr` and `getattr` with a default go on."""


class NotLoggedError(ArtifactStateError):
    """A draft is asked for what only a version has."""


class FinalizedError(ArtifactStateError):
    """Something is to be changed in an artifact that is finished."""


class ConfigError(UsageError):
    """A document in the repository does not say what its schema asks; `what` begins with `file:line: key.path:`."""


class CommError(MlgitError):
    """What could not be had from where runs are kept, in W&B's words: it is not there, or git refused.

    *exc* is what was raised there, as W&B has it.
    """

    def __init__(self, what: str, exc: Exception | None = None, *, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.exc = exc


class NotFoundError(CommError, ValueError):
    """What was named does not exist; callers that can do without it go on. A `ValueError` too, as some are in W&B."""


class TrialPruned(BaseException):
    """Raised by `log()` in a trial that its sweep ends early: no error, so that who catches those lets it pass."""


class GitError(CommError):
    """Git refused."""

    exit_code = 3


class RefMovedError(GitError):
    """A ref was not where it was expected: somebody else moved it first. Read anew and try again."""


class UnreachableError(GitError):
    """A remote did not answer, or not to the end: it may have done what it was asked for, and may answer next time."""


class OutOfReachError(GitError):
    """A remote is not to be reached from here, now: nothing was asked, and what it said before is all there is."""


class RefusedError(MlgitError):
    """A remote was reached, and does not want what it was to get: a hook or a right there says no."""


class SilentError(CommError):
    """A store of bytes, or what runs jobs, does not answer in time: who asked again would wait as long once more."""


class AwayError(SilentError):
    """Nobody is there who could be asked: nothing was sent."""


class GateFailedError(MlgitError):
    """A candidate does not clear the bar for its stage."""

    exit_code = 4


class AuthenticationError(CommError):
    """W&B's, for scripts that catch it: nobody has to log in here, so nothing raises it."""


class UnsupportedError(UsageError):
    """W&B's, for scripts that catch it; nothing raises it."""


class WandbCoreNotAvailableError(MlgitError):
    """W&B's, for scripts that catch it: there is no such program here to miss."""
