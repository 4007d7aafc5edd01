"""`qavix-watch sandbox`: the stand-in of the whole Qavix service."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from qavix_watch.cli.options import Config, Json  # noqa: TC001 - typer reads the annotations

if TYPE_CHECKING:
    from collections.abc import Callable

    from qavix_watch.sandbox import SandboxOptions

PORT = 8430


def sandbox(
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="Port to listen on; 0 takes a free one.")] = PORT,
    api_key: Annotated[str, typer.Option(metavar="KEY", help="The API key that it accepts.")] = "sandbox-key",
    directory: Annotated[
        str | None, typer.Option("--dir", metavar="DIR", help="Keep its state here (default: a folder that goes away at the end).")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.01, metavar="N", help="How many times faster than life tasks are.")] = 1.0,
    credits: Annotated[int, typer.Option(min=0, metavar="N", help="The balance of a new state.")] = 100_000,  # noqa: A002 - the option's name
    rpm: Annotated[int, typer.Option(min=1, metavar="N", help="Rate limit: requests a minute.")] = 6000,
    qps: Annotated[int, typer.Option(min=1, metavar="N", help="Rate limit: requests a second.")] = 100,
    access_log: Annotated[bool, typer.Option("--access-log", help="Log each request.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run a stand-in of the Qavix service.

    The whole of it on this machine: API, storage, results and callbacks. Ctrl-C ends it.

    Example: qavix-watch sandbox --speed 10
    """
    from qavix_watch.sandbox import SandboxOptions

    options = SandboxOptions(
        host=host, port=port, api_key=api_key, speed=speed, credits=credits, directory=directory,
        requests_per_minute=rpm, queries_per_second=qps, access_log=access_log,
    )  # fmt: skip
    _serve(options, lambda base_url: _announce(base_url, api_key, config, as_json=as_json))


def _serve(options: SandboxOptions, ready: Callable[[str], None]) -> None:
    from qavix_watch.errors import QavixWatchError
    from qavix_watch.sandbox import serve

    try:
        serve(options, ready)
    except BrokenPipeError:
        raise
    except BlockingIOError as error:
        raise QavixWatchError(
            f"another sandbox works in {options.directory}", hint="Stop that one, or name another folder with --dir."
        ) from error
    except OSError as error:
        where = error.filename or f"{options.host}, port {options.port}"
        raise QavixWatchError(
            f"the sandbox cannot be started: {error.strerror or error} ({where})",
            hint="Choose another port with --port (0 takes a free one), another address with --host, or another folder with --dir.",
        ) from error


def _announce(base_url: str, api_key: str, config: str | None, *, as_json: bool) -> None:
    """Say where it is, and how to try it."""
    from qavix_watch.cli.context import print_json, shown

    environ = {"QAVIX_WATCH_API__BASE_URL": base_url, "QAVIX_API_KEY": api_key}
    if as_json:
        print_json({"base_url": base_url, "api_key": api_key, "environment": environ})
        return
    run = "qavix-watch run" + (f" --config {shlex.quote(config)}" if config else "")
    lines = [
        f"The sandbox answers at {base_url} to the key {api_key}",
        "To try it, in another terminal:",
        *(f"  export {name}={shlex.quote(value)}" for name, value in environ.items()),
        f"  {run}",
        "Ctrl-C ends it.",
    ]
    typer.echo("\n".join(map(shown, lines)))
