"""Which second input belongs to a video."""

from __future__ import annotations

from qavix_watch.core.ignore import Extensions
from qavix_watch.core.pairing import NoPartner, Partner, find
from qavix_watch.core.tasks import MediaKind

KINDS = Extensions()


def image(*levels: tuple[bytes, list[bytes]]) -> Partner | NoPartner:
    return find(b"clip", MediaKind.IMAGE, levels, KINDS)


def sound(*names: bytes) -> Partner | NoPartner:
    return find(b"clip", MediaKind.AUDIO, [(b"lip sync", list(names))], KINDS)


def test_the_same_stem_comes_first() -> None:
    assert image((b"face swap", [b"clip.mp4", b"clip.jpg", b"face.png"])) == Partner(b"face swap/clip.jpg", shared=False)


def test_our_own_result_of_that_stem_comes_next() -> None:
    assert sound(b"clip.es.mp3", b"audio.wav") == Partner(b"lip sync/clip.es.mp3", shared=False)
    assert sound(b"clip.pt-BR.mp3") == Partner(b"lip sync/clip.pt-BR.mp3", shared=False)


def test_what_only_begins_like_it_is_another_file() -> None:
    for name in (b"clip2.mp3", b"clip.es.old.mp3", b"clip..mp3", b"clip.e s.mp3"):
        assert isinstance(sound(name), NoPartner), name


def test_a_shared_one_is_looked_for_up_to_the_orders_folder() -> None:
    levels = ((b"face swap/a/b", [b"clip.mp4"]), (b"face swap/a", [b"FACE.PNG"]), (b"face swap", [b"face.jpg"]))
    assert image(*levels) == Partner(b"face swap/a/FACE.PNG", shared=True)
    assert image(levels[0], levels[2]) == Partner(b"face swap/face.jpg", shared=True)


def test_two_candidates_are_named_and_neither_is_taken() -> None:
    for names in ([b"clip.jpg", b"clip.png"], [b"face.jpg", b"face.png"]):
        found = image((b"face swap", names))
        assert isinstance(found, NoPartner)
        assert all(name.decode() in found.why for name in names)


def test_without_one_it_says_what_to_put_where() -> None:
    found = image((b"face swap", [b"clip.mp4", b"clip.mp3", b"notes.txt"]))
    assert isinstance(found, NoPartner)
    assert "clip.jpg" in found.why
    assert "face.jpg" in found.why


def test_it_works_in_the_top_folder_too() -> None:
    assert image((b"", [b"clip.jpg"])) == Partner(b"clip.jpg", shared=False)
