"""`--help` in whole sentences, and without the types of Python."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

_TYPE = re.compile(r" <[^<>]*>$")
_END_OF_SENTENCE = re.compile(r"(?<=\.)\s")


class Command(TyperCommand):
    """A command as typer makes it, but for its help: the list of commands cuts no sentence, and a file is a FILE and no `<str>`."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """The first sentence of the help, whole, however long a line may be (`limit`): it is folded where it is printed."""
        del limit
        return _END_OF_SENTENCE.split(" ".join((self.help or "").split()), maxsplit=1)[0]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and the options, each with what it is for."""
        for title, kind in (("Arguments", "argument"), ("Options", "option")):
            told = [param.get_help_record(ctx) for param in self.get_params(ctx) if param.param_type_name == kind]
            rows = [(_TYPE.sub("", record[0]), record[1]) for record in told if record is not None]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
