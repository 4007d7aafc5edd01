"""`python -m qavix_watch.sandbox --speed 10`: the sandbox by itself."""

from __future__ import annotations

import argparse
from dataclasses import fields

from qavix_watch.sandbox.options import SandboxOptions
from qavix_watch.sandbox.server import serve

_FLAGS: dict[str, tuple[type, str]] = {
    "host": (str, "address to listen on"),
    "port": (int, "port to listen on; 0 takes a free one"),
    "public_origin": (str, "what the URLs that it gives out begin with, where a proxy stands before it"),
    "api_key": (str, "the API key that is accepted"),
    "speed": (float, "how many times faster than life tasks are"),
    "credits": (int, "the balance of a new state"),
    "requests_per_minute": (int, "rate limit"),
    "queries_per_second": (int, "rate limit"),
    "grant_seconds": (float, "how long an upload URL is good"),
    "link_seconds": (float, "how long a file URL is good"),
    "result_seconds": (float, "how long a result URL is good"),
    "pending_seconds": (float, "how long a task waits, at speed 1"),
    "seconds_per_minute": (float, "work for a minute of media, at speed 1"),
    "floor_seconds": (float, "the shortest work, at speed 1"),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m qavix_watch.sandbox", description="A stand-in of the whole Qavix service.")
    defaults = {field.name: field.default for field in fields(SandboxOptions)}
    for name, (kind, text) in _FLAGS.items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=kind, default=defaults[name], help=f"{text} (default %(default)s)")
    parser.add_argument("--dir", dest="directory", default=None, help="keep the state here (default: a temporary directory)")
    parser.add_argument("--no-dedupe", dest="dedupe", action="store_false", help="never say that content is held already")
    parser.add_argument("--access-log", action="store_true", help="log each request")
    return parser.parse_args()


def main() -> None:
    options = SandboxOptions(**vars(_arguments()))
    serve(options, lambda base_url: print(f"listening on {base_url}", flush=True))  # noqa: T201 - what callers wait for


if __name__ == "__main__":
    main()
