"""A pipeline of Pipecat that listens through Pipecat's own services.

    pip install "pipecat-ai[deepgram]==1.14.0" sounddevice
    streamwhisper serve &
    python examples/pipecat_pipeline.py [SOUND.wav] [--stt deepgram|openai] [--url URL]

Nothing but the service's address is changed. Without SOUND it listens to the microphone.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator

from loguru import logger
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.audio.vad_processor import VADProcessor
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.deepgram.stt import DeepgramSTTService
from pipecat.services.openai.stt import OpenAIRealtimeSTTService
from pipecat.services.stt_service import STTService
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner
from sound import RATE, microphone, recording, speak


def listener(service: str, url: str, key: str) -> STTService:
    """What turns speech into text."""
    if service == "deepgram":
        return DeepgramSTTService(base_url=url, api_key=key)
    url = f"{url.replace('http', 'ws', 1)}/v1/realtime"
    return OpenAIRealtimeSTTService(base_url=url, api_key=key)


class Assistant(FrameProcessor):  # type: ignore[misc]
    """Answers by a rule of its own; a language model would stand in its place."""

    def __init__(self, voice: str | None) -> None:
        super().__init__()
        self.quiet = asyncio.Event()
        self._voice = voice
        self._question: list[str] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Print what is heard, as it is heard, and answer when it is the assistant's turn."""
        await super().process_frame(frame, direction)
        match frame:
            case UserStartedSpeakingFrame():
                self.quiet.clear()
                print("user: speaking", flush=True)
            case InterimTranscriptionFrame():
                print("hearing:", frame.text.strip(), flush=True)
            case TranscriptionFrame():
                self._question.append(frame.text.strip())
                print("heard:", frame.text.strip(), flush=True)
            case UserStoppedSpeakingFrame():
                print("user: listening", flush=True)
                await self._answer()
                self.quiet.set()
        await self.push_frame(frame, direction)

    async def _answer(self) -> None:
        question, self._question = " ".join(self._question), []
        if question:
            answer = f"You said {len(question.split())} words: {question}"
            print(f"you: {question}\nassistant: {answer}", flush=True)
            await speak(self._voice, answer)


async def feed(worker: PipelineWorker, sound: AsyncIterator[bytes]) -> None:
    """Put sound into the pipeline, to its end."""
    async for chunk in sound:
        await worker.queue_frame(InputAudioRawFrame(chunk, RATE, 1))
    await worker.queue_frame(EndFrame())


async def converse(flags: argparse.Namespace) -> None:
    """Listen and answer until the sound is over."""
    assistant = Assistant(flags.voice)
    strategies = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy()])
    pipeline = Pipeline(
        [
            VADProcessor(vad_analyzer=SileroVADAnalyzer()),
            listener(flags.stt, flags.url, flags.key),
            UserTurnProcessor(user_turn_strategies=strategies),
            assistant,
        ]
    )
    worker = PipelineWorker(pipeline, params=PipelineParams(audio_in_sample_rate=RATE))
    sound = recording(flags.sound, assistant.quiet) if flags.sound else microphone()
    runner = WorkerRunner()
    await runner.add_workers(worker)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(feed(worker, sound))
        await runner.run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sound", nargs="?")
    parser.add_argument("--stt", choices=["deepgram", "openai"], default="deepgram")
    parser.add_argument("--url", default="http://127.0.0.1:8765")
    parser.add_argument("--key", default="none", help="of the server, where it has keys")
    parser.add_argument("--voice", help="a program that says its argument, such as espeak-ng")
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    asyncio.run(converse(parser.parse_args()))
