"""Arrays of samples, in whatever form a library delivers them, to float32 mono at 16 kHz."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import soxr
from numpy.typing import NDArray

from streamwhisper.audio.channels import MAX_CHANNELS, Mixer, mix_down
from streamwhisper.audio.constants import SAMPLE_RATE
from streamwhisper.audio.formats import bounded
from streamwhisper.errors import AudioFormatError

__all__ = ["ChunkConverter", "SupportsArray", "convert_samples"]

_RATES = (4000, 192_000)
_LOUDEST = 10.0
"""Peak of float samples from which they are probably integers that were never scaled to ±1."""
_EXPECTED = "integers, or floats within ±1, of shape [n], [n, channels] or [channels, n]"


@runtime_checkable
class SupportsArray(Protocol):
    """Anything that NumPy can read as an array, e.g. a torch tensor."""

    def __array__(self) -> NDArray[Any]:
        """Return the samples as a NumPy array."""
        ...


def convert_samples(
    audio: SupportsArray | Sequence[Any] | Mapping[str, Any],
    sample_rate: int | None = None,
    *,
    channel: int | None = None,
) -> NDArray[np.float32]:
    """Convert the samples of a whole recording.

    Args:
        audio: a NumPy array, torch tensor or list of shape ``[n]``, ``[n, channels]`` or
            ``[channels, n]``, or a mapping with ``array`` and ``sampling_rate`` as Hugging Face
            datasets have it. Integers are scaled by the range of their type; floats are within
            ±1, and a recording that exceeds this is scaled by its peak. Channels are mixed.
        sample_rate: of the samples, in hertz; the default is that of the mapping, else 16000.
        channel: the only channel to use, counted from 1; None mixes all (see `mix_down`).

    Returns:
        float32 mono ``[n]`` within ±1 at 16 kHz.

    Raises:
        AudioFormatError: anything else: no samples, NaN or infinity, complex numbers, text,
            another shape, or no such channel.
    """
    array, rate = _unpacked(audio, sample_rate)
    if _is_widened(array):
        raise _widened(array)
    scaled = _scaled(array)
    scaled /= max(np.float32(1), np.abs(scaled).max(initial=0))
    mono = mix_down(_by_channel(scaled), rate, channel)
    if not len(mono):
        raise AudioFormatError(f"the audio has no samples (shape {array.shape}); expected some")
    if rate == SAMPLE_RATE:
        return mono
    return bounded(soxr.resample(mono, rate, SAMPLE_RATE))


class ChunkConverter:
    """Converts the chunks of one live stream, which may be cut anywhere."""

    def __init__(self, sample_rate: int = SAMPLE_RATE, *, channel: int | None = None) -> None:
        """Expect chunks at `sample_rate` hertz.

        Args:
            sample_rate: of the chunks, in hertz.
            channel: the only channel to use, counted from 1; None mixes all (see `Mixer`).

        Raises:
            AudioFormatError: a rate below 4000 or above 192000.
        """
        self._rate = _checked_rate(sample_rate)
        self._channel = channel
        self._mixer: Mixer | None = None
        self._channels = 0
        self._wide = False  # a chunk showed that the values fill their type
        self._narrow = 0  # samples of chunks that did not
        self._resampler = (
            None
            if self._rate == SAMPLE_RATE
            else soxr.ResampleStream(self._rate, SAMPLE_RATE, 1, dtype="float32")
        )

    def convert(
        self, chunk: SupportsArray | Sequence[Any] | Mapping[str, Any]
    ) -> NDArray[np.float32]:
        """Convert the next chunk; it may be empty. See `convert_samples`.

        Up to 20 ms of several channels are held back.
        """
        array, _ = _unpacked(chunk, self._rate)  # refuses a mapping at another rate
        self._check_width(array)
        return self._resample(self._mix(bounded(_scaled(array))), last=False)

    def finish(self) -> NDArray[np.float32]:
        """Return the few milliseconds that mixer and resampler still hold."""
        return self._resample(self._held(), last=True)

    def _check_width(self, array: NDArray[Any]) -> None:
        """Reject a stream that has been widened all along; a quiet beginning is not enough."""
        if not self._wide and array.size:
            self._wide = not _is_widened(array) and bool(array.any())
            self._narrow += max(array.shape) if _is_widened(array) else 0
            if self._narrow >= self._rate:
                raise _widened(array)

    def _mix(self, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        samples = _by_channel(scaled, self._channels)
        if not len(samples):
            return np.zeros(0, np.float32)
        held = np.zeros(0, np.float32)
        if self._mixer is None or samples.shape[1] != self._channels:
            held, self._channels = self._held(), samples.shape[1]
            self._mixer = Mixer(self._channels, self._rate, self._channel)
        return np.concatenate([held, self._mixer.mix(samples)])

    def _held(self) -> NDArray[np.float32]:
        return np.zeros(0, np.float32) if self._mixer is None else self._mixer.finish()

    def _resample(self, mono: NDArray[np.float32], *, last: bool) -> NDArray[np.float32]:
        if self._resampler is None:
            return mono
        return bounded(self._resampler.resample_chunk(mono, last=last))


def _unpacked(
    audio: SupportsArray | Sequence[Any] | Mapping[str, Any], sample_rate: int | None
) -> tuple[NDArray[Any], int]:
    """Return the array and its sample rate."""
    if not isinstance(audio, Mapping):
        return _array(audio), _checked_rate(SAMPLE_RATE if sample_rate is None else sample_rate)
    missing = [key for key in ("array", "sampling_rate") if audio.get(key) is None]
    if missing:
        raise AudioFormatError(
            f"the mapping has the keys {sorted(map(str, audio))} but no {missing[0]!r}; expected "
            "'array' and 'sampling_rate'"
        )
    rate = _checked_rate(audio["sampling_rate"])
    if sample_rate is not None and sample_rate != rate:
        raise AudioFormatError(
            f"sample_rate is {sample_rate}, but the mapping's sampling_rate is {rate}; leave "
            "sample_rate out"
        )
    return _array(audio["array"]), rate


def _array(audio: object) -> NDArray[Any]:
    if isinstance(audio, np.ndarray):
        return audio
    if hasattr(audio, "detach"):  # a torch tensor: NumPy knows neither its devices nor bfloat16
        tensor = audio.detach().cpu()
        return np.asarray(tensor.float() if tensor.is_floating_point() else tensor)
    if isinstance(audio, SupportsArray):
        return np.asarray(audio)
    if isinstance(audio, list | tuple):
        return _listed(audio)
    raise AudioFormatError(
        f"the audio is of type {type(audio).__name__}; expected a path, a binary file, bytes, a "
        "NumPy array, a torch tensor, a list of numbers, or a mapping with 'array' and "
        "'sampling_rate'"
    )


def _listed(numbers: Sequence[Any]) -> NDArray[Any]:
    """Return a list of numbers, or of equally long lists of them, as an array."""
    try:
        return np.asarray(numbers if len(numbers) else np.zeros(0, np.float32))
    except ValueError:
        raise AudioFormatError(
            f"the audio is a {type(numbers).__name__} of unequal parts; expected {_EXPECTED}"
        ) from None


def _checked_rate(rate: object) -> int:
    whole = isinstance(rate, int | np.integer) or (isinstance(rate, float) and rate.is_integer())
    if not whole or isinstance(rate, bool) or not _RATES[0] <= rate <= _RATES[1]:  # type: ignore[operator]
        raise AudioFormatError(
            f"sample_rate is {rate!r}; expected a whole number of hertz from {_RATES[0]} to "
            f"{_RATES[1]}"
        )
    return int(rate)  # type: ignore[call-overload, no-any-return]


def _scaled(array: NDArray[Any]) -> NDArray[np.float32]:
    """Return samples of any type as a new float32 array, of which ±1 is full scale."""
    if array.dtype.kind not in "iuf":
        raise AudioFormatError(f"the samples are of type {array.dtype}; expected {_EXPECTED}")
    return _checked_floats(array) if array.dtype.kind == "f" else _scaled_integers(array)


def _by_channel(samples: NDArray[np.float32], channels: int = 0) -> NDArray[np.float32]:
    """Return samples as ``[n, channels]``; `channels` is the number so far, 0 if unknown."""
    if samples.ndim == 1:
        return samples[:, None]
    axis = _channel_axis(samples.shape, channels)
    return samples if axis == 1 else samples.T


def _channel_axis(shape: tuple[int, ...], channels: int) -> int:
    """Return the axis of the channels: that of the known number, else the shorter one."""
    if len(shape) == 2:
        if channels > 1 and channels in shape:
            return int(shape[1] == channels)
        if 0 in shape:  # an empty chunk
            return int(shape[0] == 0)
        if 1 <= shape[1] <= min(MAX_CHANNELS, max(1, shape[0])):
            return 1
        if 1 <= shape[0] <= MAX_CHANNELS:
            return 0
    raise AudioFormatError(f"the samples have the shape {shape}; expected {_EXPECTED}")


def _checked_floats(array: NDArray[Any]) -> NDArray[np.float32]:
    wrong = int(array.size - np.isfinite(array).sum())
    if wrong:
        raise AudioFormatError(
            f"{wrong} of {array.size} samples are NaN or infinite; expected floats within ±1"
        )
    peak = float(np.abs(array).max(initial=0.0))
    if peak > _LOUDEST:
        raise AudioFormatError(
            f"the loudest sample is {peak:g}; expected floats within ±1. Divide 16-bit samples by "
            "32768, or pass them as int16"
        )
    return array.astype(np.float32)


def _is_widened(array: NDArray[Any]) -> bool:
    """Return whether wide integers hold 16-bit samples.

    Audio interfaces put 16 and 24 bits at the upper end of 32, so their values are multiples of
    256, however quiet the audio is.
    """
    if array.dtype.kind not in "iu" or (bits := array.dtype.itemsize * 8) < 32:
        return False
    peak = np.abs(array.astype(np.float64)).max(initial=0)
    return 0 < peak < 2.0 ** (bits // 2 - (bits == 64)) and bool((array % 256).any())


def _widened(array: NDArray[Any]) -> AudioFormatError:
    return AudioFormatError(
        f"the samples are of type {array.dtype} with values up to {array.max()}, which are "
        "probably 16-bit samples in a wider type; expected them as int16 (.astype('int16'))"
    )


def _scaled_integers(array: NDArray[Any]) -> NDArray[np.float32]:
    """Scale by the range of the type; for unsigned types, silence is the middle of the range."""
    info = np.iinfo(array.dtype)
    half = 2.0 ** (info.bits - 1)
    middle = half if array.dtype.kind == "u" else 0.0
    wide: NDArray[np.floating[Any]] = array.astype(np.float32 if info.bits <= 16 else np.float64)
    wide -= middle
    wide /= half
    return wide.astype(np.float32)
