"""Pages by http and https. An address that leads elsewhere, to a file of this machine for one, is not opened."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.error import HTTPError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)  # fmt: skip


class _Redirects(HTTPRedirectHandler):
    """As any client follows them, but from https only to https: what anybody can change on its way proves nothing."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if req.type == "https" and not newurl.lower().startswith("https://"):
            raise HTTPError(req.full_url, code, f"it leads from https to {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def opened(
    address: str, *, seconds: float, method: str | None = None, content: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}), by_proxy: bool = True, follows: bool = True,
) -> http.client.HTTPResponse:  # fmt: skip
    """The answer to a request, to be closed; its server has so many *seconds* for each word.

    Unless it *follows*, an answer that leads elsewhere is a refusal, and nobody there is asked.

    Raises `urllib.error.HTTPError` where it refuses, another `OSError`, a `ValueError` or `http.client.HTTPException`
    where it cannot be asked.
    """
    opener = OpenerDirector()
    for kind in (HTTPHandler, HTTPSHandler, HTTPErrorProcessor, HTTPDefaultErrorHandler, UnknownHandler):
        opener.add_handler(kind())
    if follows:
        opener.add_handler(_Redirects())
    if by_proxy:
        opener.add_handler(ProxyHandler())
    request = Request(address, content, dict(headers), method=method)  # noqa: S310  (no handler knows another scheme)
    answer: http.client.HTTPResponse = opener.open(request, timeout=seconds)
    return answer
