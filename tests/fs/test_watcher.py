"""Hints from the real kernel: early, complete or admittedly not, for names of any kind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from qavix_watch.fs.watcher import Hint, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Listener:
    """Takes hints, with the time of each, and can be made to dawdle."""

    def __init__(self) -> None:
        self.hints: list[tuple[Hint, float]] = []
        self.troubles: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def hint(self, hint: Hint) -> None:
        self.may_go_on.wait(30)
        self.hints.append((hint, time.monotonic()))

    def has(self, path: bytes, kind: str) -> bool:
        return any((hint.path, hint.kind) == (path, kind) for hint, _ in list(self.hints))

    def kinds(self, path: bytes) -> list[str]:
        return [hint.kind for hint, _ in list(self.hints) if hint.path == path]

    def when(self, path: bytes, kind: str) -> float:
        return next(at for hint, at in self.hints if (hint.path, hint.kind) == (path, kind))


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.002)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def root(tmp_path: Path) -> bytes:
    (tmp_path / "root").mkdir()
    return os.fsencode(tmp_path / "root")


@pytest.fixture
def watcher(listener: Listener, root: bytes) -> Iterator[Watcher]:
    made = Watcher(listener.hint, listener.troubles.append, lambda name: name.startswith(b"@"))
    assert made.add_root(root)
    yield made
    made.stop()


@pytest.fixture
def settled(watcher: Watcher, listener: Listener, root: bytes) -> Callable[[], None]:
    """Waits until every hint of what was done so far has come."""
    numbers = iter(range(1000))

    def wait() -> None:
        path = root + b"/.mark%d" % next(numbers)
        put(path)
        until(lambda: listener.has(path, "closed"))

    return wait


def put(path: bytes, data: bytes = b"x") -> bytes:
    with open(path, "wb") as file:
        file.write(data)
    return path


def test_a_written_file_appears_and_is_closed(listener: Listener, root: bytes, settled: Callable[[], None]) -> None:
    path = put(root + b"/\xff\xfe clip\n.mp4")
    settled()
    assert listener.kinds(path) == ["appeared", "closed"]


def test_hints_come_within_milliseconds_those_of_renames_too(listener: Listener, watcher: Watcher, root: bytes) -> None:
    waits = []
    for number in range(20):
        outside = put(os.path.dirname(root) + b"/outside")
        inside = root + b"/%d" % number
        begun = time.monotonic()
        os.rename(outside, inside)
        until(lambda path=inside: listener.has(path, "appeared"))  # type: ignore[misc]
        waits.append(listener.when(inside, "appeared") - begun)
        os.rename(inside, outside)
        until(lambda path=inside: listener.has(path, "gone"))  # type: ignore[misc]
    assert sorted(waits)[10] < 0.05


def test_links_rights_times_and_removals_are_told(listener: Listener, root: bytes, settled: Callable[[], None]) -> None:
    outside = put(os.path.dirname(root) + b"/outside")
    os.link(outside, root + b"/linked")
    os.chmod(root + b"/linked", 0o600)
    os.unlink(root + b"/linked")
    settled()
    assert listener.kinds(root + b"/linked") == ["appeared", "changed", "gone"]


def test_writing_alone_and_reading_are_no_hints(listener: Listener, root: bytes, settled: Callable[[], None]) -> None:
    path = put(root + b"/f")
    settled()
    with open(path, "r+b", buffering=0) as file:
        before = len(listener.hints)
        file.writelines([b"y"] * 100)
        with open(path, "rb") as again:
            again.read()
        settled()
        assert listener.kinds(path) == ["appeared", "closed"]
        assert len(listener.hints) == before + 2


def test_a_new_tree_is_watched_and_hinted_at_to_be_scanned(
    listener: Listener, root: bytes, settled: Callable[[], None]
) -> None:
    os.makedirs(root + b"/a/b/c")
    until(lambda: listener.has(root + b"/a", "folder"))
    settled()
    late = put(root + b"/a/b/c/late")
    settled()
    assert listener.kinds(late) == ["appeared", "closed"]


def test_of_every_file_in_trees_made_in_haste_either_it_or_a_folder_above_is_told(
    listener: Listener, watcher: Watcher, root: bytes, settled: Callable[[], None]
) -> None:
    for number in range(200):
        os.makedirs(root + b"/%d/sub" % number)
        put(root + b"/%d/sub/f" % number)
    settled()
    for number in range(200):
        folder = root + b"/%d" % number
        seen = [listener.kinds(path) for path in (folder, folder + b"/sub", folder + b"/sub/f")]
        assert seen[0][:1] == ["folder"]
        again = put(folder + b"/sub/again")
        until(lambda path=again: listener.has(path, "closed"))  # type: ignore[misc]


def test_a_tree_moved_in_is_watched_and_moved_out_no_longer(
    listener: Listener, root: bytes, settled: Callable[[], None]
) -> None:
    outside = os.path.dirname(root) + b"/tree"
    os.makedirs(outside + b"/deep")
    os.rename(outside, root + b"/in")
    until(lambda: listener.has(root + b"/in", "folder"))
    put(root + b"/in/deep/f")
    until(lambda: listener.has(root + b"/in/deep/f", "closed"))
    os.rename(root + b"/in", root + b"/renamed")
    until(lambda: listener.has(root + b"/renamed", "folder"))
    put(root + b"/renamed/deep/g")
    until(lambda: listener.has(root + b"/renamed/deep/g", "closed"))
    assert listener.kinds(root + b"/in")[-1] == "gone"
    os.rename(root + b"/renamed", outside)
    until(lambda: listener.has(root + b"/renamed", "gone"))
    before = len(listener.hints)
    put(outside + b"/deep/h")
    settled()
    assert len(listener.hints) == before + 2


def test_a_folder_that_was_deleted_and_made_again_is_watched(
    listener: Listener, root: bytes, settled: Callable[[], None]
) -> None:
    for _ in range(20):
        os.mkdir(root + b"/d")
        os.rmdir(root + b"/d")
    os.mkdir(root + b"/d")
    settled()
    put(root + b"/d/f")
    until(lambda: listener.has(root + b"/d/f", "closed"))


def test_skipped_and_linked_folders_are_not_watched(listener: Listener, root: bytes, settled: Callable[[], None]) -> None:
    outside = os.path.dirname(root) + b"/elsewhere"
    os.mkdir(outside)
    os.symlink(outside, root + b"/link")
    os.mkdir(root + b"/@eaDir")
    settled()
    put(root + b"/@eaDir/f")
    put(outside + b"/f")
    settled()
    assert [hint.path for hint, _ in listener.hints if not os.path.basename(hint.path).startswith(b".mark")] == [root + b"/link"]


@pytest.mark.parametrize("how", ["removed", "renamed"])
def test_a_root_that_goes_away_is_told_and_can_be_added_again(
    listener: Listener, watcher: Watcher, root: bytes, how: str
) -> None:
    if how == "removed":
        os.rmdir(root)
    else:
        os.rename(root, root + b" away")
    until(lambda: listener.has(root, "gone"))
    until(lambda: not watcher.is_watched(root))
    os.mkdir(root)
    assert watcher.add_root(root)
    put(root + b"/f")
    until(lambda: listener.has(root + b"/f", "closed"))


def test_a_root_that_is_unmounted_is_told(listener: Listener, watcher: Watcher, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    point = tmp_path / "mount"
    point.mkdir()
    mounting = ["mount", "-t", "tmpfs", "tmpfs", str(point)]
    if subprocess.run(mounting, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting is not possible here")
    watcher.add_root(os.fsencode(point))
    subprocess.run(["umount", point], check=True)
    until(lambda: listener.has(os.fsencode(point), "gone"))


def test_a_root_that_is_removed_from_the_watcher_is_silent(
    listener: Listener, watcher: Watcher, root: bytes, tmp_path: Path
) -> None:
    other = os.fsencode(tmp_path / "other")
    os.mkdir(other)
    watcher.add_root(other)
    watcher.remove_root(root)
    put(root + b"/f")
    put(other + b"/f")
    until(lambda: listener.has(other + b"/f", "closed"))
    assert listener.kinds(root + b"/f") == []


def test_adding_a_root_twice_gives_each_hint_once(
    listener: Listener, watcher: Watcher, root: bytes, settled: Callable[[], None]
) -> None:
    os.mkdir(root + b"/d")
    settled()
    assert watcher.add_root(root)
    path = put(root + b"/d/f")
    settled()
    assert listener.kinds(path) == ["appeared", "closed"]


def test_an_overflow_is_told_for_every_root_after_all_is_watched_again(
    listener: Listener, watcher: Watcher, root: bytes
) -> None:
    with open("/proc/sys/fs/inotify/max_queued_events", encoding="ascii") as file:
        most = int(file.read())
    listener.may_go_on.clear()
    for number in range(most // 2 + 3000):
        os.close(os.open(root + b"/%d" % number, os.O_CREAT | os.O_WRONLY))
    os.makedirs(root + b"/made/unseen")
    listener.may_go_on.set()
    until(lambda: listener.has(root, "overflow"), 60)
    put(root + b"/made/unseen/f")
    until(lambda: listener.has(root + b"/made/unseen/f", "closed"))


FEW_WATCHES = """
import sys, os
with open("/proc/sys/user/" + sys.argv[2], "w") as file:
    file.write(sys.argv[3])
from qavix_watch.fs.watcher import Watcher
hints, troubles = [], []
watcher = Watcher(hints.append, troubles.append, lambda name: False)
root = os.fsencode(sys.argv[1])
print(watcher.add_root(root), [hint.kind for hint in hints])
print(troubles)
with open("/proc/sys/user/" + sys.argv[2], "w") as file:
    file.write("1000")
print(watcher.add_root(root), repr(watcher.trouble), len(troubles))
watcher.stop()
"""


@pytest.mark.parametrize(
    ("limit", "most", "first"),
    [("max_inotify_watches", "3", "False ['overflow']"), ("max_inotify_instances", "0", "False []")],
)
def test_a_kernel_that_refuses_watches_is_trouble_with_the_setting_to_change(
    tmp_path: Path, limit: str, most: str, first: str
) -> None:
    for number in range(10):
        (tmp_path / str(number)).mkdir()
    apart = ["unshare", "-U", "--map-root-user"]
    if subprocess.run([*apart, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("user namespaces are not possible here")
    command = [*apart, sys.executable, "-W", "error", "-c", FEW_WATCHES, str(tmp_path), limit, most]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == first
    assert f"fs.inotify.{limit.replace('inotify_', 'user_')}=" in lines[1]
    assert lines[2] == "True '' 1"


def test_a_folder_that_may_not_be_read_is_passed_over_until_it_may(
    listener: Listener, watcher: Watcher, root: bytes, settled: Callable[[], None]
) -> None:
    os.mkdir(root + b"/d", 0o000)
    os.chmod(root + b"/d", 0o755)
    settled()
    assert listener.kinds(root + b"/d")[-1] == "folder"
    put(root + b"/d/f")
    until(lambda: listener.has(root + b"/d/f", "closed"))


def test_a_listener_s_mistake_is_trouble_and_not_the_end(root: bytes) -> None:
    troubles: list[str] = []

    def fail(hint: Hint) -> None:
        raise ValueError("mistake")

    watcher = Watcher(fail, troubles.append, lambda name: False)
    watcher.add_root(root)
    put(root + b"/f")
    until(lambda: len(troubles) == 2)
    assert "ValueError: mistake" in troubles[0]
    watcher.stop()


def test_waiting_costs_nothing_and_stopping_leaves_nothing(root: bytes) -> None:
    threads, descriptors = threading.active_count(), len(os.listdir("/proc/self/fd"))
    watcher = Watcher(lambda hint: None, lambda text: None, lambda name: False)
    watcher.add_root(root)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.03
    watcher.stop()
    watcher.stop()
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == (threads, descriptors)
    assert not watcher.add_root(root)
    watcher.remove_root(root)


def test_a_root_that_is_not_there_is_not_watched_and_one_that_is_a_link_is(
    listener: Listener, watcher: Watcher, root: bytes
) -> None:
    assert not watcher.add_root(root + b"/gone")
    link = os.path.dirname(root) + b"/link"
    os.mkdir(link + b" target")
    os.symlink(link + b" target", link)
    assert watcher.add_root(link)
    put(link + b"/f")
    until(lambda: listener.has(link + b"/f", "closed"))
