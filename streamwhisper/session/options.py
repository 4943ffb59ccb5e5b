"""What a session may be told, and the one setting that trades freshness for truth."""

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
    """What a session listens for, and how often it asks; times in seconds.

    Attributes:
        language: a code such as ``"en"``, or how to find it by listening.
        task: write down what is said, or translate it into English.
        partials: whether to say what is not committed yet.
        update_interval: new sound between two updates.
        vocabulary: words and phrases to prefer where the sound allows it, as they are written.
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

    def tuned(self, latency: Latency) -> SessionOptions:
        """These options, moved along the curve of latency against accuracy.

        Args:
            latency: "low" commits soonest, "accurate" waits for more sound; "balanced" is how
                options are anyway. The curve is in benchmarks/RESULTS.md.
        """
        if latency == "balanced":
            return self
        if latency == "low":
            low = replace(self.agreement, max_change_risk=0.01, risk_doubling_time=0.15)
            return replace(self, update_interval=0.2, agreement=low)
        accurate = replace(self.agreement, max_change_risk=0.002, risk_doubling_time=0.3)
        return replace(self, update_interval=0.4, agreement=accurate)
