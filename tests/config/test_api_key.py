"""Where the API key comes from, and that nothing of it is shown when it cannot be used."""

from __future__ import annotations

import pytest

from qavix_watch.config import load, read_key
from qavix_watch.errors import ConfigError

KEY = "qx-PLANTED-0123456789"


@pytest.fixture
def settings(tmp_path):
    """Settings with or without a key file."""

    def _settings(key_file: object = None):
        file = tmp_path / "qavix-watch.toml"
        file.write_text(f'[api]\nkey_file = "{key_file}"\n' if key_file else "")
        return load(str(file), {"HOME": str(tmp_path)})

    return _settings


def test_without_a_key_there_is_none(settings, tmp_path):
    assert read_key(settings(), {}) is None
    assert read_key(settings(), {"QAVIX_API_KEY": " ", "CREDENTIALS_DIRECTORY": str(tmp_path)}) is None


def test_the_variable_wins_over_the_file_and_the_file_over_the_credential(settings, tmp_path):
    (tmp_path / "key").write_text(f"\N{ZERO WIDTH NO-BREAK SPACE} {KEY}-file \r\n", encoding="utf-8")
    (tmp_path / "qavix-api-key").write_text(f"{KEY}-credential\n")
    systemd = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    with_file = settings(tmp_path / "key")
    found = [
        read_key(with_file, systemd | {"QAVIX_API_KEY": f"{KEY}-variable\n"}),
        read_key(with_file, systemd),
        read_key(settings(), systemd),
    ]
    assert [key.reveal() for key, _ in found] == [f"{KEY}-variable", f"{KEY}-file", f"{KEY}-credential"]
    assert [origin for _, origin in found] == [
        "QAVIX_API_KEY", f"`api.key_file` ({tmp_path}/key)", "the systemd credential qavix-api-key",
    ]  # fmt: skip
    assert KEY not in repr(found)


@pytest.mark.parametrize("bad", [f"{KEY} {KEY}", f"{KEY}\nmore", f"{KEY}\x07", f"{KEY}é", f"Bearer {KEY}", KEY * 500])
def test_what_cannot_be_a_key_is_refused_without_showing_it(settings, tmp_path, bad):
    (tmp_path / "key").write_text(bad)
    with pytest.raises(ConfigError) as of_variable:
        read_key(settings(), {"QAVIX_API_KEY": bad})
    with pytest.raises(ConfigError) as of_file:
        read_key(settings(tmp_path / "key"), {})
    assert KEY not in str(of_variable.value) + str(of_file.value)
    assert str(of_variable.value).startswith("QAVIX_API_KEY")
    assert "key_file" in str(of_file.value)


def test_a_key_file_that_cannot_be_read_or_is_empty_is_named(settings, tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_key(settings(tmp_path / "gone"), {})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_key(settings(tmp_path), {})
    (tmp_path / "key").write_bytes(b"\n")
    with pytest.raises(ConfigError, match="is empty"):
        read_key(settings(tmp_path / "key"), {})
    (tmp_path / "key").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is no text"):
        read_key(settings(tmp_path / "key"), {})
