"""What one of two machines made of a run that both went on with, as a run of its own."""

from __future__ import annotations

from dataclasses import replace

from mlgit.core.run import Run
from mlgit.git.repo import Repo
from mlgit.store import files, own, records, result, runs


def renamed(repo: Repo, run: Run, tip: str) -> Run:
    """*run* under an id of its own, with itself as its parent: a commit on its branch's *tip*, no ref moves."""
    apart = own.apart(run, own.Own(ref=run.ref, commits=(run.commit,)))
    _, about = records.run_of_document(runs.provenance(repo, run))
    changes = {runs.place_of(apart, path): text.encode() for path, text in files.documents(apart, about).items()}
    return replace(apart, commit=repo.commit(tip, changes, result.message(apart)))
