"""`qavix-watch submit`: one-off work on files that lie anywhere, by the service or in the command's own process."""

from __future__ import annotations

import base64
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kinds import ORDERS, SPEECH, Wares
from tests.support.pair import assert_nothing_twice, paired, totals
from tests.support.service import PROGRAM, Home, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qavix_watch.sandbox import Running

    Pair = tuple[Home, Running]

ORDER = "dub en to es"
OTHERS_HOMES = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
"""The superuser without the right to pass over others' rights."""
ENDINGS = {
    ORDER: (".mp4", ".es.mp4"),
    "subs en to fr": (".mp4", ".fr.srt"),
    "erase": (".mp4", ".erased.mp4"),
    "face swap": (".mp4", ".swapped.mp4"),
    "lip sync": (".mp4", ".synced.mp4"),
    "clone voice": (".wav", ".voice.json"),
    SPEECH: (".txt", ".mp3"),
}
"""What each order takes, and what comes of it."""


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with paired(tmp_path / "home") as found:
        yield found


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """A folder of somebody's own."""
    folder = tmp_path / "my films"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def wares(tmp_path_factory: pytest.TempPathFactory) -> Wares:
    return Wares(tmp_path_factory.mktemp("wares"))


def argv(home: Home, *words: str | bytes | Path) -> list[str | bytes | Path]:
    return [*PROGRAM, "submit", "--config", str(home.config), *words]


def submit(home: Home, *words: str | bytes | Path, prefix: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [*(prefix or []), *argv(home, *words)]
    return subprocess.run(command, env=home.environ(), capture_output=True, text=True, timeout=90, check=False)


@contextmanager
def submitting(home: Home, *words: str | bytes | Path, **popen: Any) -> Iterator[subprocess.Popen[bytes]]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | popen
    process = subprocess.Popen(argv(home, *words), env=home.environ(), **pipes)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=10)


def made_for(order: str, wares: Wares, folder: Path, number: int) -> Path:
    """What an order takes, with the second file that it needs, as `work <number>`."""
    path = folder / f"work {number}{ENDINGS[order][0]}"
    make = {".mp4": wares.video, ".wav": wares.sound, ".txt": wares.text}[path.suffix]
    path.write_bytes(make(number))
    if order == "face swap":
        path.with_suffix(".jpg").write_bytes(wares.picture(number))
    if order == "lip sync":
        path.with_suffix(".wav").write_bytes(wares.sound(number))
    return path


def litter(folder: Path) -> list[str]:
    """What lies there under names of ours."""
    return [name for name in os.listdir(folder) if name.startswith(".qavix")]


def all_over(home: Home) -> bool:
    rows = home.query("SELECT count(*), sum(state IN ('kept', 'failed', 'gone')) FROM drops WHERE outlet IS NOT NULL")
    return bool(rows) and rows[0][0] > 0 and rows[0][0] == rows[0][1]


@pytest.mark.timeout(180)
def test_every_kind_of_work_is_done_without_a_service_by_whichever_command_is_first(pair: Pair, films: Path, wares: Wares) -> None:
    """Seven commands at the same moment: one gets the state and works, and the others hand their files to it."""
    home, box = pair
    paths = {order: made_for(order, wares, films, number) for number, order in enumerate(ORDERS)}
    before = {path: path.read_bytes() for path in films.iterdir()}
    running = [
        subprocess.Popen(
            argv(home, path, "--as", order, "--wait"), env=home.environ(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for order, path in paths.items()
    ]
    said = [process.communicate(timeout=150)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(ORDERS), said
    for number, (order, path) in enumerate(paths.items()):
        result = films / f"work {number}{ENDINGS[order][1]}"
        assert str(result) in said[number]
        assert result.stat().st_size > 0
        assert path.exists()
    assert {path: path.read_bytes() for path in before} == before
    assert not litter(films)
    assert (totals(box)["tasks"], totals(box)["clones"]) == (6, 1)
    assert_nothing_twice(box)
    assert not home.root.exists()


@pytest.mark.timeout(120)
def test_the_running_service_does_every_kind_of_work_and_delivers_known_content_from_disk(pair: Pair, films: Path, wares: Wares) -> None:
    """Handed over with the ids alone; then waited for, into another folder, without anything being sent or billed again."""
    home, box = pair
    home.start()
    paths = {order: made_for(order, wares, films, number) for number, order in enumerate(ORDERS)}
    for order, path in paths.items():
        done = submit(home, path, "--as", order)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("drop-")
        assert str(films) in done.stderr
    wait_for(lambda: all_over(home), 60, "all of it to be done")
    results = {order: films / f"work {number}{ENDINGS[order][1]}" for number, order in enumerate(ORDERS)}
    before = totals(box)
    again = submit(home, paths[ORDER], "--as", ORDER, "--to", films / "again" / "here", "--wait", "--json")
    assert again.returncode == 0, again.stderr
    (job,) = json.loads(again.stdout)
    copy = films / "again" / "here" / results[ORDER].name
    assert (job["state"], [one["path"] for one in job["results"]]) == ("done", [str(copy)])
    assert copy.read_bytes() == results[ORDER].read_bytes()
    assert totals(box) == before
    assert (before["tasks"], before["clones"]) == (6, 1)
    assert all(path.exists() for path in (*paths.values(), *results.values()))
    assert not litter(films)
    assert not litter(copy.parent)
    told = home.command("why", str(paths[ORDER])).stdout
    assert "stays where it is" in told
    assert str(copy) in told
    assert "work 0.mp4" in home.command("why", str(results[ORDER])).stdout


def test_names_that_are_no_text_and_a_second_file_of_another_name_are_taken(pair: Pair, films: Path, wares: Wares) -> None:
    home, _ = pair
    odd = os.path.join(os.fsencode(films), b"caf\xe9.mp4")
    with open(odd, "wb") as file:
        file.write(wares.video(20))
    face = films / "somebody else.jpg"
    face.write_bytes(wares.picture(20))
    done = submit(home, odd, "--as", "face swap", "--with", face, "--json")
    assert done.returncode == 0, done.stderr
    (job,) = json.loads(done.stdout)
    assert base64.b64decode(job["drops"][0]["path_b64"]) == odd
    assert os.path.exists(os.path.join(os.fsencode(films), b"caf\xe9.swapped.mp4"))
    assert face.exists()


def test_several_files_go_to_one_folder_and_a_taken_name_gets_a_number(pair: Pair, films: Path, wares: Wares) -> None:
    """Two of the same name from different folders; what lay there before is not touched."""
    home, _ = pair
    paths = []
    for number in (30, 31):
        (films / str(number)).mkdir()
        paths.append(films / str(number) / "clip.mp4")
        paths[-1].write_bytes(wares.video(number))
    out = films / "out"
    out.mkdir()
    (out / "clip.es.mp4").write_text("mine")
    done = submit(home, *paths, "--as", ORDER, "--to", out)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(out)) == ["clip (2).es.mp4", "clip (3).es.mp4", "clip.es.mp4"]
    assert (out / "clip.es.mp4").read_text() == "mine"


def test_what_cannot_be_taken_is_refused_before_anything_is_recorded(pair: Pair, films: Path, wares: Wares) -> None:
    home, _ = pair
    clip = made_for(ORDER, wares, films, 40)
    nothing = films / "empty.mp4"
    nothing.touch()
    link = films / "link.mp4"
    link.symlink_to(clip)
    cases: tuple[tuple[tuple[Any, ...], int, str], ...] = (
        ((clip, "--as", "dubb en to es"), 2, "dub en to es"),
        ((films / "no.mp4", "--as", ORDER), 1, "no.mp4"),
        ((films, "--as", ORDER), 1, "is a folder"),
        ((nothing, "--as", ORDER), 1, "is empty"),
        ((link, "--as", ORDER), 1, "symbolic link"),
        ((clip, "--as", SPEECH), 1, "a plain text file"),
        ((clip, "--as", "face swap"), 1, "--with"),
        ((clip, "--as", ORDER, "--with", link), 1, "takes one file"),
        ((clip, clip.parent, "--as", "face swap", "--with", clip), 2, "--with"),
        ((clip, "--as", ORDER, "--to", home.inbox / ORDER), 1, "lies in the inbox"),
        ((clip, "--as", ORDER, "--to", clip), 1, "--to"),
    )
    for words, status, said in cases:
        done = submit(home, *words)
        assert done.returncode == status, (words, done.stderr)
        assert said in done.stderr
    home.key = None
    done = submit(home, clip, "--as", ORDER)
    assert (done.returncode, "QAVIX_API_KEY" in done.stderr) == (2, True)
    assert home.query("SELECT * FROM drops") == []


def test_what_others_own_is_refused_by_service_and_command(home: Callable[..., Home], films: Path, wares: Wares) -> None:
    """A folder that cannot be written, a file that cannot be read, and a state that is another user's."""
    if shutil.which("setpriv") is None or os.geteuid() != 0:
        pytest.skip("only the superuser with setpriv can be somebody else here")
    clip = made_for(ORDER, wares, films, 41)
    theirs = films / "theirs"
    theirs.mkdir(mode=0o755)
    secret = films / "secret.mp4"
    secret.write_bytes(wares.video(42))
    secret.chmod(0o600)
    for path in (theirs, secret):
        os.chown(path, 65534, 65534)
    one = home(start=False)
    run = [*OTHERS_HOMES, *PROGRAM, "run", "--config", str(one.config)]
    with one.log.open("ab") as log:
        one.process = subprocess.Popen(run, env=one.environ(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wait_for(one.is_ready, 30, "the service to be ready")
    by_service = [submit(one, clip, "--as", ORDER, "--to", theirs), submit(one, secret, "--as", ORDER, "--to", films)]
    assert one.stop() == 0
    alone = [
        submit(one, clip, "--as", ORDER, "--to", theirs, prefix=OTHERS_HOMES),
        submit(one, secret, "--as", ORDER, "--to", films, prefix=OTHERS_HOMES),
    ]
    for done, where in zip([*by_service, *alone], [theirs, secret] * 2, strict=True):
        assert done.returncode == 1, done.stderr
        assert str(where) in done.stderr
    assert all("the service refuses" in done.stderr for done in by_service)
    os.chown(one.state, 65534, 65534)
    refused = submit(one, clip, "--as", ORDER)
    assert refused.returncode == 1
    assert "sudo -u nobody qavix-watch submit" in refused.stderr
    assert one.query("SELECT * FROM drops") == []


@pytest.mark.timeout(120)
def test_a_killed_command_is_gone_on_with_by_the_same_command(pair: Pair, films: Path, wares: Wares) -> None:
    """SIGKILL while the task is being worked on; then Ctrl-C; then to its end: one upload, one task, one result, nothing left over."""
    home, box = pair
    clip = made_for(ORDER, wares, films, 50)
    with submitting(home, clip, "--as", ORDER) as process:
        wait_for(lambda: home.query("SELECT 1 FROM jobs WHERE posted = 1"), 30, "the task to be submitted")
        process.kill()
        process.wait(10)
    with submitting(home, clip, "--as", ORDER) as process:
        wait_for(lambda: home.query("SELECT 1 FROM service WHERE pid = ? AND ready = 1", process.pid), 30, "the second one to work")
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[1].decode()
    if process.returncode != 0:  # it may have been done within that moment
        assert process.returncode == 130
        assert "the same command goes on with it" in said
    last = submit(home, clip, "--as", ORDER)
    assert last.returncode == 0, last.stderr
    assert (films / "work 50.es.mp4").exists()
    assert not litter(films)
    assert (totals(box)["tasks"], totals(box)["puts"]) == (1, 1)


@pytest.mark.timeout(120)
def test_who_stops_waiting_does_not_stop_the_service(pair: Pair, films: Path, wares: Wares) -> None:
    """On a terminal, with bars; what Ctrl-C ends is said there. In a pipe there is a line for each change."""
    home, box = pair
    home.start()
    box.faults({"operation": "task", "kind": "stuck_task", "times": 1})
    clip = made_for(ORDER, wares, films, 60)
    ours, theirs = pty.openpty()
    with submitting(home, clip, "--as", ORDER, "--wait", stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        shown = read_until(ours, lambda text: "processing" in text and "%" in text)
        assert "━" in shown
        process.send_signal(signal.SIGINT)
        shown = read_until(ours, lambda text: "goes on with it" in text)
        assert process.wait(10) == 130
    os.close(ours)
    (task,) = box.ledger()["tasks"]
    with submitting(home, clip, "--as", ORDER, "--wait") as process:
        assert process.stderr is not None
        assert wait_for(lambda: b"processing" in process.stderr.readline(), 30, "a line that says so")
        box.control(f"tasks/{task['task_id']}", {"status": "completed"}, method="POST")
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert str(films / "work 60.es.mp4") in out.decode()
    assert b"\x1b" not in out + err
    assert totals(box)["tasks"] == 1


def read_until(terminal: int, enough: Callable[[str], bool], seconds: float = 40) -> str:
    """What a terminal has shown when it is enough."""
    text, until = "", time.monotonic() + seconds
    while not enough(text):
        assert time.monotonic() < until, f"waited in vain; the terminal shows {text[-2000:]!r}"
        if select.select([terminal], [], [], 0.2)[0]:
            text += os.read(terminal, 65536).decode("utf-8", "replace")
    return text


@pytest.mark.timeout(120)
def test_failed_held_and_taken_away_files_end_the_waiting_with_what_to_do(pair: Pair, films: Path, wares: Wares) -> None:
    home, box = pair
    home.start()
    box.faults({"operation": "task", "kind": "fail_task", "message": "no speech in it"})
    clip = made_for(ORDER, wares, films, 70)
    out = films / "out"
    failed = submit(home, clip, "--as", ORDER, "--wait", "--to", out)
    assert failed.returncode == 1
    assert "no speech in it" in failed.stdout
    assert "qavix-watch retry 1" in failed.stdout
    assert os.listdir(out) == ["work 70.mp4.why.txt"]
    assert "submit the file once more" in (out / "work 70.mp4.why.txt").read_text()
    assert clip.exists()
    box.faults()
    held = submit(home, clip, "--as", f"{ORDER} hold=yes", "--wait", "--to", films / "held")
    assert held.returncode == 1
    assert "qavix-watch approve" in held.stdout
    home.command("pause")
    other = made_for(ORDER, wares, films, 72)
    with submitting(home, other, "--as", ORDER, "--wait") as process:
        wait_for(lambda: home.query("SELECT 1 FROM drops WHERE path = ?", os.fsencode(other)), 30, "the file to be taken in")
        (number,) = home.query("SELECT id FROM drops WHERE path = ?", os.fsencode(other))[0]
        home.command("cancel", f"drop-{number}")
        out_text, _ = process.communicate(timeout=30)
    assert (process.returncode, b"cancelled" in out_text) == (1, True)
    gone = made_for(ORDER, wares, films, 71)
    with submitting(home, gone, "--as", ORDER, "--wait") as process:
        wait_for(lambda: home.query("SELECT 1 FROM drops WHERE path = ?", os.fsencode(gone)), 30, "the file to be taken in")
        gone.unlink()
        home.command("resume")
        out_text, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"taken away" in out_text
    assert totals(box)["tasks"] <= 2


@pytest.mark.timeout(120)
def test_a_root_that_is_away_does_not_concern_what_was_submitted(pair: Pair, films: Path, wares: Wares) -> None:
    """The inbox waits; the file that lies elsewhere is done. So it is in this process, which leaves the inbox's work alone."""
    home, box = pair
    home.start()
    home.drop(ORDER, "waits.mp4", wares.video(80))
    wait_for(lambda: home.query("SELECT 1 FROM drops"), 30, "the drop to be noticed")
    marker = home.root / ".qavix-watch"
    marker.rename(home.base / "marker")
    wait_for(lambda: home.query("SELECT 1 FROM brakes WHERE name = 'root' AND state = 'on'"), 30, "the root to be away")
    before = totals(box)["tasks"]
    done = submit(home, made_for(ORDER, wares, films, 81), "--as", ORDER, "--wait")
    assert done.returncode == 0, done.stderr
    assert home.stop() == 0
    home.drop(ORDER, "comes later.mp4", wares.video(83))
    done = submit(home, made_for(ORDER, wares, films, 82), "--as", ORDER)
    assert done.returncode == 0, done.stderr
    assert totals(box)["tasks"] == before + 2
    assert not litter(films)
