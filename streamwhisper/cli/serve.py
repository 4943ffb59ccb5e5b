"""``streamwhisper serve``: the server, configured by flags, environment and a TOML file."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from streamwhisper.cli.announcement import announce, open_page, page_at
from streamwhisper.cli.flags import (
    DEFAULT_ADDRESS,
    Address,
    DetectionFlag,
    LiveFlags,
    ModelFlags,
    option,
)
from streamwhisper.cli.groups import grouped
from streamwhisper.cli.loading import check_ray, hub_options, load_model, load_remote
from streamwhisper.cli.rest import RestFlags
from streamwhisper.cli.server_flags import (
    AccessFlags,
    EncryptionFlags,
    LogFlags,
    QuotaFlags,
    RecordingFlags,
    StopFlags,
    TrafficFlags,
)
from streamwhisper.cli.settings import read_settings, show_settings
from streamwhisper.cli.wyoming import WyomingFlags

if TYPE_CHECKING:
    from ssl import SSLContext

    from streamwhisper.live.scheduler import SchedulerOptions
    from streamwhisper.recognition import Recognizer
    from streamwhisper.server.app import ServerOptions

__all__ = ["serve"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ListenFlags:
    """Flags for the server's address."""

    host: Annotated[
        str | None,
        option(
            "--host",
            help="Address to listen on. Default: 127.0.0.1; with --tls self-signed 0.0.0.0, "
            "i.e. every interface.",
        ),
    ] = None
    port: Annotated[
        int, option("--port", min=0, max=65535, help="Port to listen on; 0: a free one.")
    ] = 8765


@dataclass(frozen=True, slots=True)
class EngineFlags:
    """Flags for the engine: this process or a cluster."""

    engine: Annotated[
        Literal["local", "ray"],
        option("--engine", help="Recognize in this process, or on a Ray cluster's workers."),
    ] = "local"
    address: Address = DEFAULT_ADDRESS


@dataclass(frozen=True, slots=True)
class ConfigFlags:
    """Flags for the settings file and the browser."""

    open_browser: Annotated[
        bool,
        option("--open", rich_help_panel="Operation", help="Open the captions page in a browser."),
    ] = False
    config: Annotated[
        Path | None,
        option(
            "--config",
            rich_help_panel="Operation",
            is_eager=True,
            callback=read_settings,
            help="TOML file of these settings; flags and environment variables override it.",
        ),
    ] = None
    print_config: Annotated[
        bool,
        typer.Option(
            "--print-config",
            rich_help_panel="Operation",
            help="Print all settings and their sources as such a file, and exit.",
        ),
    ] = False


@grouped
def serve(
    context: typer.Context,
    listen: ListenFlags,
    model: ModelFlags,
    engine: EngineFlags,
    detection: DetectionFlag,
    live: LiveFlags,
    access: AccessFlags,
    encryption: EncryptionFlags,
    quotas: QuotaFlags,
    traffic: TrafficFlags,
    wyoming: WyomingFlags,
    rest: RestFlags,
    stop: StopFlags,
    recording: RecordingFlags,
    logs: LogFlags,
    config: ConfigFlags,
) -> None:
    """Start the speech server and the captions page.

    \b
    Examples:
      streamwhisper serve --open                      # captions in the browser
      streamwhisper serve --model base --latency low  # any language, fresher
      streamwhisper serve --tls self-signed           # for the local network
      streamwhisper serve --rest-port 8766            # also transcribe uploads
      streamwhisper serve --config serve.toml         # settings from a file

    Every flag has an environment variable: STREAMWHISPER_ and its name, e.g.
    STREAMWHISPER_MAX_SESSIONS for --max-sessions.
    """
    from streamwhisper.checkpoints.hub import check_name
    from streamwhisper.engine.malloc import share_one_arena
    from streamwhisper.server.options import FeatureOptions, ServerOptions
    from streamwhisper.server.publishing.rooms import RoomOptions
    from streamwhisper.server.run import run
    from streamwhisper.server.sessions.startup import Loading

    host = listen.host or ("127.0.0.1" if encryption.tls is None else "0.0.0.0")
    if config.print_config:
        typer.echo(show_settings(context, {"host": host}, secrets=["token"]))
        return
    logs.configure()
    among = detection.tags()
    try:
        certificate = encryption.files()
        options = ServerOptions(
            host=host,
            port=listen.port,
            tls=_tls_context(certificate),
            access=access.access_options(quotas.quota()),
            limits=traffic.limits(quotas, stop),
            session=live.session_options(None, among),
            max_wait=quotas.max_wait or None,
            features=FeatureOptions(
                recording=recording.recording_options(),
                rooms=RoomOptions(quotas.max_viewers, quotas.viewers_per_address),
                wyoming=wyoming.wyoming_options(),
                rest=rest.rest_options(),
            ),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    _warn_if_open(options)
    if engine.engine == "ray":  # before the port is open
        check_ray()
    else:
        check_name(model.model, hub_options())
    share_one_arena()

    with ExitStack() as leaving:
        loading = Loading(partial(_load, model, engine, among, leaving))
        run(
            loading,
            options,
            ready=partial(_announce, certificate, open_browser=config.open_browser),
        )
    if loading.under_way:
        os._exit(0)  # a thread that is still inside torch would abort the interpreter's exit


def _tls_context(files: tuple[Path, Path | None] | None) -> SSLContext | None:
    from streamwhisper.server.access.tls import load_certificate

    return load_certificate(*files) if files else None


def _warn_if_open(options: ServerOptions) -> None:
    """Warn when clients on other machines need no access token."""
    from streamwhisper.server.access.origins import is_loopback

    if is_loopback(options.host):
        return
    if not options.access.keys:
        log.warning(
            "no access token is set: every client that can reach %s may use this server; set "
            "--token, --tokens or STREAMWHISPER_TOKEN",
            options.host,
        )
    elif options.features.wyoming is not None:
        log.warning(
            "Wyoming has no access tokens: every client that can reach %s:%d may use this server; "
            "leave out --wyoming-port or restrict the port with a firewall",
            options.host,
            options.features.wyoming.port,
        )


def _load(
    model: ModelFlags, engine: EngineFlags, among: tuple[str, ...], leaving: ExitStack
) -> tuple[Recognizer, SchedulerOptions]:
    """Load the model, or join the cluster that serves it; `leaving` closes it."""
    from streamwhisper.cli.nodes import use_token
    from streamwhisper.engine.malloc import release_free_memory
    from streamwhisper.live.scheduler import SchedulerOptions

    if engine.engine == "ray":
        use_token(engine.address)
        return load_remote(model.model, engine.address, among, leaving)
    recognizer = load_model(model)
    recognizer.info.check_languages(among)
    recognizer.warm_up()
    release_free_memory()
    return recognizer, SchedulerOptions(recognizer.batch, recognizer.workers)


def _announce(
    certificate: tuple[Path, Path | None] | None, url: str, *, open_browser: bool
) -> None:
    announce(url, certificate[0] if certificate else None)
    if open_browser:
        open_page(page_at(url))
