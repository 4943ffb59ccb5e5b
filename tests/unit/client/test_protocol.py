"""A client's side of the protocol: what a new session is told of the one before."""

from __future__ import annotations

from streamwhisper.client.protocol import ClientProtocol
from streamwhisper.client.reconnection import Reconnection
from streamwhisper.protocol import (
    Ready,
    Start,
    VocabularyMessage,
    encode_server_message,
    parse_client_message,
)


def test_a_session_that_takes_the_place_of_a_lost_one_starts_with_the_newest_vocabulary() -> None:
    conversation = ClientProtocol(Start(vocabulary=("Ada",)), Reconnection())
    conversation.opened(encode_server_message(Ready("one", "token", "tiny.en", 16000), 1))
    conversation.command(VocabularyMessage(("Grace",)))
    assert conversation.take() is not None
    conversation.start_again()
    start = parse_client_message(conversation.opening())
    assert isinstance(start, Start)
    assert (start.vocabulary, start.resume, start.continued) == (("Grace",), None, True)
    assert conversation.take() is None
