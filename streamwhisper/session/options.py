"""Options of a session, and presets that trade latency for accuracy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from streamwhisper.recognition import DecodingOptions, Task
from streamwhisper.session.agreement import AgreementOptions
from streamwhisper.session.endpoint import EndpointOptions
from streamwhisper.session.language import LanguageDetection
from streamwhisper.session.window import WindowOptions
from streamwhisper.vad.gate import GateOptions

__all__ = ["Latency", "SessionOptions"]

Latency = Literal["low", "balanced", "accurate"]


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """Options of a session; times in seconds.

    Attributes:
        language: code or tag, e.g. ``"en"`` or ``"zh-Hant"``, or how to detect the language.
        task: "transcribe", or "translate" into English.
        partials: whether to emit `Partial` events.
        update_interval: new audio between two requests.
        gate: voice activity detection.
        endpoint: how much silence ends an utterance.
        window: audio per request.
        agreement: when words are committed.
        decoding: search of the recognizer.
        vocabulary: names and terms to prefer when the audio is ambiguous, as they are written.
    """

    language: str | LanguageDetection = field(default_factory=LanguageDetection)
    task: Task = "transcribe"
    partials: bool = True
    update_interval: float = 0.25
    gate: GateOptions = field(default_factory=GateOptions)
    endpoint: EndpointOptions = field(default_factory=EndpointOptions)
    window: WindowOptions = field(default_factory=WindowOptions)
    agreement: AgreementOptions = field(default_factory=AgreementOptions)
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    vocabulary: tuple[str, ...] = ()

    @property
    def language_code(self) -> str | None:
        """Code of the given language, without its script; None if it is detected."""
        return self.language.partition("-")[0] if isinstance(self.language, str) else None

    def tuned(self, latency: Latency) -> SessionOptions:
        """Return these options with a preset for the trade-off between latency and accuracy.

        Args:
            latency: "low" commits earliest, "accurate" waits for more audio, "balanced" changes
                nothing. The curve is in benchmarks/RESULTS.md.
        """
        if latency == "balanced":
            return self
        if latency == "low":
            low = replace(
                self.agreement,
                max_change_risk=0.01,
                risk_doubling_time=0.15,
                short_window_factor=2.0,
            )
            return replace(self, update_interval=0.2, agreement=low)
        accurate = replace(
            self.agreement, max_change_risk=0.002, risk_doubling_time=0.3, short_window_factor=9.0
        )
        return replace(self, update_interval=0.4, agreement=accurate)
