"""Which connections others can read and change."""

from __future__ import annotations

import pytest

from streamwhisper.client.connecting import can_be_tampered_with


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("ws://server.example:8765/v1/stream", True),
        ("ws://192.168.1.9:8765/v1/stream", True),
        ("ws://[fe80::1]/v1/stream", True),
        ("WS://localhost.example/v1/stream", True),
        ("wss://server.example/v1/stream", False),
        ("ws://127.0.0.1:8765/v1/stream", False),
        ("ws://127.8.0.1/v1/stream", False),
        ("ws://[::1]:8765/v1/stream", False),
        ("ws://localhost:8765/v1/stream", False),
    ],
)
def test_only_plain_connections_to_other_machines_can_be_tampered_with(url, exposed):
    assert can_be_tampered_with(url) is exposed
