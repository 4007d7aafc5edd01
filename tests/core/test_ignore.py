"""What is never picked up, and what a file is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qavix_watch.core.ignore import Extensions, is_companion, is_document, media_kind, rule_against, shadowed
from qavix_watch.core.tasks import MediaKind

OWN = [
    "QAVIX-READ-ME.txt",
    "qavix-read-me (2).txt",
    "QAVIX-STATUS.txt",
    "clip.mp4.why.txt",
    "qavix.toml",
    "Qavix.TOML.txt",
    "bob.voice.json",
    ".qavix-watch",
]
DOWNLOADS = [
    "a.part",
    "a.parts",
    "a.partial",
    "a.crdownload",
    "a.download",
    "a.opdownload",
    "a.unconfirmed",
    "a.inprogress",
    "a.unfinished",
    "a.filepart",
    "a.aria2",
    "a.!qB",
    "a.!ut",
    "a.bc!",
    "a.xltd",
    "a.jdtmp",
    "a.tmp",
    "a.temp",
    ".clip.mp4.Ab12Cd",
    ".~tmp~",
    "~syncthing~clip.mp4.tmp",
    "A.PART",
]
LITTER = [
    "@eaDir",
    "eaDir",
    "#recycle",
    "@Recycle",
    ".@__thumb",
    "$RECYCLE.BIN",
    "System Volume Information",
    "lost+found",
    ".snapshot",
    ".snapshots",
    ".zfs",
    ".grab",
    ".Trash",
    ".Trash-1000",
    "__MACOSX",
    "._clip.mp4",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    ".smbdeleteAAA0001",
    ".fuse_hidden0001",
    ".nfs0001",
    ".stfolder",
    ".stversions",
    "_UNPACK_film",
    "_FAILED_film",
    "film-TdarrCacheFile-x.mkv",
]
PLAIN = [
    "clip.mp4",
    "qavix-read-me.mp4",
    "film-part.mkv",
    "partial.mp4",
    "tmp",
    "template.txt",
    "my.temp.mp4",
    "a~",
    "a@b.mp4",
    "a#.mp4",
    "READ-ME.txt",
    "why.txt.mp4",
    "toml",
    "part",
]


@pytest.mark.parametrize(
    ("names", "why"), [(OWN, "Qavix Watch's own"), (DOWNLOADS, "a download or copy under way"), (LITTER, "litter of a NAS")]
)
def test_the_rule_that_ignores_a_name_is_told(names: list[str], why: str) -> None:
    for name in names:
        for written in (name, name.upper(), name.lower()):
            assert why in (rule_against(written.encode()) or ""), written


@pytest.mark.parametrize("name", [".hidden", "~lock", "@work", "#draft#"])
def test_names_that_begin_with_a_private_sign_are_ignored(name: str) -> None:
    assert "a hidden or private name" in (rule_against(name.encode()) or "")


@pytest.mark.parametrize("name", PLAIN)
def test_ordinary_names_are_picked_up(name: str) -> None:
    assert rule_against(name.encode()) is None


def test_a_folder_is_called_a_folder() -> None:
    assert (rule_against(b"@eaDir", is_dir=True) or "").endswith("such a folder is never picked up")


def test_the_users_own_patterns() -> None:
    assert (
        rule_against("Prüfung.MP4".encode(), patterns=("*.mkv", "PRÜF*"))
        == "“Prüfung.MP4” is ignored by the pattern “PRÜF*” in `[watch] ignore`"
    )
    assert rule_against(b"x.mp4", patterns=("*.mkv", "[")) is None
    assert rule_against(b"sample\xff.mkv", patterns=("sample*",)) is not None


def test_a_file_waits_beside_its_own_download() -> None:
    assert "“clip.mp4.part” lies beside it" in (shadowed(b"clip.mp4", {b"clip.mp4", b"clip.mp4.part"}) or "")
    assert shadowed(b"clip.mp4", {b"clip.mp4.!qB"}) is not None
    assert shadowed(b"clip.mp4", {b"clip.mp4", b"clip.part"}) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"a.mp4", MediaKind.VIDEO),
        (b"a.MKV", MediaKind.VIDEO),
        (b"a.Mp3", MediaKind.AUDIO),
        (b"a.jpg", MediaKind.IMAGE),
        (b"a.txt", MediaKind.TEXT),
        (b"\xff\xfe.mov", MediaKind.VIDEO),
        (b"a.docx", None),
        (b"mp4", None),
        (b".mp4", None),
        (b"a.", None),
    ],
)
def test_what_a_file_is_by_its_extension(name: bytes, kind: MediaKind | None) -> None:
    assert media_kind(name, Extensions()) is kind


def test_extensions_can_be_changed_and_are_taken_with_a_dot_and_in_any_case() -> None:
    mine = Extensions(video=frozenset({".MP4", "foo"}))
    assert media_kind(b"a.mp4", mine) is MediaKind.VIDEO
    assert media_kind(b"a.Foo", mine) is MediaKind.VIDEO
    assert media_kind(b"a.mkv", mine) is None


@pytest.mark.parametrize(
    "name",
    [b"film.nfo", b"poster.jpg", b"film-poster.jpg", b"Film-fanart.PNG", b"season01-poster.jpg", b"folder.jpg", b"backdrop2.jpg", b"a.srt"],
)
def test_companions_of_media(name: bytes) -> None:
    assert is_companion(name)


@pytest.mark.parametrize("name", [b"face.jpg", b"clip.jpg", b"poster.mp4", b"clip.mp4", b"imposter.jpg"])
def test_no_companions(name: bytes) -> None:
    assert not is_companion(name)


def test_documents() -> None:
    assert is_document(b"letter.DOCX")
    assert not is_document(b"letter.txt")


@settings(deadline=None)
@given(st.binary(max_size=255))
def test_any_name_can_be_judged(name: bytes) -> None:
    rule = rule_against(name, patterns=("*.x",))
    assert rule is None or rule.isprintable() or "\u200d" in rule or "\u200c" in rule or rule
    media_kind(name, Extensions())
    is_companion(name)
    shadowed(name, {name + b".part"})
