"""Where folders lie."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qavix_watch.core.layout import Layout, folders_down, join, name_of, parent

LAYOUT = Layout("place", b"/r/inbox", b"/r/outbox", b"/r/archive", b"/r/failed")


@pytest.mark.parametrize(
    ("path", "folder"),
    [(b"clip.mp4", None), (b"dub en to es/clip.mp4", b"dub en to es"), (b"dub en to es/a/b/clip.mp4", b"dub en to es")],
)
def test_an_orders_folder_is_the_first_below_the_inbox(path: bytes, folder: bytes | None) -> None:
    assert LAYOUT.order_folder(path) == folder


@pytest.mark.parametrize(
    ("path", "folder"), [(b"clip.mp4", None), (b"show/clip.mp4", None), (b"show/dub en to es/a/clip.mp4", b"show/dub en to es")]
)
def test_with_projects_it_is_the_second(path: bytes, folder: bytes | None) -> None:
    assert replace(LAYOUT, projects=True).order_folder(path) == folder


@pytest.mark.parametrize(
    ("path", "inside"),
    [(b"/r/inbox", b""), (b"/r/inbox/a/b", b"a/b"), (b"/r/inbox2/a", None), (b"/r", None), (b"/elsewhere", None)],
)
def test_only_what_lies_in_the_inbox_is_relative_to_it(path: bytes, inside: bytes | None) -> None:
    assert LAYOUT.relative(path) == inside


def test_parts_grow_in_a_hidden_folder_of_the_outbox() -> None:
    assert parent(LAYOUT.parts) == LAYOUT.outbox
    assert name_of(LAYOUT.parts).startswith(b".")


def test_every_folder_on_the_way_down_is_given_in_order() -> None:
    assert folders_down(b"dub", b"dub/a/b/clip.mp4") == [b"dub", b"dub/a", b"dub/a/b"]
    assert folders_down(b"show/dub", b"show/dub/clip.mp4") == [b"show/dub"]


_NAME = st.binary(min_size=1, max_size=8).filter(lambda name: b"/" not in name and b"\0" not in name)


@given(st.lists(_NAME, min_size=1, max_size=5))
def test_what_is_joined_comes_apart_again(names: list[bytes]) -> None:
    path = b"/".join(names)
    assert LAYOUT.relative(LAYOUT.in_inbox(path)) == path
    assert join(parent(path), name_of(path)) == path


def test_a_folder_takes_its_rights_from_the_root_that_it_lies_in() -> None:
    """One that was configured elsewhere, and one of a root that is not known, from nobody."""
    layout = Layout("place", b"/srv/in", b"/elsewhere/out", b"/srv/done", b"/srv/failed", root=b"/srv")
    assert layout.like_whom(layout.inbox) == b"/srv"
    assert layout.like_whom(layout.outbox) is None
    assert Layout("place", b"/srv/in", b"/o", b"/a", b"/f").like_whom(b"/srv/in") is None
