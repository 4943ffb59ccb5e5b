"""Deepgram's live transcription, as its clients speak it at ``/v1/listen``."""
