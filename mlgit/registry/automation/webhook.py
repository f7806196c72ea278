"""A webhook as Standard Webhooks has it: what is sent, and by which signature its receiver knows us (pure).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from mlgit.errors import UsageError

_PREFIX = "whsec_"


def key(secret: str) -> bytes:
    """The key that *secret* means: base64 behind `whsec_`, as the specification has it; any other text is the key."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise UsageError("The secret of a webhook begins with whsec_, and no base64 follows.") from None


def headers(message: str, body: bytes, *, secret: str, moment: int) -> dict[str, str]:
    """The headers of a POST of *body* as the *message* of that id, the same on each try, signed at *moment*."""
    known = hashlib.sha256(message.encode()).hexdigest()[:32]
    told = {
        "content-type": "application/json", "user-agent": "mlgit", "webhook-id": known,
        "webhook-timestamp": str(moment),
    }  # fmt: skip
    return told | ({"webhook-signature": signature(known, body, secret=secret, moment=moment)} if secret else {})


def signature(known: str, body: bytes, *, secret: str, moment: int) -> str:
    """The signature of *body*, sent as the message *known* at *moment*."""
    signed = hmac.digest(key(secret), f"{known}.{moment}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(signed).decode()}"


def body(event: Mapping[str, Any]) -> bytes:
    """*event*, as it is sent."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
