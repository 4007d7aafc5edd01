"""The configuration: which one, and what of it has no effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.cli.checks.finding import Finding, ok, problem, sentence, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qavix_watch.cli.checks.case import Case
    from qavix_watch.errors import ConfigError


def configuration(case: Case) -> Iterator[Finding]:
    """The file, and the keys of it that this version does not act on yet."""
    settings = case.settings
    where = f"{settings.source} is in order." if settings.source else "There is no file; the defaults hold, and the environment."
    yield ok(where)
    for variable in _variables(case.environ):
        yield ok(f"{variable} in the environment goes before the file.")
    for key in settings.without_effect:
        yield warning(f"This version does not act on `{key}` yet.", "Leave it for later, or take it out.")


def _variables(environ: Mapping[str, str]) -> list[str]:
    from qavix_watch.config.sources import CONFIG_VARIABLE, variables

    return sorted(name for name in variables(environ) if name != CONFIG_VARIABLE and "__" in name)


def refused(error: ConfigError) -> list[Finding]:
    """A configuration that cannot be used: a line for each thing that is wrong with it."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return [problem(sentence(line), error.hint) for line in lines]
