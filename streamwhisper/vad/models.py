"""Voice detectors: WebRTC's, cheap and coarse, and Silero's network, run in NumPy.

Silero VAD v6 (Silero Team, github.com/snakers4/silero-vad, MIT) is small enough that the
framework around it would cost more than the network: a learnt short-time Fourier transform, four
convolutions over its magnitudes, an LSTM cell and one output. Weights come from the installed
``silero-vad`` package, which is never imported, because it imports torch; they are read from its
ONNX file, because its safetensors file holds another training of the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.errors import CheckpointError
from streamwhisper.vad.onnx import read_initializers

__all__ = ["Leveller", "SileroState", "SileroVad", "VoiceDetector", "WebRtcVad"]

Array = NDArray[np.float32]

_CONTEXT = 64
_FEATURES = 128
_TOGETHER = 64  # blocks whose features are computed at once, in the processor's cache
_FILE = "silero_vad_16k_op15.onnx"


class VoiceDetector(Protocol):
    """Judges blocks of a 16 kHz stream one after the other, and remembers what it heard."""

    @property
    def block(self) -> int:
        """How many samples one call takes."""
        ...

    def __call__(self, samples: Array) -> float:
        """Probability that the next block (float32 ``[block]``) holds speech."""
        ...

    def reset(self) -> None:
        """Forget what was heard."""
        ...


class WebRtcVad:
    """WebRTC's detector (Gaussian mixtures over six bands) on 30 ms frames: answers 0 or 1.

    It judges by absolute level too, and hears little of what is quieter than -55 dBFS. Sound is
    therefore amplified for it, clipped where need be: tenfold brings speech of -67 dBFS to its
    notice and leaves a silent room's hiss below it.
    """

    block = 480

    def __init__(self, aggressiveness: int = 0, gain: float = 10.0) -> None:
        """Set how eagerly non-speech is filtered out, from 0 (least) to 3 (most).

        Raises:
            ValueError: `aggressiveness` is not from 0 to 3.
        """
        if aggressiveness not in range(4):
            raise ValueError(f"aggressiveness is {aggressiveness!r}; expected 0 to 3")
        self._aggressiveness = aggressiveness
        self._scale = np.float32(32768 * gain)
        self.reset()

    def __call__(self, samples: Array) -> float:
        """Whether the frame (float32 ``[480]`` within ±1) holds speech: 1.0 or 0.0."""
        pcm = np.clip(samples * self._scale, -32768, 32767).astype("<i2")
        return float(self._vad.is_speech(pcm.tobytes(), SAMPLE_RATE))

    def reset(self) -> None:
        """Start with a fresh noise model."""
        self._vad = webrtcvad.Vad(self._aggressiveness)


class Leveller:
    """Brings quiet sound up to the level at which Silero's network is at its best.

    The level followed rises at once with a block's own and falls by 3 dB a second, so a block is
    never amplified beyond the target, and hardly changes its gain within a sentence. The
    amplified sound is for detection alone.
    """

    def __init__(self, target: float = 0.1, max_gain: float = 30.0, fall: float = 3.0) -> None:
        """Set the target (root mean square), the greatest gain, and the fall in dB a second."""
        self._target = target
        self._max_gain = max_gain
        self._fall = fall
        self._level = 0.0

    def gain(self, samples: Array) -> np.float32:
        """Hear the next block and say what it should be multiplied with, 1 to `max_gain`."""
        if not len(samples):
            return np.float32(1)
        fallen = self._level * 10 ** (-self._fall * len(samples) / SAMPLE_RATE / 20)
        self._level = max(float(np.sqrt(np.dot(samples, samples) / len(samples))), fallen)
        return np.float32(min(max(self._target / max(self._level, 1e-9), 1), self._max_gain))


def _zeros(size: int) -> Array:
    return np.zeros(size, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SileroState:
    """All that `SileroVad` remembers; never written to.

    Attributes:
        context: the last samples of the block before, ``[64]``.
        hidden, cell: of the LSTM, ``[128]`` each.
    """

    context: Array = field(default_factory=lambda: _zeros(_CONTEXT))
    hidden: Array = field(default_factory=lambda: _zeros(128))
    cell: Array = field(default_factory=lambda: _zeros(128))


class SileroVad:
    """Silero's network on blocks of 512 samples (32 ms). Its weights are loaded once."""

    block = 512

    def __init__(self) -> None:
        """Start in silence.

        Raises:
            CheckpointError: the weights are not installed.
        """
        self._weights = _weights()
        self.state = SileroState()

    def __call__(self, samples: Array) -> float:
        """Probability that the block (float32 ``[512]``) holds speech."""
        state = self.state
        sound = np.concatenate([state.context, samples, samples[-2:-66:-1]])
        own = _features(self._weights, sound[None]) @ self._weights.lstm[:_FEATURES]
        hidden, cell = self._remember(own[0], state.hidden, state.cell)
        self.state = SileroState(samples[-_CONTEXT:].copy(), hidden, cell)
        return float(self._judge(hidden))

    def judge(self, samples: Array) -> Array:
        """Probability that each block of ``[n * 512]`` samples holds speech, ``[n]``.

        As from silence and with the same results as block after block, in half the time;
        what was heard before is neither used nor forgotten.
        """
        count = len(samples) // self.block
        blocks = samples[: count * self.block].reshape(count, self.block)
        before = np.concatenate([np.zeros((1, _CONTEXT), np.float32), blocks[:-1, -_CONTEXT:]])
        hidden, cell = _zeros(_FEATURES), _zeros(_FEATURES)
        every = np.zeros((count, _FEATURES), np.float32)
        for first in range(0, count, _TOGETHER):
            some = slice(first, first + _TOGETHER)
            sounds = (before[some], blocks[some], blocks[some, -2:-66:-1])
            features = _features(self._weights, np.concatenate(sounds, axis=1))
            for index, own in enumerate(features @ self._weights.lstm[:_FEATURES], start=first):
                hidden, cell = self._remember(own, hidden, cell)
                every[index] = hidden
        return self._judge(every)

    def _remember(self, own: Array, hidden: Array, cell: Array) -> tuple[Array, Array]:
        """The LSTM's next state: `own` is what the new block says to its gates, ``[512]``."""
        gates = own + hidden @ self._weights.lstm[_FEATURES:] + self._weights.lstm_bias
        sigmoids = _sigmoid(gates[:384])
        cell = sigmoids[128:256] * cell + sigmoids[:128] * np.tanh(gates[384:])
        return sigmoids[256:] * np.tanh(cell), cell

    def _judge(self, hidden: Array) -> Array:
        """States ``[..., 128]`` to probabilities ``[...]``."""
        probabilities: Array = _sigmoid(
            np.maximum(hidden, 0) @ self._weights.output + self._weights.output_bias
        )
        return probabilities

    def reset(self) -> None:
        """Forget what was heard."""
        self.state = SileroState()


def _features(w: _Weights, sounds: Array) -> Array:
    """Blocks with their context and their last samples mirrored, ``[n, 640]``, to ``[n, 128]``."""
    n = len(sounds)
    spectrum = sounds.take(_STFT, axis=1) @ w.stft
    power = np.zeros((n, 6, 129), dtype=np.float32)  # a row of padding at either end
    np.add(spectrum[..., :129] ** 2, spectrum[..., 129:] ** 2, out=power[:, 1:5])
    x = np.zeros((n, 5, 128), dtype=np.float32)
    magnitudes = np.sqrt(power).reshape(n, -1)
    np.maximum(magnitudes.take(_CONV1, axis=1) @ w.conv1 + w.bias1, 0, out=x[:, 1:])
    x = np.maximum(x.reshape(n, -1).take(_CONV2, axis=1) @ w.conv2 + w.bias2, 0)
    # From here on there is one position: taps over padding alone are left out.
    y = np.maximum(x.reshape(n, -1) @ w.conv3 + w.bias3, 0)
    features: Array = np.maximum(y @ w.conv4 + w.bias4, 0)
    return features


def _sigmoid(x: Array) -> Array:
    # By tanh, which does not overflow.
    half: Array = np.tanh(x * np.float32(0.5))
    return half * np.float32(0.5) + np.float32(0.5)


def _windows(count: int, size: int, step: int) -> NDArray[np.intp]:
    """Where the values of overlapping windows lie: ``[count, size]``, for `take`."""
    return np.arange(count)[:, None] * step + np.arange(size)


_STFT = _windows(4, 256, 128)
_CONV1 = _windows(4, 3 * 129, 129)  # three rows of 129 magnitudes
_CONV2 = _windows(2, 3 * 128, 2 * 128)


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """Matrices ``[inputs, outputs]``; a convolution's inputs are taps × channels."""

    stft: Array
    conv1: Array
    bias1: Array
    conv2: Array
    bias2: Array
    conv3: Array
    bias3: Array
    conv4: Array
    bias4: Array
    lstm: Array
    lstm_bias: Array
    output: Array
    output_bias: Array


@cache
def _weights() -> _Weights:
    path = _weights_path()
    try:
        raw = {name.removeprefix("model."): a for name, a in read_initializers(path).items()}
        conv = [raw[f"encoder.{i}.reparam_conv.weight"] for i in range(4)]
        bias = [raw[f"encoder.{i}.reparam_conv.bias"] for i in range(4)]
        rnn = np.concatenate([raw["decoder.rnn.weight_ih"], raw["decoder.rnn.weight_hh"]], axis=1)
        rnn_bias = raw["decoder.rnn.bias_ih"] + raw["decoder.rnn.bias_hh"]
        # Gates come as input, forget, candidate, output: put the three sigmoids side by side.
        order = np.r_[0:256, 384:512, 256:384]
        return _Weights(
            stft=_matrix(raw["stft.forward_basis_buffer"]),
            conv1=_matrix(conv[0]),
            bias1=bias[0],
            conv2=_matrix(conv[1]),
            bias2=bias[1],
            conv3=_matrix(conv[2][:, :, 1:]),
            bias3=bias[2],
            conv4=_matrix(conv[3][:, :, 1:2]),
            bias4=bias[3],
            lstm=np.ascontiguousarray(rnn[order].T),
            lstm_bias=rnn_bias[order],
            output=raw["decoder.decoder.2.weight"].reshape(-1),
            output_bias=raw["decoder.decoder.2.bias"].reshape(()),
        )
    except (LookupError, ValueError, OSError) as error:
        raise CheckpointError(
            f"{path} is not the 16 kHz network of Silero VAD v6 ({error}); "
            "try installing silero-vad 6 anew"
        ) from error


def _matrix(weight: Array) -> Array:
    """A convolution's weight ``[outputs, channels, taps]`` as ``[taps * channels, outputs]``."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))


def _weights_path() -> Path:
    spec = find_spec("silero_vad")
    folders = [Path(f) for f in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        if (folder / "data" / _FILE).is_file():
            return folder / "data" / _FILE
    where = ", ".join(map(str, folders)) or "no installed package"
    raise CheckpointError(
        f"the voice detector's weights {_FILE} were looked for in silero-vad ({where}) and "
        "not found; install silero-vad 6 or later"
    )
