"""Old import paths and names: they work for one release and raise a DeprecationWarning.

`install` puts a finder in front of the import system. An old module path yields the module that
replaced it; an old name in a module yields its new object.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

__all__ = ["MODULES", "NAMES", "install"]

# From which package to which, and the modules: ``name`` or ``old:new``.
_MODULES = [
    ("", "", "commands:cli display:console longform:transcription results:transcript"),
    ("", "cli", "playback"),
    ("", "client", "continuity conversation:protocol dialing:connecting inbox:event_queue"),
    ("", "client", "journal:replay_buffer overlap reconnection"),
    ("", "live", "listening:listen"),
    ("", "subtitles", "captions:live_cues writers"),
    ("", "transcription", "offline:transcribe"),
    (
        "commands",
        "cli",
        "announcement booleans:commands cluster dictating:dictation flags loading mic nodes",
    ),
    ("commands", "cli", "recordings rest serve settings transcribe wyoming"),
    ("dictation", "dictation", "hotkey:hotkeys hotkey_x11:hotkeys.x11"),
    ("dictation", "live", "embedded:stream"),
    ("engine", "", "recent:rolling"),
    ("engine", "cluster", "cluster:recognizer deployment dispatch load:time_average"),
    ("engine", "cluster", "pasts:past_cache roster:worker_table routing wire worker"),
    ("engine", "engine", "heap:malloc"),
    ("engine", "live", "scheduler"),
    ("longform", "transcription", "chunked chunks hallucination options parts segments"),
    ("longform", "transcription", "sequential stitching"),
    ("phrasing", "phrasing", "context:disambiguation page:text_buffer reading:interpreter"),
    ("phrasing", "phrasing", "table:language_table"),
    ("server", "live", "inquiry:driver"),
    ("server", "server", "binding:sockets running:run signals:run"),
    ("server", "server.access", "keys limits origins proxies refusal:rejection tls"),
    ("server", "server.publishing", "recording:recorder recovery rooms"),
    ("server", "server.sessions", "account:telemetry faults:close_errors opening:startup outcome"),
    ("server", "server.sessions", "parking:resumable reception:admission"),
    ("server", "server.websocket", "answers:http_endpoints connection keepalive outlet:sender"),
    ("server", "server.websocket", "pages:static_files"),
    ("server.dialects", "server.publishing", "witness:observers"),
    ("server.dialects", "server.websocket", "entrance:routes"),
    ("server.dialects.deepgram", "server.dialects.deepgram", "answers:handshake sound:audio"),
    ("server.dialects.deepgram", "server.dialects.deepgram", "heard:transcript_state"),
    ("server.dialects.deepgram", "server.dialects.deepgram", "wording:formatting"),
    (
        "server.dialects",
        "server.dialects",
        "openai_realtime.listening:openai_realtime.session_options",
    ),
    ("server.rest", "server.rest", "order:request sound:upload_audio"),
    ("session", "session", "transcript:event_builder"),
    ("whisper", "", "languages"),
    ("whisper", "checkpoints", "adapter:lora cache:model_cache catalog checkpoints:checkpoint"),
    ("whisper", "checkpoints", "conversion:convert ctranslate2 hub"),
    ("whisper", "whisper", "generation:generation_config"),
    ("whisper", "checkpoints", "huggingface:safetensors_names layout:model_folder"),
    ("whisper", "checkpoints", "mapping:mapped_file pickled:openai_pickle"),
    ("whisper", "checkpoints", "repository:hub_repository sources:download"),
    ("whisper", "whisper", "abreast:batched_encoder branch:beam guard:guards"),
    ("whisper", "whisper", "output:output_layer rows:kv_cache rules:logit_filters"),
    ("whisper", "whisper", "settled:encoded_prefix static:static_decoder vocabulary:biasing"),
]

# In which module, and the names: ``old:new``, with the new module where it is another one.
_NAMES = {
    "checkpoints.download": "Progress:DownloadProgress",
    "checkpoints.hub": "Progress:checkpoints.download.DownloadProgress",
    "audio.container": "Resampler:audio.resampling.Resampler",
    "audio.files": "declared_seconds:audio.durations.declared_seconds",
    "audio.mel": "WINDOW:audio.constants.N_FFT",
    "cli": "app:cli.main.app",
    "cli.recordings": "Outlet:OutputWriter",
    "client.event_queue": "Inbox:EventQueue",
    "client.protocol": "Conversation:ClientProtocol",
    "client.replay_buffer": "Journal:ReplayBuffer",
    "cluster.past_cache": "Pasts:PastCache",
    "cluster.time_average": "Load:TimeAverage",
    "cluster.worker_table": "Roster:WorkerTable",
    "dictation.settings": "Listening:ListeningSettings",
    "dictation.switch": "Shutter:PushToTalkBuffer",
    "live.driver": "Inquiry:SessionDriver",
    "live.stream": "EmbeddedStream:LiveStream",
    "phrasing.interpreter": "Reader:Interpreter Step:InterpretedStep",
    "phrasing.language_table": "Table:LanguageTable",
    "phrasing.text_buffer": "Page:TextBuffer",
    "rolling": "Recent:RollingStats",
    "server.access": "Access:server.access.policy.AccessPolicy Visitor:server.access.policy.Client "
    "AccessOptions:server.access.policy.AccessOptions",
    "server.access.limits": "Allowance:Quota Pace:RateLimiter",
    "server.access.rejection": "Refusal:HandshakeRejected",
    "server.dialects": "CLIENT_FAULT:server.dialect.CLIENT_FAULT Close:server.dialect.Close "
    "Dialect:server.dialect.Dialect GOING_AWAY:server.dialect.GOING_AWAY "
    "NORMAL:server.dialect.NORMAL OnError:server.dialect.OnError Query:server.dialect.Query "
    "Resumable:server.dialect.Resumable SERVER_FAULT:server.dialect.SERVER_FAULT "
    "TOO_BIG:server.dialect.TOO_BIG TRY_AGAIN_LATER:server.dialect.TRY_AGAIN_LATER",
    "server.dialects.deepgram.audio": "Sound:StreamAudio SoundOptions:StreamAudioOptions",
    "server.dialects.deepgram.dialect": "Listener:ChannelListener",
    "server.dialects.deepgram.formatting": "Wording:FormattedText WordingOptions:FormattingOptions",
    "server.dialects.deepgram.messages": "Stream:StreamMetadata",
    "server.dialects.deepgram.transcript_state": "Heard:TranscriptState",
    "server.dialects.openai_realtime.items": "Listening:ItemOptions",
    "server.publishing.observers": "Overheard:ObservedSession "
    "Refused:server.access.rejection.SessionRejected Witness:SessionObserver Witnesses:Observers",
    "server.rest.deepgram": "DeepgramDialect:DeepgramRestDialect",
    "server.rest.forms": "Field:FormField",
    "server.rest.openai": "OpenAiDialect:OpenAiRestDialect",
    "server.rest.request": "Order:TranscriptionRequest",
    "server.sessions.admission": "Reception:Admission",
    "server.sessions.resumable": "Parking:ResumableSessions",
    "server.sessions.startup": "Opening:Startup",
    "server.sessions.telemetry": "Account:SessionTelemetry",
    "server.websocket.http_endpoints": "Answers:HttpEndpoints",
    "server.websocket.routes": "ENTRANCES:ROUTES Entrance:Route",
    "server.websocket.sender": "Outlet:Sender",
    "server.websocket.static_files": "Pages:StaticFiles",
    "server.wyoming.port": "Guest:server.sessions.active_connections.ActiveConnection",
    "session.event_builder": "Transcript:EventBuilder",
    "session.language": "Detection:LanguageDetection",
    "session.listener": "Listener:AudioListener",
    "transcription.chunked": "Heard:ChunkHypothesis",
    "transcription.segments": "Window:SegmentWindow",
    "transcription.transcribe": "Sound:audio.files.AudioInput",
    "whisper.alignment": "SECONDS_PER_POSITION:audio.constants.SECONDS_PER_POSITION",
    "whisper.batched_encoder": "encode_abreast:encode_batched",
    "whisper.biasing": "Vocabulary:BiasVocabulary get_vocabulary:get_bias_vocabulary",
    "whisper.encoded_prefix": "SettledSound:EncodedPrefix",
    "whisper.generation_config": "declared_generation:"
    "checkpoints.declared_generation.declared_generation",
    "whisper.kv_cache": "Branches:TreeBranches KeysValues:KeyValues Seat:BatchSlot "
    "SettledText:DecodedPrefix SoundBatch:EncodedBatch",
    "whisper.logit_filters": "TokenRules:LogitFilters",
    "whisper.model": "joined:whisper.kv_cache.joined",
    "whisper.tail": "EncodedSound:EncodedAudio",
}


def _dotted(*parts: str) -> str:
    return ".".join(["streamwhisper", *filter(None, parts)])


MODULES = {
    _dotted(old, pair.partition(":")[0]): _dotted(new, pair.rpartition(":")[2])
    for old, new, pairs in _MODULES
    for pair in pairs.split()
}
"""The new module of each old one."""

NAMES = {
    _dotted(module): {
        old: (_dotted(new.rpartition(".")[0] or module), new.rpartition(".")[2])
        for old, new in (pair.split(":") for pair in pairs.split())
    }
    for module, pairs in _NAMES.items()
}
"""The old names of each module, with the module and the name that replace them."""


class _MovedLoader(Loader):
    """Puts the new module in place of an old one."""

    def exec_module(self, module: ModuleType) -> None:
        old = module.__name__
        warnings.warn(f"{old} is now {MODULES[old]}", DeprecationWarning, stacklevel=2)
        sys.modules[old] = import_module(MODULES[old])


class _RenamedLoader(SourceFileLoader):
    """Adds the old names to a module."""

    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        names = NAMES[module.__name__]

        def old_name(name: str) -> object:
            if name not in names:
                raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
            home, new = names[name]
            warnings.warn(
                f"{module.__name__}.{name} is now {home}.{new}", DeprecationWarning, stacklevel=2
            )
            return getattr(import_module(home), new)

        module.__dict__.setdefault("__getattr__", old_name)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in MODULES:
            return ModuleSpec(fullname, _MovedLoader())
        if fullname not in NAMES:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec and spec.origin and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _RenamedLoader(fullname, spec.origin)
        return spec


def install() -> None:
    """Have old paths and names work in this process."""
    sys.meta_path.insert(0, _Finder())
