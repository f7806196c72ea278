"""A word from a script to people: in the run's record, on the terminal, in CI's job summary, to a webhook."""

from __future__ import annotations

import enum
import os
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlgit.core import escape, secrets
from mlgit.errors import ConfigError, UsageError
from mlgit.tracking import threads
from mlgit.tracking import wish as wishes
from mlgit.tracking.notice import notify
from mlgit.tracking.options import RunOptions
from mlgit.tracking.run.journal import Journal

if TYPE_CHECKING:
    from threading import Thread

PATIENCE = 5.0
"""Seconds that a webhook has to answer, each of two times."""
BETWEEN = 60.0
"""Seconds between two alerts of one title, unless the script says otherwise; W&B's own bound."""
_TITLE, _TEXT = 200, 4000


class AlertLevel(enum.Enum):
    """How bad it is, for `run.alert(level=…)`."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class Alerts:
    """The part of a run that reaches people."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._alerted: dict[str, float] = {}
        """Title → when it was last said."""
        self._sending: list[Thread] = []

    def alert(
        self, title: str, text: str, level: str | AlertLevel | None = None,
        wait_duration: float | timedelta | None = None,
    ) -> None:  # fmt: skip
        """Tell people: at once on the terminal and to the webhook, then in the run's record and the pull request.

            run.alert("Loss is nan", f"at step {run.step}", level="ERROR")

        *level*: `INFO` (unless given), `WARN` or `ERROR`, as text or `AlertLevel`. A *title* is cut at 200 characters,
        a *text* at 4,000. The same *title* is said once in *wait_duration*, seconds (60) or a timedelta; whatever comes
        within it is dropped. The webhook is `MLGIT_ALERT_WEBHOOK`, or `run.alert_webhook` of mlgit.yaml; it is sent
        `{"text": …}`, as Slack takes it, beside the training. Raises `UsageError` for another level.
        """
        self._journal.check_open("alerts")
        chosen = _level(level)
        pause = wait_duration.total_seconds() if isinstance(wait_duration, timedelta) else wait_duration
        now = time.time()
        last = self._alerted.get(str(title))
        if last is not None and abs(now - last) < (BETWEEN if pause is None else pause):
            return
        self._alerted[str(title)] = now
        title, text = secrets.redact(str(title))[:_TITLE], secrets.redact(str(text))[:_TEXT]
        alert = {"title": title, "text": text, "level": chosen.value, "time": round(now, 3)}
        self._journal.event(f"alert {title}", alerts=[alert])
        notify(f"{chosen.value}: {escape.line(title)}: {escape.line(text, 1000)}")
        _summarise(self._journal.record.name, title, text, chosen)
        if address := self._webhook():
            self._send(address, f"{chosen.value} {self._journal.project}/{self._journal.record.name}: {title}\n{text}")

    def _webhook(self) -> str | None:
        """Where to send to; None for nowhere."""
        try:
            stated = self._journal.home.settings.section("run", RunOptions).alert_webhook
        except ConfigError as exc:
            self._journal.warn("alert", f"alert: {exc}")
            stated = None
        address = wishes.variable("ALERT_WEBHOOK") or stated
        if address and urlsplit(address).scheme not in ("http", "https"):
            self._journal.warn("webhook", "webhook: its address does not begin with https://")
            return None
        return address

    def _send(self, address: str, text: str) -> None:
        """Hand *text* to a thread; the end of the run waits for it, a moment."""
        import threading

        if not self._sending:
            self._journal.at_end.append(self._await_sent)
        thread = threading.Thread(target=self._post, args=(address, text), daemon=True, name="mlgit alert")
        self._sending.append(thread)
        with suppress(RuntimeError), threads.deaf():  # the interpreter may be going down
            thread.start()

    def _post(self, address: str, text: str) -> None:
        import http.client
        import json
        import urllib.error

        from mlgit import web

        body = json.dumps({"text": text}).encode()
        trouble = ""
        for _ in range(2):
            try:
                with web.opened(address, content=body, headers={"Content-Type": "application/json"}, seconds=PATIENCE):
                    return
            except urllib.error.HTTPError as exc:
                with exc:
                    trouble = str(exc)
            except (OSError, ValueError, http.client.HTTPException) as exc:
                trouble = str(exc)
        self._journal.warn(
            "webhook", f"webhook {urlsplit(address).hostname} was not reached: {_harmless(trouble, address)}"
        )

    def _await_sent(self) -> None:
        deadline = time.monotonic() + 2 * PATIENCE + 1
        for thread in self._sending:
            if thread.ident:
                thread.join(max(0.0, deadline - time.monotonic()))


def _harmless(trouble: str, address: str) -> str:
    """What went wrong, without the address: whoever has it may post."""
    parts = urlsplit(address)
    return trouble.replace(address, "***").replace(parts.path or address, "***")


def _level(level: Any) -> AlertLevel:
    if level is None:
        return AlertLevel.INFO
    if isinstance(level, AlertLevel):
        return level
    try:
        return AlertLevel(str(level).upper())
    except ValueError:
        raise UsageError(f"{str(level)[:40]!r} is no level of an alert.", fix="INFO, WARN or ERROR") from None


def _summarise(name: str, title: str, text: str, level: AlertLevel) -> None:
    """Append it to the summary of the CI job, where there is one."""
    if path := os.environ.get("GITHUB_STEP_SUMMARY"):
        words = f"**{level.value}** {escape.markdown(name)}: **{escape.markdown(title)}** {escape.markdown(text, 1000)}"
        with suppress(OSError), Path(path).open("a", encoding="utf-8") as file:
            file.write(f"\n{words}\n")
