"""Reading the configuration: find the file, merge the environment over it, check all of it, report every problem."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from qavix_watch.config.problems import not_text, sentences, unknown_variables
from qavix_watch.config.settings import Settings
from qavix_watch.config.sources import EnvironSource, Tree, TreeSource, anchor, find, home, host_defaults, read, variables
from qavix_watch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def load(path: str | None, environ: Mapping[str, str]) -> Settings:
    """The settings from the file `path` (None: the first of the usual places that exists) with the environment over it.

    ConfigError lists every problem, one to a line, each with its key, the file or variable that sets it, and the mend.
    Relative paths begin at the file's directory, and for variables at the current one.
    """
    file = find(path, environ)
    at_home = home(environ)
    from_file = anchor(read(file), os.path.dirname(file), at_home) if file else {}
    from_environ = anchor(EnvironSource(environ)(), os.getcwd(), at_home) if any(variables(environ)) else {}
    problems = list(unknown_variables(environ))
    try:
        settings = _checked(from_environ, from_file, host_defaults(environ))
    except UnicodeEncodeError:  # pydantic's, where it is to say what is wrong with such a text
        raise ConfigError("\n".join([*problems, *not_text(environ)])) from None
    except ValidationError as error:
        raise ConfigError("\n".join([*problems, *sentences(error, file, environ)])) from None
    if problems:
        raise ConfigError("\n".join(problems))
    return settings.noting(file, dict.fromkeys([*_dotted(from_file), *_dotted(from_environ)]))


def _checked(*trees: Tree) -> Settings:
    """Settings from trees, of which the first that sets a key wins."""
    arguments: Tree = {"_build_sources": (tuple(TreeSource(tree) for tree in trees), {})}
    return Settings(**arguments)


def _dotted(tree: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The dotted keys that a tree sets. Keys below the second level, and those of arrays of tables, are named once."""
    for key, value in tree.items():
        tables = [value] if isinstance(value, dict) else value if isinstance(value, list) else []
        if not above and tables:
            for table in tables:
                yield from _dotted(table, f"{key}.")
        else:
            yield above + key
