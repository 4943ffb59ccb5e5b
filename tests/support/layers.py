"""The layers of the package: a module imports only from lower ones."""

from __future__ import annotations

# From the top to the bottom; what stands in one line does not know its neighbours.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"dictation", "server"},
    {"cluster", "console", "live", "testing", "transcription"},
    {"transcript"},
    {"client", "engine", "session", "subtitles"},
    {"checkpoints"},
    {"vad", "whisper"},
    {"phrasing", "protocol", "segment"},
    {"audio"},
    {"recognition"},
    {"events", "languages", "rolling"},
    {
        "control_characters",
        "deprecation",
        "errors",
        "keywords",
        "moved",
        "intervals",
        "json_text",
        "typography",
        "validation",
        "version",
    },
]
# Packages that compute with torch; `transcription` runs the network on whole recordings.
TORCH = {"checkpoints", "engine", "transcription", "whisper"}
RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
