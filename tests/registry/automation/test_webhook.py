from __future__ import annotations

import base64

import pytest

from mlgit.errors import UsageError
from mlgit.registry.automation import webhook


def test_the_signature_is_that_of_the_specification():
    """The example of Svix, whose scheme Standard Webhooks is (https://docs.svix.com/receiving/verifying-payloads/how-manual)."""
    found = webhook.signature(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        moment=1614265330,
    )  # fmt: skip

    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_has_the_same_id_on_each_try_and_another_signature():
    one, two = (webhook.headers("a 1", b"{}", secret="s", moment=moment) for moment in (1, 2))

    assert one["webhook-id"] == two["webhook-id"]
    assert one["webhook-signature"] != two["webhook-signature"]
    assert one["webhook-id"] != webhook.headers("b 1", b"{}", secret="s", moment=1)["webhook-id"]
    assert "webhook-signature" not in webhook.headers("a 1", b"{}", secret="", moment=1)


def test_any_text_is_a_secret_and_a_broken_one_is_named():
    assert webhook.key("sesame") == b"sesame"
    assert webhook.key("whsec_" + base64.b64encode(b"open").decode()) == b"open"
    with pytest.raises(UsageError, match="no base64"):
        webhook.key("whsec_?")
