"""``streamwhisper serve``: a server, by flags, environment and a file."""

from __future__ import annotations

import os
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamwhisper.cli.announcement import announce, open_page, page_at
from streamwhisper.cli.flags import (
    DEFAULT_ADDRESS,
    DEFAULT_MODEL,
    Adapter,
    Address,
    Compile,
    Device,
    Dtype,
    Endpoint,
    Engine,
    HowSoon,
    Languages,
    Latency,
    Model,
    Precision,
    Threads,
    WhatEnds,
    option,
    split_names,
)
from streamwhisper.cli.loading import check_ray, hub_options, load_model, load_remote
from streamwhisper.cli.rest import (
    MaxUploadBytes,
    MaxUploadSeconds,
    RestPort,
    Transcriptions,
    UploadTimeout,
    rest_options,
)
from streamwhisper.cli.settings import read_settings, show_settings
from streamwhisper.cli.wyoming import Port, SaysTheEnd, Zeroconf, wyoming_options

if TYPE_CHECKING:
    from streamwhisper.recognition import Recognizer
    from streamwhisper.server.access.keys import Key
    from streamwhisper.server.access.limits import Quota

__all__ = ["serve"]

access_option = partial(option, rich_help_panel="Who may come in")
tls_option = partial(option, rich_help_panel="Encryption")
limit = partial(option, rich_help_panel="Limits")
operation = partial(option, rich_help_panel="Operation")

_SHORT = 16  # characters of a key that can be guessed


class Tls(StrEnum):
    """Certificates that need no file."""

    self_signed = "self-signed"


class LogFormat(StrEnum):
    """How a line of the log looks."""

    text = "text"
    json = "json"


class LogLevel(StrEnum):
    """What is worth a line in the log."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def serve(
    context: typer.Context,
    model: Model = DEFAULT_MODEL,
    host: Annotated[
        str | None,
        option(
            "--host",
            help="Address to listen on. Default: 127.0.0.1; with --tls self-signed 0.0.0.0, "
            "which is everywhere.",
        ),
    ] = None,
    port: Annotated[int, option("--port", min=0, max=65535, help="0: a free one.")] = 8765,
    device: Device = "auto",
    dtype: Precision = Dtype.auto,
    threads: Threads = None,
    adapter: Adapter = None,
    compiled: Compile = False,
    engine: Annotated[
        Engine,
        option("--engine", help="In this process, or by the workers of a Ray cluster."),
    ] = Engine.local,
    address: Address = DEFAULT_ADDRESS,
    latency: HowSoon = Latency.balanced,
    endpoint: WhatEnds = Endpoint.sentence,
    languages: Languages = None,
    token: Annotated[
        list[str] | None,
        access_option(
            "--token",
            help="A key that clients need; may be given often. Other users of the machine can "
            "read what a command is given: the variable and --tokens tell less.",
        ),
    ] = None,
    tokens: Annotated[
        Path | None, access_option("--tokens", help="TOML file of keys, names and limits.")
    ] = None,
    origin: Annotated[
        list[str] | None,
        access_option(
            "--origin",
            help="Web pages of another host that may come, such as https://captions.example; "
            "*: all. May be given often.",
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        access_option(
            "--trusted-proxy",
            help="Address or network of a proxy of yours, which is believed when it says in "
            "X-Forwarded-For who asks. May be given often.",
        ),
    ] = None,
    tls: Annotated[
        Tls | None,
        tls_option(
            "--tls",
            help="Make a certificate, keep it, and print the address for the local network.",
        ),
    ] = None,
    tls_cert: Annotated[Path | None, tls_option("--tls-cert", help="PEM file.")] = None,
    tls_key: Annotated[
        Path | None, tls_option("--tls-key", help="PEM file, if it is another one.")
    ] = None,
    max_sessions: Annotated[
        int,
        limit("--max-sessions", min=1, help="Clients at a time; further ones are told to wait."),
    ] = 100,
    sessions_per_key: Annotated[
        int | None, limit("--sessions-per-key", min=1, help="Likewise.")
    ] = None,
    sessions_per_address: Annotated[
        int | None, limit("--sessions-per-address", min=1, help="Likewise.")
    ] = None,
    session_seconds: Annotated[
        float | None, limit("--session-seconds", help="How long one may last.")
    ] = None,
    audio_rate: Annotated[
        float | None,
        limit(
            "--audio-rate",
            min=2,
            help="How many times faster than real time sound may come; faster clients are "
            "slowed down. Default: as fast as the machine can.",
        ),
    ] = None,
    audio_burst: Annotated[
        float,
        limit("--audio-burst", min=1, help="Seconds of sound that may come at once nevertheless."),
    ] = 60.0,
    max_viewers: Annotated[
        int, limit("--max-viewers", min=0, help="Who may read along at a time, in all rooms.")
    ] = 1000,
    max_text_bytes: Annotated[
        int, limit("--max-text-bytes", min=256, help="Size of a frame of text.")
    ] = 64 * 1024,
    max_message_bytes: Annotated[
        int, limit("--max-message-bytes", min=256, help="Size of a frame of audio.")
    ] = 1024 * 1024,
    handshake_timeout: Annotated[
        float, limit("--handshake-timeout", help="Seconds until a connection is open, or dropped.")
    ] = 10.0,
    start_timeout: Annotated[
        float, limit("--start-timeout", help="Seconds from there to its start.")
    ] = 10.0,
    idle_timeout: Annotated[
        float, limit("--idle-timeout", help="Seconds without a message until a session is ended.")
    ] = 300.0,
    send_timeout: Annotated[
        float, limit("--send-timeout", help="Seconds that a client may leave its text unread.")
    ] = 20.0,
    wyoming_port: Port = None,
    wyoming_endpoint: SaysTheEnd = False,
    zeroconf: Zeroconf = False,
    drain: Annotated[
        float,
        operation("--drain", min=0, help="Seconds in which clients are heard out when it stops."),
    ] = 10.0,
    resume: Annotated[
        float,
        operation(
            "--resume", min=0, help="Seconds that a session whose connection is lost is kept."
        ),
    ] = 30.0,
    max_wait: Annotated[
        float,
        limit(
            "--max-wait",
            min=0,
            help="Seconds requests may wait before new clients are refused; 0: any.",
        ),
    ] = 0.1,
    rest_port: RestPort = None,
    max_upload_bytes: MaxUploadBytes = 100 * 1024 * 1024,
    max_upload_seconds: MaxUploadSeconds = 7200.0,
    upload_timeout: UploadTimeout = 300.0,
    transcriptions: Transcriptions = 1,
    open_browser: Annotated[
        bool, operation("--open", help="Show the page of captions in a browser.")
    ] = False,
    record: Annotated[
        Path | None,
        operation("--record", help="Folder for each session's text: JSONL, SRT, VTT."),
    ] = None,
    record_audio: Annotated[
        bool, operation("--record-audio", help="Keep the sound there, too (WAV).")
    ] = False,
    log_format: Annotated[
        LogFormat, operation("--log-format", help="For people or programs.")
    ] = LogFormat.text,
    log_level: Annotated[
        LogLevel, operation("--log-level", help="The least that is said.")
    ] = LogLevel.info,
    log_text: Annotated[
        bool, operation("--log-text", help="Write what is committed to the log, too.")
    ] = False,
    config: Annotated[
        Path | None,
        operation(
            "--config",
            is_eager=True,
            callback=read_settings,
            help="TOML file of these settings; flags and environment go before it.",
        ),
    ] = None,
    print_config: Annotated[
        bool,
        typer.Option(
            "--print-config",
            rich_help_panel="Operation",
            help="Print all settings and where they come from, as such a file, and exit.",
        ),
    ] = False,
) -> None:
    """Serve clients over WebSockets until Ctrl-C."""
    host = host or ("127.0.0.1" if tls is None else "0.0.0.0")
    if print_config:
        typer.echo(show_settings(context, {"host": host}, secrets=["token"]))
        return
    import logging

    from streamwhisper.checkpoints.hub import check_name
    from streamwhisper.engine.malloc import release_free_memory, share_one_arena
    from streamwhisper.live.scheduler import SchedulerOptions
    from streamwhisper.server.access.limits import Limits, Quota
    from streamwhisper.server.access.origins import is_loopback
    from streamwhisper.server.access.policy import AccessOptions
    from streamwhisper.server.access.proxies import parse_network
    from streamwhisper.server.access.tls import load_certificate
    from streamwhisper.server.app import ServerOptions
    from streamwhisper.server.logs import configure
    from streamwhisper.server.publishing.recorder import RecordingOptions
    from streamwhisper.server.publishing.rooms import RoomOptions
    from streamwhisper.server.run import run
    from streamwhisper.server.sessions.startup import Loading
    from streamwhisper.session.endpoint import EndpointOptions
    from streamwhisper.session.language import LanguageDetection
    from streamwhisper.session.options import SessionOptions
    from streamwhisper.whisper.languages import language_code

    configure(log_format.value, log_level.value, committed=log_text)
    if record_audio and record is None:
        raise typer.BadParameter("--record-audio needs --record, the folder to keep it in")
    try:
        allowance = Quota(sessions_per_key, audio_rate, audio_burst, session_seconds)
        limits = Limits(
            max_sessions=max_sessions,
            max_sessions_per_address=sessions_per_address,
            max_text_bytes=max_text_bytes,
            max_message_bytes=max_message_bytes,
            handshake_timeout=handshake_timeout,
            start_timeout=start_timeout,
            idle_timeout=idle_timeout,
            send_timeout=send_timeout,
            drain_timeout=drain,
            resume_timeout=resume,
        )
        keys = _keys(token or [], tokens, allowance)
        proxies = tuple(parse_network(proxy) for proxy in trusted_proxy or ())
        access = AccessOptions(keys, tuple(origin or ()), allowance, proxies)
        files = _certificate(tls, tls_cert, tls_key)
        encryption = load_certificate(*files) if files else None
        wyoming = wyoming_options(wyoming_port, endpointing=wyoming_endpoint, zeroconf=zeroconf)
        rest = rest_options(
            rest_port, max_upload_bytes, max_upload_seconds, upload_timeout, transcriptions
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if not keys and not is_loopback(host):
        logging.getLogger(__name__).warning(
            "everybody who can reach %s may use this server: it has no keys; set --token, "
            "--tokens or STREAMWHISPER_TOKEN",
            host,
        )
    elif wyoming_port is not None and not is_loopback(host):
        logging.getLogger(__name__).warning(
            "everybody who can reach %s:%d may use this server there without a key, for Wyoming "
            "has none; leave --wyoming-port out, or let a firewall see to it",
            host,
            wyoming_port,
        )
    if engine is Engine.ray:  # before the port is open
        check_ray()
    else:
        check_name(model, hub_options())
    among = tuple(map(language_code, split_names(languages)))  # likewise
    share_one_arena()

    leaving = ExitStack()

    def load() -> tuple[Recognizer, SchedulerOptions]:
        if engine is Engine.ray:
            return load_remote(model, address, among, leaving)
        recognizer = load_model(model, device, dtype, threads, adapter, compiled=compiled)
        recognizer.info.check_languages(among)
        recognizer.warm_up()
        release_free_memory()
        return recognizer, SchedulerOptions(recognizer.batch, recognizer.workers)

    def ready(url: str) -> None:
        announce(url, files[0] if files else None)
        if open_browser:
            open_page(page_at(url))

    options = ServerOptions(
        host=host,
        port=port,
        tls=encryption,
        access=access,
        limits=limits,
        session=SessionOptions(
            LanguageDetection(among), endpoint=EndpointOptions(endpoint.value)
        ).tuned(latency.value),
        max_wait=max_wait or None,
        rooms=RoomOptions(max_viewers),
        wyoming=wyoming,
        recording=RecordingOptions(record, audio=record_audio) if record else None,
        rest=rest,
    )
    loading = Loading(load)
    with leaving:
        run(loading, options, ready=ready)
    if loading.under_way:
        os._exit(0)  # a thread in the midst of torch would abort the interpreter's own end


def _keys(secrets: list[str], file: Path | None, allowance: Quota) -> tuple[Key, ...]:
    import logging

    from streamwhisper.server.access.keys import Key, read_keys

    for number, secret in enumerate(secrets, 1):
        if len(secret) < _SHORT:
            logging.getLogger(__name__).warning(
                "key %d has %d characters and can be guessed; %d or more are better",
                number,
                len(secret),
                _SHORT,
            )
    given = tuple(
        Key.of(f"token-{number}", secret, allowance) for number, secret in enumerate(secrets, 1)
    )
    return (*given, *(read_keys(file, allowance) if file is not None else ()))


def _certificate(
    tls: Tls | None, cert: Path | None, key: Path | None
) -> tuple[Path, Path | None] | None:
    """The files of the certificate and of its key; None: nothing is encrypted."""
    from streamwhisper.server.access.tls import self_signed

    if tls is not None and (cert or key):
        raise ValueError("--tls self-signed makes its own certificate; leave --tls-cert out")
    if key is not None and cert is None:
        raise ValueError("--tls-key needs --tls-cert, the certificate that it belongs to")
    if tls is not None:
        return self_signed(hub_options().cache_dir / "tls")
    return (cert, key) if cert is not None else None
