"""The example's pipeline of Pipecat, with what its Deepgram service says of each transcript.

Run with the interpreter of an environment that has Pipecat: FOLDER-OF-EXAMPLES URL KEY SOUND.wav.
Prints one JSON object for each transcript: its text, and whether all that was asked for is there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

sys.path.insert(0, sys.argv[1])

import pipecat_pipeline
from pipecat.frames.frames import ErrorFrame, Frame, TranscriptionFrame
from pipecat.processors.frame_processor import FrameDirection


class Observed(pipecat_pipeline.Assistant):
    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        if isinstance(frame, ErrorFrame):
            raise SystemExit(frame.error)
        if isinstance(frame, TranscriptionFrame):
            print(json.dumps([frame.text, frame.finalized]), flush=True)
        await super().process_frame(frame, direction)


pipecat_pipeline.Assistant = Observed  # type: ignore[misc]
url, key, sound = sys.argv[2:]
flags = argparse.Namespace(sound=sound, stt="deepgram", url=url, key=key, voice=None)
asyncio.run(pipecat_pipeline.converse(flags))
