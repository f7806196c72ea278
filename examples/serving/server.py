"""Predictions by whatever production serves: a newer version is taken up while the older one still answers.

    MLGIT_REPO=https://github.com/acme/churn uvicorn server:app

MODEL is what is served, SECONDS how often it is asked whether that has changed. In an image that the model was copied
into, MODEL_DIR is its folder, `model.json` beside it what `mlgit model get --json` said, and mlgit is not needed.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel

MODEL = os.environ.get("MODEL", "churn@production")
SECONDS = float(os.environ.get("SECONDS", "30"))
FOLDER = os.environ.get("MODEL_DIR")
log = logging.getLogger("uvicorn.error")


@dataclass(frozen=True)
class Served:
    """A version, ready to predict."""

    version: str
    weights: Mapping[str, Any]
    away: str = ""
    """Why nobody could be asked whether it is still the one."""

    def predict(self, rows: list[list[float]]) -> list[float]:
        """A linear model: yours calls its own library."""
        scores: list[float] = (np.asarray(rows) @ self.weights["w"] + self.weights["b"]).tolist()
        return scores


def newest(now: Served | None) -> Served:
    """What is to be served; *now* itself where that has not changed, and nothing is loaded."""
    if FOLDER:
        told = json.loads(Path(FOLDER).with_suffix(".json").read_text())
        return now or Served(told["version"], dict(np.load(next(Path(FOLDER).glob("*.npz")))))
    import mlgit

    model = mlgit.models.get(MODEL)
    if now and model.version == now.version:
        return replace(now, away=model.away)
    log.info("%s %s is served", model.name, model.version)
    return Served(model.version, model.load(), model.away)


class _State:
    now: Served


def follow(stop: threading.Event) -> None:
    """Take up newer versions until *stop*; what serves goes on serving where one cannot be had."""
    import mlgit

    while not stop.wait(SECONDS):
        try:
            _State.now = newest(_State.now)
        except mlgit.Error as exc:
            log.warning("%s is not looked for: %s", MODEL, exc)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Nothing answers before there is a model."""
    _State.now = newest(None)
    stop = threading.Event()
    follower = threading.Thread(target=follow, args=(stop,))
    if not FOLDER:
        follower.start()
    yield
    stop.set()
    if not FOLDER:
        follower.join()


app = FastAPI(lifespan=lifespan)


class Rows(BaseModel):
    """What is asked."""

    rows: list[list[float]]


@app.post("/predict")
def predict(asked: Rows) -> dict[str, Any]:
    """The predictions, and the version that made them."""
    served = _State.now
    return {"version": served.version, "predictions": served.predict(asked.rows)}


@app.get("/health")
def health() -> dict[str, str]:
    """What is served."""
    return {"model": MODEL, "version": _State.now.version, "away": _State.now.away}
