"""The voices: a dozen of the system's, and those that were cloned.

Two system voices are both called Luna, on purpose: a name alone does not say which one is meant.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

_COLUMNS = ("voice_id", "name", "language", "gender", "accent", "age_range")
_SYSTEM = (
    ("sys-en-ava", "Ava", "en-US", "female", "American", "young"),
    ("sys-en-brian", "Brian", "en-GB", "male", "British", "middle_aged"),
    ("sys-en-james", "James", "en-US", "male", "American", "middle_aged"),
    ("sys-es-luna", "Luna", "es-ES", "female", "Castilian", "young"),
    ("sys-mx-luna", "Luna", "es-MX", "female", "Mexican", "middle_aged"),
    ("sys-es-mateo", "Mateo", "es-ES", "male", "Castilian", "young"),
    ("sys-fr-chloe", "Chloé", "fr-FR", "female", "Parisian", "young"),
    ("sys-fr-louis", "Louis", "fr-FR", "male", "Parisian", "old"),
    ("sys-de-greta", "Greta", "de-DE", "female", None, "middle_aged"),
    ("sys-de-jonas", "Jonas", "de-DE", "male", None, "young"),
    ("sys-pt-ines", "Inês", "pt-PT", "female", None, "young"),
    ("sys-br-rafael", "Rafael", "pt-BR", "male", "Paulista", "middle_aged"),
    ("sys-ja-haruka", "Haruka", "ja-JP", "female", None, "young"),
    ("sys-zh-xiaoyu", "Xiao Yu", "zh-CN", "female", "Mandarin", "young"),
    ("sys-zh-wei", "Wei", "zh-CN", "male", "Mandarin", "middle_aged"),
    ("sys-ko-minjun", "Min-jun", "ko-KR", "male", "Seoul", "young"),
)


def _system_voices() -> list[dict[str, Any]]:
    return [dict(zip(_COLUMNS, row, strict=True)) | {"preview_url": None, "type": "system"} for row in _SYSTEM]


class Voices:
    """System voices and the table of cloned ones."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._system = _system_voices()

    def all(self) -> list[dict[str, Any]]:
        return self._system + [_cloned(row) for row in self.clones()]

    def clones(self) -> list[sqlite3.Row]:
        return self._db.execute("SELECT * FROM voices ORDER BY created_at, rowid").fetchall()

    def listed(self, language: str | None, gender: str | None) -> list[dict[str, Any]]:
        """Those of a language ("zh" also finds zh-CN) and gender; None asks for any. Cloned voices have neither."""
        found = self.all()
        if language is not None:
            wanted = language.replace("_", "-").lower()
            found = [v for v in found if (v["language"] or "").lower() == wanted or _base(v["language"]) == wanted]
        if gender is not None:
            found = [v for v in found if v["gender"] == gender]
        return found

    def known(self, voice_id: str) -> bool:
        return any(voice["voice_id"] == voice_id for voice in self.all())

    def clone(self, name: str, sha256: str) -> str:
        """The id of the new voice; names need not be unique, as nothing in the reference says so."""
        voice_id = f"vc-{secrets.token_hex(6)}"
        self._db.execute("INSERT INTO voices VALUES (?, ?, ?, ?)", (voice_id, name, sha256, time.time()))
        return voice_id


def _base(language: str | None) -> str:
    return (language or "").split("-")[0].lower()


def _cloned(row: sqlite3.Row) -> dict[str, Any]:
    blank = dict.fromkeys(_COLUMNS)
    return blank | {"voice_id": row["voice_id"], "name": row["name"], "preview_url": None, "type": "cloned"}
