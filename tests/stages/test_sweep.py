"""At a start the folder of parts is cleared of what nobody needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.layout import Layout
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.sweep import sweep

if TYPE_CHECKING:
    from pathlib import Path


def swept(base: Path, names: list[str], staged: set[str], fetching: set[int]) -> list[str]:
    """What is left of files with these names in the folder of parts."""
    outbox = bytes(base / "outbox")
    layout = Layout("place", bytes(base / "inbox"), outbox, bytes(base / "archive"), bytes(base / "failed"))
    parts = base / "outbox" / layout.parts.decode().rsplit("/", 1)[1]
    parts.mkdir(parents=True)
    for name in names:
        (parts / name).write_bytes(b"x")
    sweep(Disk(), layout, {layout.parts + b"/" + name.encode() for name in staged}, fetching)
    return sorted(path.name for path in parts.iterdir()) if parts.exists() else []


def test_downloads_that_can_go_on_and_results_that_wait_for_their_name_stay(tmp_path: Path) -> None:
    names = ["1.video.3.part", "1.video.3.head", "1.video.2.whole", "2.video.1.whole"]
    assert swept(tmp_path, names, staged={"2.video.1.whole"}, fetching={1}) == ["1.video.3.head", "1.video.3.part", "2.video.1.whole"]


def test_the_download_of_a_job_that_has_ended_goes_and_with_it_the_folder(tmp_path: Path) -> None:
    names = ["1.video.3.part", "1.video.3.head", "d7.1.2.copy", "1.video.3.head.new", "11.video.1.part"]
    assert swept(tmp_path, names, staged=set(), fetching={111}) == []


def test_where_nothing_was_ever_fetched_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    layout = Layout("place", *(bytes(tmp_path / name) for name in ("inbox", "outbox", "archive", "failed")))
    sweep(Disk(), layout, set(), set())
    assert [path.name for path in tmp_path.rglob("*")] == ["outbox"]
