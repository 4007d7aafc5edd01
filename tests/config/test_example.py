"""The commented configuration is complete, true, and valid in every state of being uncommented."""

from __future__ import annotations

import re
import tomllib
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from qavix_watch.config import Settings, example, load
from qavix_watch.config.sources import host_defaults

HOME = {"HOME": "/home/somebody"}
KEY_LINE = re.compile(r"^#([a-z_.]+) = ", re.MULTILINE)


def uncommented() -> str:
    return re.sub(r"^#(?=\S)", "", example(), flags=re.MULTILINE)


def loaded(tmp_path: Any, text: str) -> Settings:
    file = tmp_path / "qavix-watch.toml"
    file.write_text(text, encoding="utf-8")
    return load(str(file), HOME)


def model_of(section: str) -> type[BaseModel] | None:
    annotation = Settings.model_fields[section].annotation
    kinds = (annotation, *get_args(annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def keys_of_models() -> set[str]:
    keys = set()
    for section in Settings.model_fields:
        model = model_of(section)
        for key, field in (model.model_fields if model else {}).items():
            nested = field.annotation
            if isinstance(nested, type) and issubclass(nested, BaseModel):
                keys |= {f"{section}.{key}.{inner}" for inner in nested.model_fields}
            else:
                keys.add(f"{section}.{key}")
    return keys


def keys_of_example() -> dict[str, str]:
    """Every commented key with the comment that stands above it, or above the keys right before it."""
    found, section, comment, last = {}, "", "", ""
    for line in example().splitlines():
        header, key = re.match(r"^#?\[\[?([a-z_]+)\]\]?$", line), KEY_LINE.match(line)
        if header:
            section, comment = header[1], ""
        elif key:
            found[f"{section}.{key[1]}"] = comment
        elif line.startswith("# "):
            comment = comment + line if last.startswith("# ") else line
        else:
            comment = ""
        last = line
    return found


def test_it_starts_as_it_is_and_changes_nothing(tmp_path):
    nothing = tmp_path / "nothing.toml"
    nothing.touch()
    settings = loaded(tmp_path, example())
    assert settings.model_dump() == load(str(nothing), HOME).model_dump()
    assert settings.without_effect == ()


def test_every_line_uncommented_is_a_valid_configuration(tmp_path):
    settings = loaded(tmp_path, uncommented())
    assert settings.library[0].job == "subs en to es"
    assert settings.media_server[0].kind == "jellyfin"


def test_each_line_alone_uncommented_is_valid(tmp_path):
    lines = example().splitlines(keepends=True)
    for number, line in enumerate(lines):
        if KEY_LINE.match(line) and "[[" not in "".join(section_before(lines, number)):
            loaded(tmp_path, "".join([*lines[:number], line[1:], *lines[number + 1 :]]))


def section_before(lines: list[str], number: int) -> str:
    return next(line for line in reversed(lines[:number]) if re.match(r"#?\[", line))


def test_every_key_of_the_models_is_in_it_and_no_other():
    assert keys_of_models() == {key for key in keys_of_example() if not key.startswith("words.")}


def test_every_key_has_a_comment_above_it():
    assert [key for key, comment in keys_of_example().items() if not comment] == []


@pytest.mark.parametrize("key", sorted(keys_of_models()))
def test_its_defaults_are_the_true_ones(key, tmp_path):
    section, *inner = key.split(".")
    table = tomllib.loads(uncommented())[section]
    shown = table[0] if isinstance(table, list) else table
    field = model_of(section).model_fields[inner[0]]
    if len(inner) == 2:
        shown, field = shown[inner[0]], field.annotation.model_fields[inner[1]]
    comment = keys_of_example()[key]
    if field.is_required():
        assert "have to be set" in comment
    elif field.default in (None, {}) and shown[inner[-1]] != {}:
        assert re.search(r"\bNot set\b", comment), f"{key} has no default, and its comment does not say so"
    else:
        assert "Not set" not in comment
        assert shown[inner[-1]] == pytest.approx(written(field.default))


def written(default: Any) -> Any:
    return list(default) if isinstance(default, tuple) else default


def test_the_host_dependent_defaults_are_those_that_it_shows():
    defaults = host_defaults(HOME)
    shown = tomllib.loads(uncommented())
    assert defaults["folders"]["root"] == shown["folders"]["root"].replace("~", HOME["HOME"])
    assert defaults["state"]["path"] == shown["state"]["path"].replace("~", HOME["HOME"])
