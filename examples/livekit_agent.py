"""An agent of LiveKit that listens through LiveKit's own plugins, and needs no LiveKit server.

    pip install livekit-plugins-deepgram==1.8.9 livekit-plugins-openai==1.8.9
    streamwhisper serve &
    python examples/livekit_agent.py [SOUND.wav] [--stt deepgram|openai] [--url URL]

Nothing but the plugin's address is changed. Without SOUND it listens to the microphone.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator

from livekit import rtc
from livekit.agents import Agent, AgentSession, llm, stt, utils
from livekit.agents.voice import io
from livekit.agents.voice.events import UserInputTranscribedEvent, UserStateChangedEvent
from livekit.plugins import deepgram, openai
from sound import RATE, microphone, recording, speak


def listener(plugin: str, url: str, key: str) -> stt.STT:
    """What turns speech into text."""
    if plugin == "deepgram":
        return deepgram.STT(base_url=f"{url}/v1/listen", api_key=key)
    return openai.STT(base_url=f"{url}/v1", api_key=key, use_realtime=True)


class Sound(io.AudioInput):  # type: ignore[misc]
    """The session's ears, without a room."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        super().__init__(label="sound")
        self._chunks = chunks
        self.over = asyncio.Event()

    async def __anext__(self) -> rtc.AudioFrame:
        async for chunk in self._chunks:
            return rtc.AudioFrame(chunk, RATE, 1, len(chunk) // 2)
        self.over.set()
        raise StopAsyncIteration


class Assistant(Agent):  # type: ignore[misc]
    """Answers by a rule of its own; a language model would stand in its place."""

    def __init__(self, voice: str | None) -> None:
        super().__init__(instructions="")
        self.quiet = asyncio.Event()
        self._voice = voice

    def notice(self, event: UserStateChangedEvent) -> None:
        """The person begins or ceases to speak."""
        print(f"user: {event.new_state}", flush=True)
        if event.new_state == "speaking":
            self.quiet.clear()

    async def on_user_turn_completed(
        self, turn_ctx: llm.ChatContext, new_message: llm.ChatMessage
    ) -> None:
        """It is the assistant's turn."""
        question = (new_message.text_content or "").strip()
        answer = f"You said {len(question.split())} words: {question}"
        print(f"you: {question}\nassistant: {answer}", flush=True)
        await speak(self._voice, answer)
        self.quiet.set()


def show(event: UserInputTranscribedEvent) -> None:
    """Print what is heard, as it is heard."""
    print("heard:" if event.is_final else "hearing:", event.transcript.strip(), flush=True)


async def converse(flags: argparse.Namespace) -> None:
    """Listen and answer until the sound is over."""
    assistant = Assistant(flags.voice)
    ears = Sound(recording(flags.sound, assistant.quiet) if flags.sound else microphone())
    async with utils.http_context.open(), listener(flags.stt, flags.url, flags.key) as hearing:
        session = AgentSession(
            stt=hearing,
            vad=None,
            turn_handling={"turn_detection": "stt"},
        )
        session.on("user_state_changed", assistant.notice)
        session.on("user_input_transcribed", show)
        session.on("close", lambda _: ears.over.set())  # it may give up, too
        session.input.audio = ears
        await session.start(assistant)
        await ears.over.wait()
        await session.aclose()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sound", nargs="?")
    parser.add_argument("--stt", choices=["deepgram", "openai"], default="deepgram")
    parser.add_argument("--url", default="http://127.0.0.1:8765")
    parser.add_argument("--key", default="none", help="of the server, where it has keys")
    parser.add_argument("--voice", help="a program that says its argument, such as espeak-ng")
    asyncio.run(converse(parser.parse_args()))
