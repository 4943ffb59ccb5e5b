"""Recognizer that runs a Whisper model on one device of this machine."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import streamwhisper
from streamwhisper.audio.constants import (
    FRAMES_PER_SECOND,
    SECONDS_PER_POSITION,
)
from streamwhisper.checkpoints.build import build_model
from streamwhisper.checkpoints.hub import HubOptions, resolve
from streamwhisper.checkpoints.lora import load_adapted
from streamwhisper.engine.cores import usable_cores
from streamwhisper.engine.devices import (
    batch_size,
    choose_device,
    choose_precision,
    compile_decoder,
    use_lasting_attention,
)
from streamwhisper.engine.memory import memory_for
from streamwhisper.engine.options import LocalOptions, default_threads
from streamwhisper.engine.requests import LocalPast, check_request
from streamwhisper.languages import Language, echo_start
from streamwhisper.recognition import (
    Hypothesis,
    HypothesisWord,
    LanguageOptions,
    ModelInfo,
    RecognitionRequest,
    TextContext,
)
from streamwhisper.whisper import guards
from streamwhisper.whisper.alignment import onsets
from streamwhisper.whisper.biasing import get_bias_vocabulary
from streamwhisper.whisper.decoding import (
    DecodedTokens,
    DecodingTask,
    context_tokens,
    decode,
    detect_languages,
)
from streamwhisper.whisper.logit_filters import LogitFilters
from streamwhisper.whisper.model import Whisper
from streamwhisper.whisper.output_layer import OutputLayer
from streamwhisper.whisper.quantized import is_quantized, quantize
from streamwhisper.whisper.search import Output, text_tokens
from streamwhisper.whisper.static_decoder import StaticDecoder
from streamwhisper.whisper.tail import (
    CLAMP,
    EncodedAudio,
    SilentTails,
    encode,
    encode_padded,
)
from streamwhisper.whisper.tokenizer import Tokenizer, get_tokenizer
from streamwhisper.whisper.windows import Watch, WindowHypothesis, WindowRequest, search_windows

__all__ = ["LocalOptions", "LocalRecognizer"]

USUAL_FLOORS = (-0.5, -1.0)
"""Padding values of windows of clear and of quiet speech."""


class LocalRecognizer:
    """Recognizer with one Whisper model on one device; holds no session state."""

    def __init__(self, model: Whisper, name: str, options: LocalOptions | None = None) -> None:
        self.options = options or LocalOptions()
        self.model = model
        self.tokenizer: Tokenizer = get_tokenizer(model.dims.n_vocab, model.generation)
        multilingual = self.tokenizer.multilingual
        languages = self.tokenizer.languages if multilingual else ("en",)
        self.info = ModelInfo(name, model.dims.n_mels, multilingual, languages)
        self._rules = LogitFilters(self.tokenizer, model.dims.n_vocab, model.device)
        self.output = OutputLayer(model.decoder.token_embedding.weight)
        self.tails = SilentTails(model, self.options.tail)
        self._batch = batch_size(model)
        if model.device.type == "cuda":
            use_lasting_attention()
            if model.stepping is None:
                model.stepping = StaticDecoder(model)

    @classmethod
    def load(
        cls,
        model: str | Path,
        options: LocalOptions | None = None,
        hub: HubOptions | None = None,
        *,
        name: str | None = None,
    ) -> LocalRecognizer:
        """Load a model; download it first if necessary.

        Args:
            model: model name, checkpoint file or folder, or hub repository.
            options: device, precision, threads, adapter.
            hub: cache folder and sources.
            name: name of the model in `info`; by default `model`.

        Raises:
            UnknownModelError: the name is no model, file or repository.
            ModelDownloadError: no source delivered the model.
            CheckpointError: the file is damaged, or not a Whisper checkpoint.
            RecognitionError: the device or precision is not available, or there is not enough
                memory.
        """
        options = options or LocalOptions()
        torch.set_num_threads(options.threads or default_threads())
        device = choose_device(options.device)
        precision = choose_precision(options.dtype, device, compiled=options.compile)
        dtype = torch.float32 if precision == "int8" else getattr(torch, precision)
        path = resolve(str(model), options=hub or HubOptions())
        with memory_for(str(model)):
            checkpoint = load_adapted(path, options.adapter)
            whisper = build_model(checkpoint)
            # From here on only the model holds the weights, so each is freed once it is converted.
            del checkpoint
            if precision == "int8":
                quantize(whisper)
            whisper.to(device=device, dtype=dtype)
            if options.compile:
                compile_decoder(whisper)
            return cls(whisper, name or str(model), options)

    def transcribe(
        self, audio: streamwhisper.AudioInput, **keywords: Any
    ) -> streamwhisper.Transcript:
        """Transcribe a recording with this model; see `streamwhisper.transcribe`."""
        return streamwhisper.transcribe(audio, model=self, **keywords)

    @property
    def search_output(self) -> Output:
        """Output layer for a search: exact, unless the model itself has 8 bits."""
        return self.output if is_quantized(self.model) else self.model.decoder.logits

    @property
    def workers(self) -> int:
        """Number of calls of `recognize` that are worth making at the same time."""
        if self.model.device.type != "cpu":
            return 1
        return max(1, usable_cores() // (self.options.threads or default_threads()))

    @property
    def batch(self) -> int:
        """Number of requests that are worth putting in one call."""
        return self._batch

    def warm_up(self) -> None:
        """Encode silence and run every kernel once, so that the first request is not slow."""
        self.tails.prepare(*USUAL_FLOORS)
        if isinstance(self.model.stepping, StaticDecoder):
            self.model.stepping.prepare(self._batch)
        click = np.full((self.info.n_mels, FRAMES_PER_SECOND), USUAL_FLOORS[0], np.float32)
        click[0, 0] += CLAMP  # the loudness of a window with that floor, whose tail is cached
        language = self.tokenizer.languages[0] if self.info.multilingual else "en"
        self.recognize([RecognitionRequest(mel=click, language=language)])

    def recognize(self, requests: Sequence[RecognitionRequest]) -> list[Hypothesis]:
        """Answer each request; see `streamwhisper.recognition.Recognizer`."""
        if not requests:
            return []
        for request in requests:
            check_request(request, self.info, self.tokenizer)
        encoded = self._encode(requests)
        found = self._detected(requests, encoded)
        languages = [
            request.language or next(iter(probabilities), "en")
            for request, probabilities in zip(requests, found, strict=True)
        ]
        tasks = [
            self._task(request, audio, language)
            for request, audio, language in zip(requests, encoded, languages, strict=True)
        ]
        decoded = decode(self.model, self.output, self._rules, tasks)
        return [
            replace(
                self._hypothesis(request, tokens, language),
                languages=probabilities,
                past=LocalPast(audio.prefix, tokens.cached) if tokens.cached else None,
            )
            for request, audio, tokens, language, probabilities in zip(
                requests, encoded, decoded, languages, found, strict=True
            )
        ]

    @property
    def n_text_ctx(self) -> int:
        """Tokens in the model's text context."""
        return self.model.dims.n_text_ctx

    @property
    def windows_at_once(self) -> int:
        """Number of windows that are worth passing to one call of `transcribe_windows`."""
        return self._batch

    @property
    def window_calls(self) -> int:
        """Number of calls of `transcribe_windows` that are worth making at the same time."""
        return self.workers

    def transcribe_windows(
        self, requests: Sequence[WindowRequest], watch: Watch | None = None
    ) -> list[WindowHypothesis]:
        """Transcribe whole windows; see `streamwhisper.transcription.recognizer`."""
        for request in requests:
            live = RecognitionRequest(
                request.mel,
                request.prefix,
                context=TextContext(request.prompt),
                language=request.language,
                language_options=LanguageOptions(task=request.task),
            )
            check_request(live, self.info, self.tokenizer)
        tails = self.tails if self.options.silent_tail else None
        return search_windows(
            self.model, self.search_output, self.tokenizer, tails, requests, watch
        )

    def _task(
        self, request: RecognitionRequest, audio: EncodedAudio, language: str
    ) -> DecodingTask:
        given, n_context = request.context, self.model.dims.n_text_ctx
        task, initial = request.language_options.task, given.initial_prompt
        if request.language is None and task == "transcribe":
            named = filter(None, map(self.info.language, request.language_options.languages))
            spoken = next((one for one in named if one.code == language), Language(language))
            initial = spoken.prompt(initial)
        context = context_tokens(
            self.tokenizer,
            (*self._initial(initial, n_context // 4), *given.prompt),
            language,
            task,
            timestamps=request.options.timestamps,
            most=n_context // 2 - 1,
        )
        seconds = audio.audible * SECONDS_PER_POSITION - request.prefix_end
        past = request.past
        cached = past.text if isinstance(past, LocalPast) else None
        words = given.vocabulary
        return DecodingTask(
            audio,
            context,
            request.prefix,
            request.draft,
            request.options,
            seconds,
            cached,
            get_bias_vocabulary(self.tokenizer, words) if words else None,
        )

    def _initial(self, prompt: str, most: int) -> tuple[int, ...]:
        """Return at most `most` last tokens of a text, so that the transcript has room."""
        return text_tokens(self.tokenizer, prompt)[-most:] if prompt.strip() else ()

    def _encode(self, requests: Sequence[RecognitionRequest]) -> list[EncodedAudio]:
        mels = [torch.from_numpy(request.mel) for request in requests]
        if not self.options.silent_tail:
            return encode_padded(self.model, mels)
        pasts = [request.past for request in requests]
        prefixes = [past.audio if isinstance(past, LocalPast) else None for past in pasts]
        return encode(self.tails, mels, prefixes)

    def _detected(
        self, requests: Sequence[RecognitionRequest], encoded: Sequence[EncodedAudio]
    ) -> list[dict[str, float]]:
        """Return the language probabilities of each request, most likely first; empty if unused."""
        found: list[dict[str, float]] = [{} for _ in requests]
        asked = [
            i
            for i, request in enumerate(requests)
            if request.language_options.detect or not request.language
        ]
        if asked and self.info.multilingual:
            weighed = detect_languages(self.model, self.tokenizer, [encoded[i] for i in asked])
            for i, probabilities in zip(asked, weighed, strict=True):
                found[i] = _among(probabilities, requests[i].language_options.languages)
        return found

    def _hypothesis(
        self, request: RecognitionRequest, decoded: DecodedTokens, language: str
    ) -> Hypothesis:
        words = self._words(request, decoded)
        scores = decoded.log_probabilities
        mean = sum(scores) / len(scores) if scores else 0.0
        ending = decoded.ending
        options = request.options
        unlikely = mean < options.log_probability_threshold
        if decoded.no_speech_probability > options.no_speech_threshold and unlikely:
            words, ending = (), "no_speech"
        threshold = options.compression_ratio_threshold
        varied = guards.varied_words([word.text for word in words], threshold)
        if varied < len(words):
            words, ending = words[:varied], "loop"
        spoken = echo_start([word.text for word in words], language)
        if spoken < len(words):
            words, ending = words[:spoken], "no_speech"
        return Hypothesis(
            words, language, ending, decoded.no_speech_probability, mean, decoded.drafted
        )

    def _words(
        self, request: RecognitionRequest, decoded: DecodedTokens
    ) -> tuple[HypothesisWord, ...]:
        """Return whole words with their times; timestamp tokens are dropped."""
        text = [i for i, token in enumerate(decoded.tokens) if token < self.tokenizer.eot]
        if not text:
            return ()
        rows = onsets(decoded.weights, len(request.prefix), decoded.first_row)
        seconds = rows * SECONDS_PER_POSITION
        spelt = self.tokenizer.split_words([decoded.tokens[i] for i in text])
        if decoded.ending != "end_of_text":
            spelt = spelt[:-1]  # a guard may have stopped within it
        ends = list(itertools.accumulate(len(tokens) for _, tokens in spelt))
        words = []
        for (word, tokens), end in zip(spelt, ends, strict=True):
            own = text[end - len(tokens) : end]
            score = math.fsum(decoded.log_probabilities[i] for i in own) / len(own)
            start_s, end_s = seconds[own[0]], seconds[own[-1] + 1]
            marks = self.tokenizer.mark_tokens(tokens)
            words.append(
                HypothesisWord(word, tuple(tokens), float(start_s), float(end_s), score, marks)
            )
        return tuple(words)


def _among(probabilities: dict[str, float], languages: Sequence[str]) -> dict[str, float]:
    """Return the probabilities given that it is one of `languages`; empty allows all."""
    if not languages:
        return probabilities
    codes = {tag.partition("-")[0] for tag in languages}
    chosen = {code: p for code, p in probabilities.items() if code in codes}
    total = math.fsum(chosen.values())
    return {code: p / total if total else 1 / len(chosen) for code, p in chosen.items()}
