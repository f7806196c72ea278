"""The page of a stage, for machines without git: what it serves, since when, and where the bytes are (pure).

It is derived from the tags, and never written by hand. That of a stage that was emptied stays, and says so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mlgit.core.artifact import is_hash
from mlgit.core.model import ModelVersion
from mlgit.documents.reader import load
from mlgit.documents.writer import as_data
from mlgit.dvc.addresses import Address
from mlgit.errors import ConfigError, UsageError
from mlgit.registry import ledger
from mlgit.registry.decision import Decision
from mlgit.registry.ledger import Event
from mlgit.store import records

SCHEMA = 1
_LARGEST = 4 << 20
"""Bytes of a page; it names every file of its model."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page, read."""

    model: str
    stage: str
    version: ModelVersion | None
    """What the stage serves; None for nothing."""
    since: str = ""
    """A time of UTC, ISO 8601."""
    tag: str = ""
    """The tag that says so: its count goes up with each thing that is done to the model."""
    store: Address | None = None
    deprecated: str = ""

    @property
    def count(self) -> int:
        """Of its tag: of two pages, the one with the higher count is the later."""
        number = self.tag.rpartition("#")[2]
        return int(number) if number.isdecimal() and len(number) < 10 else 0


def text(
    event: Event, version: ModelVersion | None, *, why: Decision | None, store: Address | None, deprecated: str
) -> bytes:
    """The page of the stage to which *event*, the last, was done; *version*: what it serves since, *why* it does."""
    told: dict[str, Any] = {
        "schema": SCHEMA, "model": event.model, "stage": event.stage, "version": version and version.version,
        "since": records.moment(event.tag.when), "tag": event.tag.name,
    }  # fmt: skip
    if version:
        told |= {
            "digest": version.hash, "pull": why.origin.pull if why else None, "merged": why.commit if why else None,
            "deprecated": deprecated or None, "store": as_data(store) if store else None,
            "object": store.of(version.hash) if store else None, "record": as_data(version),
        }  # fmt: skip
    plain = json.loads(records.encode(told))
    return f"{json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()


def read(content: bytes, *, source: str) -> Page:
    """The page that *content* is. Raises `ConfigError` for what is none, or is of a newer mlgit."""
    try:
        if len(content) > _LARGEST:
            raise ValueError(f"it has {len(content):,} bytes")
        told = json.loads(content)
        if told["schema"] != SCHEMA:
            raise ConfigError(f"{source} is of another mlgit than this: schema {str(told['schema'])[:20]}.",
                              fix="upgrade the older one")  # fmt: skip
        record = told.get("record")
        version = load(json.dumps(record), ModelVersion, source=source) if record else None
        store = Address(**{key: str(value) for key, value in told["store"].items()}) if told.get("store") else None
        if version and (not is_hash(version.hash) or version.version != told["version"] or not version.sha256):
            raise ValueError("its record is of something else")
        if version:
            ledger.version(version.version)
            ledger.name(version.model, "model")
        if store and not store.is_sound:
            raise ValueError("its store is no address")
        return Page(
            model=str(told["model"]), stage=str(told["stage"]), version=version, since=str(told["since"]),
            tag=str(told["tag"]), store=store, deprecated=str(told.get("deprecated") or ""),
        )  # fmt: skip
    except ConfigError:
        raise
    except UsageError as exc:
        raise ConfigError(f"{source} is no page of a stage.", why=exc.what) from exc
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise ConfigError(f"{source} is no page of a stage.", why=str(exc)[:200]) from exc
