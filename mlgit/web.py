"""Pages by http and https. An address that leads elsewhere, to a file of this machine for one, is not opened."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from types import MappingProxyType
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
        opener.add_handler(HTTPRedirectHandler())
    if by_proxy:
        opener.add_handler(ProxyHandler())
    request = Request(address, content, dict(headers), method=method)  # noqa: S310  (no handler knows another scheme)
    answer: http.client.HTTPResponse = opener.open(request, timeout=seconds)
    return answer
