from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import mlgit as wandb
from mlgit.errors import UsageError
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.store import runs


class Webhook:
    """A server that notes what it is sent; *refusals*: how often it says no first."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.refusals = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.refusals:
                    outer.refusals -= 1
                    self.send_error(500)
                    return
                outer.said.append(json.loads(body)["text"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/services/S3CR3T"


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    hook = Webhook()
    thread = threading.Thread(target=hook.server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("MLGIT_ALERT_WEBHOOK", hook.address)
    yield hook
    hook.server.shutdown()
    hook.server.server_close()
    thread.join()


def test_an_alert_reaches_record_terminal_webhook_and_job_summary(
    inside: Repo, webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))

    with wandb.init(name="r") as run:
        run.alert("Low accuracy", "only 0.1 <script>", level=wandb.AlertLevel.WARN)

    (found,) = query.runs(inside)
    (alert,) = runs.provenance(inside, found)["alerts"]
    assert {key: alert[key] for key in ("title", "text", "level")} == {
        "title": "Low accuracy", "text": "only 0.1 <script>", "level": "WARN",
    }  # fmt: skip
    assert "WARN: Low accuracy: only 0.1" in capsys.readouterr().err
    assert webhook.said == [f"WARN {run.project}/r: Low accuracy\nonly 0.1 <script>"]
    assert "&lt;script&gt;" in (tmp_path / "summary.md").read_text()


def test_the_webhook_may_stand_in_the_settings(inside: Repo, webhook: Webhook, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MLGIT_ALERT_WEBHOOK")
    Path("mlgit.yaml").write_text(f"run:\n  alert_webhook: {webhook.address}\n")

    with wandb.init():
        wandb.alert(title="a", text="b")

    assert len(webhook.said) == 1


def test_a_refusal_is_answered_by_a_second_try(inside: Repo, webhook: Webhook):
    webhook.refusals = 1

    with wandb.init() as run:
        run.alert("a", "b")

    assert len(webhook.said) == 1


def test_a_webhook_that_is_not_there_fails_no_training_and_keeps_its_secret(
    inside: Repo, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("MLGIT_ALERT_WEBHOOK", "http://127.0.0.1:9/services/S3CR3T")

    with wandb.init() as run:
        run.alert("a", "b")

    said = capsys.readouterr().err
    assert "webhook 127.0.0.1 was not reached" in said
    assert "S3CR3T" not in said + inside.git("log", "-p", "--all")
    assert query.runs(inside)[0].state.value == "finished"


def test_only_the_web_is_posted_to(
    inside: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("MLGIT_ALERT_WEBHOOK", (tmp_path / "x").as_uri())

    with wandb.init() as run:
        run.alert("a", "b")

    assert "does not begin with https://" in capsys.readouterr().err


def test_the_same_title_is_said_once_in_a_while(inside: Repo):
    with wandb.init() as run:
        for _ in range(3):
            run.alert("same", "x", wait_duration=timedelta(minutes=5))
        run.alert("other", "x")
        run.alert("same", "x", wait_duration=0)

    assert [alert["title"] for alert in wandb.Api().run(run.id).alerts] == ["same", "other", "same"]


def test_a_level_that_there_is_not_is_refused_and_a_token_hidden(inside: Repo):
    token = "ghp_" + "a1B2" * 9
    with wandb.init() as run:
        with pytest.raises(UsageError, match="INFO, WARN or ERROR"):
            run.alert("a", "b", level="LOUD")
        run.alert("token", token, level="error")

    assert [(alert["level"], alert["text"]) for alert in wandb.Api().run(run.id).alerts] == [("ERROR", "***")]
