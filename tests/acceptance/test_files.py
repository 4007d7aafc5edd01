"""Sizes and numbers: from a small file to gigabytes, and hundreds at once."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running
    from tests.support.service import Home

GIGABYTES = 3
ROOM = 15 * 10**9
MANY = 500


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def promised(task: dict[str, Any]) -> str:
    """The SHA-256 of the video that the service made for a task."""
    return str(task["results"]["video_url"]["sha256"])


def test_a_file_of_a_megabyte_comes_out_once_under_its_name(
    home: Callable[..., Home], clip: Callable[..., bytes], tasks_with: Callable[[str], list[dict[str, Any]]]
) -> None:
    """The result is what the service made, the original lies in the archive byte for byte, one task was billed."""
    here = home()
    data = clip(padding=1_000_000)
    here.drop("dub en to es", "clip.mp4", data)
    here.rest(1)
    (task,) = tasks_with(hashlib.sha256(data).hexdigest())
    assert here.results() == ["dub en to es/clip.es.mp4"]
    assert sha256_of(here.outbox / "dub en to es/clip.es.mp4") == promised(task)
    assert (here.root / "archive/dub en to es/clip.mp4").read_bytes() == data
    assert not list((here.inbox / "dub en to es").iterdir())


@pytest.fixture
def roomy(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk with room for a file of gigabytes, the service's copy of it, and the archive."""
    if shutil.disk_usage(tmp_path).free < ROOM:
        pytest.skip(f"needs {ROOM / 1e9:.0f} GB of free space in {tmp_path}")
    yield tmp_path / "roomy"
    shutil.rmtree(tmp_path / "roomy", ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_file_of_three_gigabytes_comes_out_once(
    home: Callable[..., Home], box: Running, clip: Callable[[], bytes], roomy: Path, tasks_with: Callable[[str], list[dict[str, Any]]]
) -> None:
    """It is hashed, uploaded once, and archived as it was. It has no hole: every byte of it is written."""
    here = home(base=roomy)
    source = roomy / "film.mp4"
    sha256 = _grown(source, clip(), GIGABYTES << 30)
    began = time.monotonic()
    folder = here.inbox / "dub en to es"
    folder.mkdir()
    os.rename(source, folder / "film.mp4")
    here.rest(1, 300)
    print(f"\n{GIGABYTES} GiB took {time.monotonic() - began:.1f} s")
    (task,) = tasks_with(sha256)
    (upload,) = [upload for upload in box.ledger()["uploads"] if upload["sha256"] == sha256]
    assert upload["puts"] == 1
    assert here.results() == ["dub en to es/film.es.mp4"]
    assert sha256_of(here.outbox / "dub en to es/film.es.mp4") == promised(task)
    assert sha256_of(here.root / "archive/dub en to es/film.mp4") == sha256
    box.control("forget-files", {"file_ids": upload["file_ids"]})


def _grown(path: Path, clip: bytes, size: int) -> str:
    """The clip and a box of real bytes after it, `size` in all; gives its SHA-256."""
    digest, block = hashlib.sha256(), bytes(range(1, 252)) * 4178
    left = size - len(clip) - 8
    with path.open("wb") as file:
        for part in (clip, (left + 8).to_bytes(4, "big") + b"free"):
            digest.update(part)
            file.write(part)
        while left:
            part = block[:left]
            digest.update(part)
            file.write(part)
            left -= len(part)
    assert path.stat().st_blocks * 512 >= size
    return digest.hexdigest()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_five_hundred_files_dropped_at_once_come_out_once_each(
    home: Callable[..., Home], box: Running, clip: Callable[[], bytes], tmp_path: Path
) -> None:
    """A folder is moved in with all of them: each has its task, its result and its place in the archive."""
    here = home()
    tree = tmp_path / "dub en to es"
    tree.mkdir()
    originals = {}
    for number in range(MANY):
        data = clip()
        (tree / f"clip {number:03}.mp4").write_bytes(data)
        originals[f"clip {number:03}"] = hashlib.sha256(data).hexdigest()
    began = time.monotonic()
    os.rename(tree, here.inbox / "dub en to es")
    here.rest(MANY, 300)
    print(f"\n{MANY} files took {time.monotonic() - began:.1f} s")
    _each_once(here, box, originals)


def _each_once(here: Home, box: Running, originals: dict[str, str]) -> None:
    """`originals`: SHA-256 by stem."""
    contents = {sha256: stem for stem, sha256 in originals.items()}
    made: dict[str, list[str]] = {}
    for task in box.ledger()["tasks"]:
        stem = contents.get(task["inputs"].get("video_url", {}).get("sha256", ""))
        if stem is not None:
            made.setdefault(stem, []).append(promised(task))
    assert {stem: len(found) for stem, found in made.items()} == dict.fromkeys(originals, 1)
    delivered = {path.name.removesuffix(".es.mp4"): sha256_of(path) for path in (here.outbox / "dub en to es").iterdir()}
    assert delivered == {stem: found[0] for stem, found in made.items()}
    archived = {path.stem: sha256_of(path) for path in (here.root / "archive/dub en to es").iterdir()}
    assert archived == originals
