"""Voice detectors: WebRTC's, cheap and coarse, and Silero's network, computed with NumPy.

Silero VAD v6 (Silero Team, github.com/snakers4/silero-vad, MIT) is small: a learned short-time
Fourier transform, four convolutions over its magnitudes, an LSTM cell and one output. The weights
come from the installed ``silero-vad`` package, which is never imported, because it imports torch.
They are read from its ONNX file, because its safetensors file holds another training run.
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
    """Detector that judges the blocks of a 16 kHz stream one after the other; has state."""

    @property
    def block(self) -> int:
        """Samples per call."""
        ...

    def __call__(self, samples: Array) -> float:
        """Return the probability, 0 to 1, that the next block (float32 ``[block]``) is speech."""
        ...

    def reset(self) -> None:
        """Return to the initial state."""
        ...


class WebRtcVad:
    """WebRTC's detector (Gaussian mixtures over six bands) on 30 ms frames; returns 0 or 1.

    Its thresholds are absolute: it misses most speech below -55 dBFS. The audio is therefore
    amplified and clipped. A gain of 10 makes speech at -67 dBFS detectable and leaves the noise of
    a silent room below the threshold.
    """

    block = 480

    def __init__(self, aggressiveness: int = 0, gain: float = 10.0) -> None:
        """Start with a fresh noise model.

        Args:
            aggressiveness: filter strength, from 0 (passes most) to 3.
            gain: factor by which samples are amplified.

        Raises:
            ValueError: `aggressiveness` is not from 0 to 3.
        """
        if aggressiveness not in range(4):
            raise ValueError(f"aggressiveness is {aggressiveness!r}; expected 0 to 3")
        self._aggressiveness = aggressiveness
        self._scale = np.float32(32768 * gain)
        self.reset()

    def __call__(self, samples: Array) -> float:
        """Return 1.0 if the frame (float32 ``[480]`` within ±1) is speech, else 0.0."""
        pcm = np.clip(samples * self._scale, -32768, 32767).astype("<i2")
        return float(self._vad.is_speech(pcm.tobytes(), SAMPLE_RATE))

    def reset(self) -> None:
        """Start with a fresh noise model."""
        self._vad = webrtcvad.Vad(self._aggressiveness)


class Leveller:
    """Automatic gain that brings quiet audio to the level where Silero's network works best.

    The followed level rises at once with a block's own level and falls by 3 dB per second. So no
    block is amplified beyond the target, and the gain hardly changes within a sentence. The
    amplified audio is used for detection only.
    """

    def __init__(self, target: float = 0.1, max_gain: float = 30.0, fall: float = 3.0) -> None:
        """Set target level (root mean square), maximum gain, and fall in dB per second."""
        self._target = target
        self._max_gain = max_gain
        self._fall = fall
        self._level = 0.0

    def gain(self, samples: Array) -> np.float32:
        """Return the factor for the next block, 1 to `max_gain`."""
        if not len(samples):
            return np.float32(1)
        fallen = self._level * 10 ** (-self._fall * len(samples) / SAMPLE_RATE / 20)
        self._level = max(float(np.sqrt(np.dot(samples, samples) / len(samples))), fallen)
        return np.float32(min(max(self._target / max(self._level, 1e-9), 1), self._max_gain))


def _zeros(size: int) -> Array:
    return np.zeros(size, dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SileroState:
    """State of `SileroVad`; immutable.

    Attributes:
        context: last samples of the previous block, ``[64]``.
        hidden: hidden state of the LSTM, ``[128]``.
        cell: cell state of the LSTM, ``[128]``.
    """

    context: Array = field(default_factory=lambda: _zeros(_CONTEXT))
    hidden: Array = field(default_factory=lambda: _zeros(128))
    cell: Array = field(default_factory=lambda: _zeros(128))


class SileroVad:
    """Silero's network on blocks of 512 samples (32 ms); all instances share the weights."""

    block = 512

    def __init__(self) -> None:
        """Load the weights and start in silence.

        Raises:
            CheckpointError: the weights are not installed.
        """
        self._weights = _weights()
        self.state = SileroState()

    def __call__(self, samples: Array) -> float:
        """Return the probability, 0 to 1, that the block (float32 ``[512]``) is speech."""
        state = self.state
        block = np.concatenate([state.context, samples, samples[-2:-66:-1]])
        own = _features(self._weights, block[None]) @ self._weights.lstm[:_FEATURES]
        hidden, cell = self._remember(own[0], state.hidden, state.cell)
        self.state = SileroState(samples[-_CONTEXT:].copy(), hidden, cell)
        return float(self._judge(hidden))

    def judge(self, samples: Array) -> Array:
        """Return the speech probability of each of the next blocks, ``[n * 512]`` samples, ``[n]``.

        The results and the state equal those of one call per block, in half the time. Memory grows
        with `samples`: pass a long recording in pieces.
        """
        count = len(samples) // self.block
        blocks = samples[: count * self.block].reshape(count, self.block)
        before = np.concatenate([self.state.context[None], blocks[:-1, -_CONTEXT:]])
        hidden, cell = self.state.hidden, self.state.cell
        every = np.zeros((count, _FEATURES), np.float32)
        for first in range(0, count, _TOGETHER):
            some = slice(first, first + _TOGETHER)
            parts = (before[some], blocks[some], blocks[some, -2:-66:-1])
            features = _features(self._weights, np.concatenate(parts, axis=1))
            for index, own in enumerate(features @ self._weights.lstm[:_FEATURES], start=first):
                hidden, cell = self._remember(own, hidden, cell)
                every[index] = hidden
        if count:
            self.state = SileroState(blocks[-1, -_CONTEXT:].copy(), hidden, cell)
        return self._judge(every)

    def _remember(self, own: Array, hidden: Array, cell: Array) -> tuple[Array, Array]:
        """Return the LSTM's next state; `own` is the new block's input to its gates, ``[512]``."""
        gates = own + hidden @ self._weights.lstm[_FEATURES:] + self._weights.lstm_bias
        sigmoids = _sigmoid(gates[:384])
        cell = sigmoids[128:256] * cell + sigmoids[:128] * np.tanh(gates[384:])
        return sigmoids[256:] * np.tanh(cell), cell

    def _judge(self, hidden: Array) -> Array:
        """Map hidden states ``[..., 128]`` to probabilities ``[...]``."""
        probabilities: Array = _sigmoid(
            np.maximum(hidden, 0) @ self._weights.output + self._weights.output_bias
        )
        return probabilities

    def reset(self) -> None:
        """Return to the initial state."""
        self.state = SileroState()


def _features(w: _Weights, blocks: Array) -> Array:
    """Map blocks with context and mirrored end, ``[n, 640]``, to features ``[n, 128]``."""
    n = len(blocks)
    (conv1, bias1), (conv2, bias2), (conv3, bias3), (conv4, bias4) = w.convolutions
    spectrum = blocks.take(_STFT, axis=1) @ w.stft
    power = np.zeros((n, 6, 129), dtype=np.float32)  # a row of padding at either end
    np.add(spectrum[..., :129] ** 2, spectrum[..., 129:] ** 2, out=power[:, 1:5])
    x = np.zeros((n, 5, 128), dtype=np.float32)
    magnitudes = np.sqrt(power).reshape(n, -1)
    np.maximum(magnitudes.take(_CONV1, axis=1) @ conv1 + bias1, 0, out=x[:, 1:])
    x = np.maximum(x.reshape(n, -1).take(_CONV2, axis=1) @ conv2 + bias2, 0)
    # From here on there is one position: taps over padding alone are left out.
    y = np.maximum(x.reshape(n, -1) @ conv3 + bias3, 0)
    features: Array = np.maximum(y @ conv4 + bias4, 0)
    return features


def _sigmoid(x: Array) -> Array:
    # By tanh, which does not overflow.
    half: Array = np.tanh(x * np.float32(0.5))
    return half * np.float32(0.5) + np.float32(0.5)


def _windows(count: int, size: int, step: int) -> NDArray[np.intp]:
    """Return the indices of overlapping windows, ``[count, size]``, for `take`."""
    return np.arange(count)[:, None] * step + np.arange(size)


_STFT = _windows(4, 256, 128)
_CONV1 = _windows(4, 3 * 129, 129)  # three rows of 129 magnitudes
_CONV2 = _windows(2, 3 * 128, 2 * 128)


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """Weights of Silero's network, as matrices ``[inputs, outputs]``.

    Attributes:
        stft: basis of the short-time Fourier transform.
        convolutions: matrix and bias of each convolution; its inputs are taps times channels.
        lstm: input and hidden weights of the LSTM, one below the other.
        lstm_bias: bias of its gates.
        output: weights of the output.
        output_bias: bias of the output.
    """

    stft: Array
    convolutions: tuple[tuple[Array, Array], ...]
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
        conv[2:] = conv[2][:, :, 1:], conv[3][:, :, 1:2]  # without the taps over padding
        bias = [raw[f"encoder.{i}.reparam_conv.bias"] for i in range(4)]
        rnn = np.concatenate([raw["decoder.rnn.weight_ih"], raw["decoder.rnn.weight_hh"]], axis=1)
        rnn_bias = raw["decoder.rnn.bias_ih"] + raw["decoder.rnn.bias_hh"]
        # Gates come as input, forget, candidate, output: put the three sigmoids side by side.
        order = np.r_[0:256, 384:512, 256:384]
        return _Weights(
            stft=_matrix(raw["stft.forward_basis_buffer"]),
            convolutions=tuple(zip(map(_matrix, conv), bias, strict=True)),
            lstm=np.ascontiguousarray(rnn[order].T),
            lstm_bias=rnn_bias[order],
            output=raw["decoder.decoder.2.weight"].reshape(-1),
            output_bias=raw["decoder.decoder.2.bias"].reshape(()),
        )
    except (LookupError, ValueError, OSError) as error:
        raise CheckpointError(
            f"{path} is not the 16 kHz network of Silero VAD v6 ({error}); reinstall silero-vad 6"
        ) from error


def _matrix(weight: Array) -> Array:
    """Reshape a weight ``[outputs, channels, taps]`` to ``[taps * channels, outputs]``."""
    return np.ascontiguousarray(weight.transpose(2, 1, 0).reshape(-1, weight.shape[0]))


def _weights_path() -> Path:
    spec = find_spec("silero_vad")
    folders = [Path(f) for f in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        if (folder / "data" / _FILE).is_file():
            return folder / "data" / _FILE
    where = ", ".join(map(str, folders)) or "no installed package"
    raise CheckpointError(
        f"the weights {_FILE} of the voice detector are not in silero-vad ({where}); "
        "install silero-vad 6 or later"
    )
