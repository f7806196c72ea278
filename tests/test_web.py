"""What is no page is not opened, whoever leads there."""

from __future__ import annotations

import http.server
import io
import threading
from collections.abc import Iterator
from email.message import Message
from functools import partial
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from mlgit import web


class Elsewhere(http.server.BaseHTTPRequestHandler):
    """Leads to a file of this machine."""

    def do_GET(self):
        self.send_response(302)
        self.send_header("Location", "file:///etc/hostname")
        self.end_headers()

    def log_message(self, *_args):
        """No word."""


@pytest.fixture
def address() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_file_is_no_page(tmp_path: Path):
    (tmp_path / "secret").write_text("x")

    with pytest.raises(OSError, match="unknown url type: file"):
        web.opened((tmp_path / "secret").as_uri(), seconds=5)


def test_a_page_leads_to_no_file(address: str):
    with pytest.raises(OSError, match="not allowed"):
        web.opened(address, seconds=5)


def test_a_page_of_https_leads_to_no_page_of_http():
    asked = Request("https://example.com/a")
    follow = partial(web._Redirects().redirect_request, asked, io.BytesIO(), 302, "Found", Message())

    assert follow("https://example.com/b").full_url == "https://example.com/b"
    with pytest.raises(HTTPError, match="leads from https to http:"):
        follow("http://example.com/b")
