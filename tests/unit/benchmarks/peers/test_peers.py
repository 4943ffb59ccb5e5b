"""What a peer's messages mean; all of them were captured from WhisperLiveKit 0.2.26."""

import base64
import gzip
import json
from itertools import pairwise

import pytest

from benchmarks.lib.measure import ScreenUpdate, watch_screen
from benchmarks.lib.speech import tokens
from benchmarks.peers.peer_live import Snapshot, events, rewritten, snapshot
from benchmarks.peers.peer_setup import PeerError, alignment_dump, weights_folder
from benchmarks.peers.peers import table
from streamwhisper.checkpoints.catalog import KNOWN_MODELS
from streamwhisper.events import Committed, Partial

RAW = """{"status": "active_transcription", "lines": [{"speaker": 1, "text": " And how are the \
directions we'll look?", "start": "0:00:00.00", "end": "0:00:01.88"}, {"speaker": -2, "text": "", \
"start": "0:00:02.10", "end": "0:00:17.31"}, {"speaker": 1, "text": " It was the", "start": \
"0:00:08.89", "end": "0:00:09.47"}], "buffer_transcription": " white rabbit returning.", \
"buffer_diarization": "", "buffer_translation": "", "remaining_time_transcription": 1.9, \
"remaining_time_transcription_processing": 2.0, "remaining_time_transcription_policy": 7.8, \
"remaining_time_diarization": 0}"""

# Moment, text of all lines, buffer: as the policies said them, repetitions left out.
LOCAL_AGREEMENT = [
    (0.00, "", ""),
    (1.40, "", " You were blue."),
    (1.97, " You", " wore blue silk stuff."),
    (2.55, " You wore blue silk", " stockings."),
    (11.28, " You wore blue silk", " stockings, blue n-"),
    (11.96, " You wore blue silk stockings, blue", " knee pants with gold buckles,"),
]
ALIGN_ATT = [
    (0.00, "", ""),
    (2.69, " He wore a blue silk", ""),
    (3.20, " He wore a blue silk stock", ""),
    (3.88, " He wore a blue silk stockings, blue knee", ""),
    (4.41, " He wore a blue silk stockings, blue knee pants", ""),
]
PUNCTUATION = [
    (17.17, " golden bells that tinkled when", ""),
    (17.89, " golden bells that tinkled when he moved", ""),
    (18.55, " golden bells that tinkled when he moved.", ""),
]


def shots(rows: list[tuple[float, str, str]]) -> list[Snapshot]:
    messages = [
        (at, {"lines": [{"speaker": 1, "text": text}], "buffer_transcription": buffer})
        for at, text, buffer in rows
    ]
    return [shot for at, message in messages if (shot := snapshot(at, message))]


def commits(rows: list[tuple[float, str, str]]) -> list[tuple[float, str]]:
    return [(at, e.text) for at, e in events(shots(rows)) if isinstance(e, Committed)]


def partials(rows: list[tuple[float, str, str]]) -> list[tuple[float, str]]:
    return [(at, e.text) for at, e in events(shots(rows)) if isinstance(e, Partial)]


def test_lines_are_read_as_committed_words_and_the_buffer_as_a_guess_over_a_silence() -> None:
    shot = snapshot(19.36, json.loads(RAW))
    assert shot is not None
    assert " ".join(shot.lines) == "And how are the directions we'll look? It was the"
    assert shot.buffer == ("white", "rabbit", "returning.")


@pytest.mark.parametrize(
    "message",
    [
        {"type": "config", "useAudioWorklet": True, "mode": "full"},
        {"type": "ready_to_stop"},
    ],
)
def test_messages_without_a_transcript_are_none(message: dict[str, object]) -> None:
    assert snapshot(0.0, message) is None


def test_a_word_is_committed_when_it_enters_the_lines_and_once_only() -> None:
    assert commits(LOCAL_AGREEMENT) == [
        (1.97, " You"),
        (2.55, " wore blue silk"),
        (11.96, " stockings, blue"),
    ]
    assert rewritten(shots(LOCAL_AGREEMENT)) == 0


def test_each_guess_follows_the_commit_it_came_with() -> None:
    assert partials(LOCAL_AGREEMENT)[:3] == [
        (1.40, "You were blue."),
        (1.97, "wore blue silk stuff."),
        (2.55, "stockings."),
    ]
    kinds = [type(e) for at, e in events(shots(LOCAL_AGREEMENT)) if at == 2.55]
    assert kinds == [Committed, Partial]


def test_the_screen_knows_since_when_a_committed_word_has_stood_as_a_guess() -> None:
    screen = watch_screen(
        ScreenUpdate(at, tokens(event.text), isinstance(event, Partial))
        for at, event in events(shots(LOCAL_AGREEMENT))
    )
    # "You were blue." had the third word right already.
    assert screen.since == (1.40, 1.97, 1.40, 1.97, 2.55, 11.28)


def test_half_a_word_in_the_lines_is_a_guess_until_it_is_whole() -> None:
    assert commits(ALIGN_ATT) == [
        (2.69, " He wore a blue silk"),
        (3.88, " stockings, blue knee"),
        (4.41, " pants"),
    ]
    assert (3.20, "stock") in partials(ALIGN_ATT)
    assert rewritten(shots(ALIGN_ATT)) == 1


def test_punctuation_that_comes_later_changes_no_word_and_the_last_spelling_stands() -> None:
    assert commits(PUNCTUATION) == [
        (17.17, " golden bells that tinkled when"),
        (17.89, " he moved."),
    ]
    assert rewritten(shots(PUNCTUATION)) == 0


@pytest.mark.parametrize("rows", [LOCAL_AGREEMENT, ALIGN_ATT, PUNCTUATION])
def test_commits_join_to_the_last_transcript_in_the_order_of_time(
    rows: list[tuple[float, str, str]],
) -> None:
    assert "".join(text for _, text in commits(rows)) == rows[-1][1]
    assert all(a <= b for (a, _), (b, _) in pairwise(events(shots(rows))))


def test_no_message_means_no_event() -> None:
    assert events([]) == []


def test_alignment_heads_are_written_as_openai_writes_them() -> None:
    from whisper import _ALIGNMENT_HEADS

    def mask(dump: bytes | str) -> bytes:
        return gzip.decompress(base64.b85decode(dump))

    for name in KNOWN_MODELS:
        assert mask(alignment_dump(name)) == mask(_ALIGNMENT_HEADS[name])


def test_a_model_that_no_package_carries_is_said_in_one_line(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.peers.peer_setup.peer_folder", lambda: tmp_path)
    with pytest.raises(PeerError, match=r"^the catalog names no package that carries large-v3$"):
        weights_folder("large-v3")


def test_a_peer_that_was_not_run_stands_below_the_tables_with_the_reason() -> None:
    assert table([{"engine": "whisperlivekit-localagreement", "reason": "no wheel"}]) == (
        "- whisperlivekit-localagreement: not run: no wheel"
    )
