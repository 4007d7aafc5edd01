"""No law is blind: each is broken once, by a small situation on a real simulated disk and a real state, and once it is not."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.grammar import parse
from qavix_watch.core.layout import join, parent
from qavix_watch.core.money import Budget
from qavix_watch.core.tasks import MediaKind
from tests.simulation import wares
from tests.simulation.accounts import Clone, SimTask
from tests.simulation.choices import Tape, Taped
from tests.simulation.counters import Counters
from tests.simulation.disk import SimulatedDisk
from tests.simulation.gifts import Gift, Place, Possession, Record, Work, digest
from tests.simulation.ground import Ground, layout_of
from tests.simulation.hosts import Host
from tests.simulation.invariants import AT_EACH_ACT, AT_EACH_POWER_CUT, AT_REST, BEFORE_EACH_POST, ROW_LAWS, Invariants
from tests.simulation.kernel import Kernel, Program
from tests.simulation.loop import Loop
from tests.simulation.service import Service
from tests.simulation.state import State
from tests.simulation.volumes import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INBOX, OUTBOX, ARCHIVE, FAILED = b"/media/inbox", b"/media/outbox", b"/media/archive", b"/media/failed"
FILM = INBOX + b"/dub en to es/film.mp4"
RESULT = OUTBOX + b"/dub en to es/film.es.mp4"
PRIVATE = OUTBOX + b"/.qavix-parts/1.video.1.whole"
CONTENT = wares.make("video", 5.0, "a film")
ORDER = parse("dub en to es")
PARAMS = {"source_language": "en", "target_language": "es"}
WORK = Work.of("video_translation", PARAMS, [digest(CONTENT)])


class Little:
    """A world in which nothing happens but what a test does: one machine, whose host is `A1`, and one person."""

    def __init__(self, after: str = "archive", *, cold_archive: bool = False) -> None:
        self.choices = Taped(Tape())
        self.loop = Loop(self.choices)
        self.deaths = 0
        self.wrongs: list[str] = []
        self.counters = Counters()
        self.rules = SimpleNamespace(budget=Budget(), give_up_after_seconds=3600.0)
        self.disk_errors: set[bytes] = set()
        self.layout = layout_of(cold_archive=cold_archive, after=after)
        self.host = Host("A1")
        kernel = Kernel(Volume("A's own", 20), now=self.now)
        self.machines = [SimpleNamespace(name="A", kernel=kernel, host=self.host)]
        self.state = State(self)  # type: ignore[arg-type]
        self.service = Service(self)  # type: ignore[arg-type]
        self.people = SimpleNamespace(record=Record())
        self.ground = Ground(self, remote=False)  # type: ignore[arg-type]
        self.ground.join(self.machines[0])  # type: ignore[arg-type]
        self.ground.prepare()
        self.invariants = Invariants(self)  # type: ignore[arg-type]
        self.person = SimulatedDisk(Program(kernel, "somebody"))
        self._disk = SimulatedDisk(Program(kernel, "A1", acted=lambda *what: self.invariants.after_act(self.machines[0], *what)))  # type: ignore[arg-type]

    def now(self) -> float:
        return 1_788_000_000.0 + self.loop.time()

    def fault(self, *_how: object) -> int:
        return 0

    def pick(self, *_how: object) -> int:
        return 0

    def one_of(self, _stream: str, things: Any) -> Any:
        return things[0]

    def tell(self, *_what: object) -> None:
        return

    def wrong(self, text: str) -> None:
        self.wrongs.append(text)

    # What a test does

    def ours(self, act: Callable[[SimulatedDisk], object], host: Host | None = None) -> None:
        """The program on the machine does something."""
        (host or self.host).context().run(act, self._disk)

    def sql(self, text: str, *values: object) -> None:
        """The program on the machine changes the state."""
        self.host.context().run(self.state.connection.execute, text, values)

    def put(self, path: bytes, data: bytes, disk: SimulatedDisk | None = None) -> None:
        """Write a file, durable."""
        disk = disk or self.person
        disk.make_folder(parent(path))
        sink = disk.append(path)
        sink.write(data)
        sink.sync()
        sink.close()

    def give(self, path: bytes = FILM, data: bytes = CONTENT, order: Any = ORDER, kind: MediaKind = MediaKind.VIDEO) -> Gift:
        """A person brings a file."""
        self.put(path, data)
        gift = Gift(1, kind, digest(data), len(data), [Place(path, parent(path), order, 0.0)], durable=True)
        self.people.record.gifts.append(gift)
        self.people.record.readable.add(gift.sha256)
        return gift

    def task(self, ended: str = "completed", work: Work = WORK, key: str = "qx1-1") -> SimTask:
        """The service has made something of the film."""
        number = self.service.factory.number()
        body = {**PARAMS, "idempotency_key": key}
        task = SimTask(number, work.operation, work.operation, body, work.inputs, work, 12, 0.0, 0.0, 0.0, ended=ended, used=12)
        self.service.account.tasks[number] = task
        if ended == "completed":
            self.service.results.make(task, ["video"])
        return task

    def drop(self, **how: object) -> None:
        """A row of a drop of the film."""
        row = {
            "id": 1, "account": 1, "state": "archived", "place": "p", "path": FILM.removeprefix(INBOX + b"/"), "folder": b"dub en to es",
            "order_json": "{}", "canonical": "dub en to es", "task": "video_translation", "size": 1, "mtime_ns": 1, "inode": 1,
            "changed_at": 0.0, "created_at": 0.0, "sha256": digest(CONTENT), "verdict": "done", "after": self.layout.after, **how,
        }
        self.insert("drops", row)

    def job(self, **how: object) -> None:
        """A row of a job of the film."""
        row = {
            "id": 1, "account": 1, "state": "done", "key": "qx1-1", "identity": "i", "generation": 1, "task": "video_translation",
            "operation": "video_translation", "canonical": "dub en to es", "stem": "film", "params_json": json.dumps(PARAMS),
            "main_sha256": digest(CONTENT), "token": "t", "created_at": 0.0, "posted": 1, "reserved": 12.0, **how,
        }
        self.insert("jobs", row)

    def delivered(self, data: bytes, state: str = "done") -> None:
        """Rows of a job and its result, which was delivered for the drop."""
        self.job()
        self.insert("deliveries", {"id": 1, "account": 1, "state": state, "job": 1, "drop_id": 1})
        self.insert("results", {"id": 1, "job": 1, "kind": "video", "extension": "mp4", "sha256": digest(data), "size": len(data)})
        path = RESULT.removeprefix(OUTBOX + b"/")
        self.insert("result_files", {"id": 1, "result": 1, "delivery": 1, "path": path, "size": len(data), "sha256": digest(data)})

    def insert(self, table: str, row: dict[str, object]) -> None:
        self.sql(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", *row.values())

    def appear(self, data: bytes, path: bytes = RESULT) -> None:
        """The program delivers something."""

        def deliver(disk: SimulatedDisk) -> None:
            self.put(PRIVATE, data, disk)
            disk.make_folder(parent(path))
            disk.rename_new(PRIVATE, path)
            disk.remove_empty(parent(PRIVATE), OUTBOX)

        self.ours(deliver)


@pytest.fixture
def little() -> Iterator[Little]:
    yield from _lived(Little())


def _lived(world: Little) -> Iterator[Little]:
    yield world
    world.state.close()
    world.loop.close()


def broken(world: Little) -> set[str]:
    """The sentences of the laws that were broken."""
    return {text.partition("\n")[0].rstrip(".") for text in world.wrongs}


def says(law: Callable[..., object]) -> str:
    return (law.__doc__ or "").rstrip(".")


def found(world: Little, law: Callable[..., Any], *about: object) -> list[str]:
    """What a law finds, looked at by itself."""
    return list(law(world.invariants, *about))


LAWS = {law.__name__: law for law in (*AT_EACH_ACT, *BEFORE_EACH_POST, *AT_EACH_POWER_CUT, *AT_REST)}


def test_every_law_says_what_it_is_in_one_sentence_without_figures() -> None:
    """The first line of a failure is the law: lives that break the same one are alike."""
    sentences = [*(row.says for row in ROW_LAWS), *(says(law) for law in LAWS.values())]
    assert all(sentence and "\n" not in sentence and not any(map(str.isdigit, sentence)) for sentence in sentences)
    assert not any("'" in row.says for row in ROW_LAWS)  # they stand in SQL
    assert len(set(sentences)) == len(sentences)


# Acts


def test_a_quiet_delivery_and_an_archiving_break_no_law(little: Little) -> None:
    little.give()
    task = little.task()
    little.appear(task.results["video"])
    aside = parent(FILM) + b"/.qavix-aside-1"
    little.drop(state="archiving", aside=aside)
    little.delivered(task.results["video"])
    little.ours(lambda disk: disk.rename_new(FILM, aside))
    little.ours(lambda disk: disk.make_folder(ARCHIVE + b"/dub en to es"))
    little.ours(lambda disk: disk.rename_new(aside, ARCHIVE + b"/dub en to es/film.mp4"))
    assert not little.wrongs


def test_what_appears_is_whole(little: Little) -> None:
    little.give()
    little.appear(little.task().results["video"][:-1])
    assert broken(little) == {says(LAWS["whole_when_it_appears"])}


def test_what_appears_bears_the_name_of_its_gift(little: Little) -> None:
    little.give()
    little.appear(little.task().results["video"], OUTBOX + b"/dub en to es/other.es.mp4")
    assert broken(little) == {says(LAWS["whole_when_it_appears"])}


def test_what_appears_is_in_the_language_that_was_asked_for(little: Little) -> None:
    little.give()
    little.appear(little.task().results["video"], OUTBOX + b"/dub en to es/film.de.mp4")
    assert broken(little) == {says(LAWS["whole_when_it_appears"])}


def test_a_voice_is_delivered_as_a_note_that_names_it(little: Little) -> None:
    sound, order = wares.make("audio", 5.0, "a voice"), parse("clone voice name=Ann")
    little.give(INBOX + b"/clone voice name=Ann/ann.wav", sound, order, MediaKind.AUDIO)
    work = Work.of("voice_clone", {"name": "Ann"}, [digest(sound)])
    little.service.voices.append(Clone("c-9", "Ann", digest(sound), work, 20))
    little.appear(json.dumps({"voice_id": "c-9", "name": "Ann"}).encode(), OUTBOX + b"/clone voice name=Ann/ann.voice.json")
    assert not little.wrongs
    little.appear(json.dumps({"voice_id": "c-8", "name": "Ann"}).encode(), OUTBOX + b"/clone voice name=Ann/ann (2).voice.json")
    assert broken(little) == {says(LAWS["whole_when_it_appears"])}


@pytest.mark.parametrize("act", [
    lambda disk: disk.remove(RESULT),
    lambda disk: disk.rename_new(RESULT, OUTBOX + b"/.qavix-parts/back"),
    lambda disk: disk.append(RESULT).write(b"more"),
])  # fmt: skip
def test_results_stay(little: Little, act: Callable[[SimulatedDisk], object]) -> None:
    little.give()
    little.appear(little.task().results["video"])
    little.ours(lambda disk: disk.make_folder(OUTBOX + b"/.qavix-parts"))
    assert not little.wrongs
    little.ours(act)
    assert broken(little) == {says(LAWS["results_stay"])}


def test_people_may_do_with_results_what_they_like(little: Little) -> None:
    little.give()
    little.appear(little.task().results["video"])
    little.person.remove(RESULT)
    assert not little.wrongs


def test_nothing_of_theirs_is_replaced(little: Little) -> None:
    note = INBOX + b"/QAVIX-READ-ME.txt"
    little.ours(lambda disk: disk.write(note, b"ours", INBOX + b"/.qavix-read-me"))
    little.ours(lambda disk: disk.write(note, b"ours again", INBOX + b"/.qavix-read-me"))
    assert not little.wrongs
    little.person.remove(note)
    little.put(note, b"theirs")
    little.ours(lambda disk: disk.write(note, b"ours", INBOX + b"/.qavix-read-me"))
    assert broken(little) == {says(LAWS["nothing_of_theirs_is_replaced"])}


def test_we_make_things_under_private_names(little: Little) -> None:
    little.ours(lambda disk: disk.append(INBOX + b"/QAVIX-STATUS.txt"))
    assert broken(little) == {says(LAWS["made_under_private_names"])}


def test_originals_go_where_they_belong(little: Little) -> None:
    little.give()
    little.ours(lambda disk: disk.rename_new(FILM, parent(FILM) + b"/.qavix-aside-1"))
    little.ours(lambda disk: disk.rename_new(parent(FILM) + b"/.qavix-aside-1", FILM))
    assert not little.wrongs
    little.ours(lambda disk: disk.rename_new(FILM, INBOX + b"/film.mp4"))
    assert broken(little) == {says(LAWS["originals_go_where_they_belong"])}


@pytest.mark.parametrize("delivery", ["pending", "lost", "not durable", ""])
def test_originals_leave_last(little: Little, delivery: str) -> None:
    little.give()
    data = little.task().results["video"]
    if delivery != "lost":
        little.appear(data)
    if delivery == "not durable":
        little.ground.media.root.names[b"outbox"].names[b"dub en to es"].kept_names.clear()
    little.drop(state="archiving", aside=FILM)
    little.delivered(data, "pending" if delivery == "pending" else "done")
    little.ours(lambda disk: disk.rename_new(FILM, ARCHIVE + b"/film.mp4"))
    assert broken(little) == ({says(LAWS["originals_leave_last"])} if delivery else set())


def test_a_delivery_that_people_took_holds_nothing_up(little: Little) -> None:
    little.give()
    data = little.task().results["video"]
    little.appear(data)
    little.person.remove(RESULT)
    little.drop(state="archiving", aside=FILM)
    little.delivered(data)
    little.ours(lambda disk: disk.rename_new(FILM, ARCHIVE + b"/film.mp4"))
    assert not little.wrongs


@pytest.mark.parametrize("copied", [True, False])
def test_originals_are_not_lost(copied: bool) -> None:
    for little in _lived(Little(cold_archive=True)):
        little.give()
        little.drop(state="archiving", aside=FILM, verdict="failed")
        if copied:
            little.put(FAILED + b"/film.mp4", CONTENT)
        little.ours(lambda disk: disk.remove(FILM))
        assert broken(little) == (set() if copied else {says(LAWS["originals_are_not_lost"])})


@pytest.mark.parametrize("delivered", [True, False])
def test_with_after_delete_an_original_goes_once_all_is_delivered(delivered: bool) -> None:
    for little in _lived(Little("delete")):
        little.give()
        data = little.task().results["video"]
        if delivered:
            little.appear(data)
        little.drop(state="archiving", aside=FILM)
        little.delivered(data)
        little.ours(lambda disk: disk.remove(FILM))
        assert broken(little) == (set() if delivered else {says(LAWS["originals_leave_last"])})


# Rows


def _rows(little: Little) -> None:
    little.drop(state="waiting", verdict="")
    little.job(state="submitting", posted=0, reserved=None)


_BRAKE = "INSERT INTO brakes (account, name, scope, since, why, hint, until, count, state) VALUES ({}, '{}', '', 0, '', '', 0, 1, 'on')"
PAUSED, OFFLINE = (_BRAKE.format("(SELECT account FROM jobs)", name) for name in ("paused", "offline"))
CLAIMED = "UPDATE jobs SET owner = 'A:A1', lease_until = world_now() + 20, fence = fence + 1"


@pytest.mark.parametrize(("law", "changes"), [
    ("The jobs take no step that their lifecycle does not know", ["UPDATE jobs SET state = 'fetching'"]),
    ("The drops take no step that their lifecycle does not know", ["UPDATE drops SET state = 'archived'"]),
    ("A fence never falls", ["UPDATE jobs SET fence = 3", "UPDATE jobs SET fence = 2"]),
    ("Each claim has a fence of its own", ["UPDATE jobs SET owner = 'A:A1', lease_until = 1"]),
    ("Nobody claims what another holds by a lease that runs", [
        "UPDATE jobs SET owner = 'A:A1', lease_until = world_now() + 20, fence = 1",
        "UPDATE jobs SET owner = 'B:B1', lease_until = world_now() + 20, fence = 2",
    ]),
    ("A claim is ended by its owner, by a step that fences the owner out, or after the death of the owner", [
        "UPDATE jobs SET owner = 'B:B1', lease_until = world_now() + 20, fence = 1", "UPDATE jobs SET owner = NULL, lease_until = NULL",
    ]),
    ("No new work is begun while it is paused", [PAUSED, CLAIMED]),
    ("Nothing is asked of the service under a brake that is not to be tried yet", [OFFLINE, CLAIMED]),
    ("A POST is made ready by whoever has claimed its job", ["UPDATE jobs SET posted = 1, reserved = 3"]),
    ("Credits are set aside before a POST", ["UPDATE jobs SET owner = 'A:A1', fence = 1", "UPDATE jobs SET posted = 1"]),
    ("Credits are set aside for nothing but a POST", ["UPDATE jobs SET reserved = 3"]),
    ("What a job is, and its key, never change", ["UPDATE jobs SET key = 'qx1-2'"]),
    ("A job has one task for ever", [
        "UPDATE jobs SET task_id = '7', state = 'processing'", "UPDATE jobs SET task_id = '8'",
    ]),
    ("What has become a task is never submitted again", [
        "UPDATE jobs SET task_id = '7', state = 'processing'", "UPDATE jobs SET state = 'failed'", "UPDATE jobs SET state = 'ready'",
    ]),
])  # fmt: skip
def test_rows_keep_to_their_laws(little: Little, law: str, changes: list[str]) -> None:
    assert law in {row.says for row in ROW_LAWS}
    _rows(little)
    little.machines.append(SimpleNamespace(name="B", host=Host("B1")))
    for change in changes[:-1]:
        little.sql(change)
    assert not little.wrongs
    little.sql(changes[-1])
    assert broken(little) == {law}


def test_a_lawful_claim_its_end_and_a_takeover_break_no_law_and_are_counted(little: Little) -> None:
    _rows(little)
    little.sql("UPDATE jobs SET owner = 'A:A1', lease_until = world_now() + 20, fence = fence + 1, claims = 1")
    little.sql("UPDATE jobs SET posted = 1, reserved = 3")
    little.sql("UPDATE jobs SET owner = NULL, lease_until = NULL, claims = 0")
    little.sql("UPDATE jobs SET owner = 'C:C1', lease_until = world_now() - 1, fence = fence + 1, claims = 1")
    little.sql("UPDATE jobs SET owner = 'A:A1', lease_until = world_now() + 20, fence = fence + 1, claims = 2")
    assert not little.wrongs
    assert (little.counters["lease taken over"], little.counters["later: submitting"]) == (1, 1)


def test_one_piece_of_work_may_try_a_brake_and_what_is_paused_is_ended_well(little: Little) -> None:
    _rows(little)
    little.sql(OFFLINE)
    little.sql("UPDATE brakes SET probing = 1")
    little.sql(CLAIMED)
    little.sql("UPDATE brakes SET state = 'off'")
    little.sql(PAUSED)
    little.sql("UPDATE jobs SET state = 'processing', owner = NULL")
    little.sql(CLAIMED)
    assert not little.wrongs


def test_the_leases_of_the_dead_end(little: Little) -> None:
    _rows(little)
    little.sql("UPDATE jobs SET owner = 'A:A0', lease_until = world_now() + 20, fence = fence + 1, claims = 1")
    little.sql("UPDATE jobs SET owner = NULL, lease_until = NULL")
    assert not little.wrongs
    assert little.counters["lease ended at a start"] == 1


# Before a POST

BODY = {**PARAMS, "video_url": "https://files.example/1", "name": "film", "idempotency_key": "qx1-1"}


def test_a_post_whose_key_body_and_credits_are_in_the_state_is_lawful(little: Little) -> None:
    little.job(state="submitting", body=json.dumps(BODY))
    little.invariants.before_post("video_translation", BODY)
    assert not little.wrongs


@pytest.mark.parametrize("how", [
    {"key": "qx1-2", "body": json.dumps(BODY)}, {"posted": 0, "body": json.dumps(BODY)}, {"reserved": None, "body": json.dumps(BODY)},
    {"body": json.dumps({**BODY, "name": "another"})},
])  # fmt: skip
def test_a_post_that_the_state_does_not_know_of_is_not(little: Little, how: dict[str, object]) -> None:
    little.job(**{"state": "submitting", **how})
    little.invariants.before_post("video_translation", BODY)
    assert broken(little) == {says(LAWS["durable_before_the_post"])}


@pytest.mark.parametrize(("limit", "how", "lawful"), [
    ("per_job", {}, False), ("approve_above", {}, False), ("per_job", {"approved": 1}, True), ("per_job", {"reserved": 9.0}, True),
    ("per_day", {"reserved_at": 1_788_000_000.0}, False), ("per_month", {"reserved_at": 1_788_000_000.0}, False),
    ("per_day", {"reserved_at": 1_787_800_000.0}, True),
])  # fmt: skip
def test_what_is_sent_fits_into_the_limits(little: Little, limit: str, how: dict[str, object], lawful: bool) -> None:
    little.rules.budget = Budget(**{limit: 10.0})
    little.job(**{"state": "submitting", "body": json.dumps(BODY), **how})
    little.invariants.before_post("video_translation", BODY)
    assert broken(little) == (set() if lawful else {says(LAWS["within_the_limits"])})


def test_a_repeated_request_may_differ_in_its_links_alone(little: Little) -> None:
    for change in ({}, {"video_url": "https://files.example/2"}, {"name": "another"}):
        assert not little.wrongs
        body = {**BODY, **change}
        little.sql("DELETE FROM jobs")
        little.job(state="submitting", body=json.dumps(body))
        little.invariants.before_post("video_translation", body)
    assert broken(little) == {says(LAWS["repeated_word_for_word"])}


@pytest.mark.parametrize("posted", [1, 0])
def test_a_clone_is_asked_for_by_one_job_that_says_so(little: Little, posted: int) -> None:
    little.job(state="submitting", task="voice_clone", operation="voice_clone", params_json='{"name": "Ann"}', posted=posted)
    little.invariants.before_post("voice_clone", {"name": "Ann", "audio_url": "https://files.example/1"})
    assert broken(little) == (set() if posted else {says(LAWS["durable_before_the_post"])})


# Power cuts


def test_after_a_power_cut_all_that_was_durable_is_there(little: Little) -> None:
    little.give()
    data = little.task().results["video"]
    little.appear(data)
    little.drop()
    little.delivered(data)
    little.machines[0].kernel.power_cut(lambda _stream, count: count - 1)
    little.invariants.after_power_cut(little.machines[0])  # type: ignore[arg-type]
    assert not little.wrongs


def test_an_original_whose_new_folder_is_not_durable_is_lost_with_the_power(little: Little) -> None:
    little.give()
    program = Program(little.machines[0].kernel, "A1")
    program.mkdir(ARCHIVE + b"/new")
    program.rename(FILM, ARCHIVE + b"/new/film.mp4")
    program.sync_folder(parent(FILM))
    little.machines[0].kernel.power_cut(lambda _stream, count: count - 1)
    little.invariants.after_power_cut(little.machines[0])  # type: ignore[arg-type]
    assert broken(little) == {says(LAWS["originals_survive"])}


def test_a_result_that_was_not_durable_is_lost_with_the_power(little: Little) -> None:
    little.give()
    data = little.task().results["video"]
    little.appear(data)
    little.ground.media.root.names[b"outbox"].names[b"dub en to es"].kept_names.clear()
    little.drop()
    little.delivered(data)
    little.machines[0].kernel.power_cut(lambda _stream, count: count - 1)
    little.invariants.after_power_cut(little.machines[0])  # type: ignore[arg-type]
    assert broken(little) == {says(LAWS["put_away_means_delivered"]), says(LAWS["delivered_means_durable"])}


def test_what_a_power_cut_took_the_name_from_may_be_written_anew(little: Little) -> None:
    private, data = OUTBOX + b"/.qavix-half", little.task().results["video"]
    program = Program(little.machines[0].kernel, "A1")
    little.ours(lambda disk: little.put(private, data, disk))
    program.sync_folder(OUTBOX)
    little.ours(lambda _: program.rename(private, OUTBOX + b"/film.es.mp4"))
    little.invariants.sight.done()
    little.machines[0].kernel.power_cut(lambda _stream, count: count - 1)
    little.invariants.after_power_cut(little.machines[0])  # type: ignore[arg-type]
    little.ours(lambda disk: little.put(private, data, disk))
    assert not little.wrongs


def test_what_was_fetched_is_there_after_a_power_cut(little: Little) -> None:
    data = little.task().results["video"]
    little.job(state="done")
    row = {"id": 1, "job": 1, "kind": "video", "extension": "mp4", "sha256": digest(data), "size": len(data), "staged": b"x"}
    little.insert("results", row)
    assert found(little, LAWS["fetched_means_durable"])
    little.put(PRIVATE, data)
    assert not found(little, LAWS["fetched_means_durable"])


# The end


def at_rest(world: Little) -> set[str]:
    """The laws that are broken once everything should be at rest; every finding of a law has to be a line."""
    broken_ones = {law.__name__ for law in AT_REST if found(world, law)}
    assert all(isinstance(line, str) for law in AT_REST for line in found(world, law))
    return broken_ones


def well_ended(world: Little) -> SimTask:
    """A film that was dubbed, delivered and put away."""
    gift = world.give()
    task = world.task()
    world.appear(task.results["video"])
    room = ARCHIVE if world.layout.after == "archive" else INBOX
    if room != INBOX:
        world.put(ARCHIVE + b"/dub en to es/film.mp4", CONTENT)
        world.person.remove(gift.path)
    world.drop(state="archived" if room == ARCHIVE else "kept", target=room + b"/dub en to es/film.mp4")
    world.delivered(task.results["video"])
    world.sql("UPDATE jobs SET task_id = ?, credits_used = 12", task.task_id)
    world.service.uploads[gift.sha256] += 1
    put_away = "archived" if room == ARCHIVE else "kept"
    for item, old, new in (("drop", "", put_away), ("job", "", "done"), ("delivery", "pending", "done")):
        world.insert("events", {"account": 1, "at": 0.0, "item": item, "item_id": 1, "old": old, "new": new, "why": ""})
    return task


@pytest.mark.parametrize("after", ["archive", "keep"])
def test_a_life_that_ended_well_breaks_no_law(after: str) -> None:
    for little in _lived(Little(after)):
        well_ended(little)
        little.invariants.at_rest()
        assert not little.wrongs


def _one_more_task(world: Little) -> None:
    world.task(key="qx1-2")


def _unasked(world: Little) -> None:
    world.task(work=replace(WORK, operation="face_swap"), key="qx1-2")


def _events(world: Little) -> None:
    world.insert("events", {"account": 1, "at": 0.0, "item": "job", "item_id": 1, "old": "ready", "new": "done", "why": ""})


def _failed_job(world: Little) -> None:
    world.job(id=2, key="qx1-3", state="failed", reason="too many requests", task_id=None)
    world.insert("events", {"account": 1, "at": 0.0, "item": "job", "item_id": 2, "old": "", "new": "failed", "why": ""})


def _given_up(world: Little) -> None:
    why = "given up after 65 tries: storage refused the upload"
    world.job(id=2, key="qx1-3", state="failed", reason=why, task_id=None)
    world.insert("events", {"account": 1, "at": 0.0, "item": "job", "item_id": 2, "old": "", "new": "failed", "why": why})


def _silent_failure(world: Little) -> None:
    world.put(FAILED + b"/other.mp4", b"other")
    world.drop(id=2, path=b"x", state="failed", target=FAILED + b"/other.mp4", verdict="failed")
    world.insert("events", {"account": 1, "at": 0.0, "item": "drop", "item_id": 2, "old": "", "new": "failed", "why": ""})


def _back_in_the_inbox(world: Little) -> None:
    world.person.rename_new(ARCHIVE + b"/dub en to es/film.mp4", FILM)


def _possession(world: Little) -> None:
    world.people.record.possessions[INBOX + b"/mine.txt"] = Possession("0" * 64)


def _waits(world: Little) -> None:
    gift = world.give(INBOX + b"/loose.mp4", CONTENT + b"2", None)
    world.person.remove(gift.path)
    world.put(ARCHIVE + b"/loose.mp4", CONTENT + b"2")


def _sent_unasked(world: Little) -> None:
    gift = world.give(INBOX + b"/loose.mp4", CONTENT + b"2", None)
    world.service.uploads[gift.sha256] += 1


def _no_result(world: Little) -> None:
    gift = world.give(INBOX + b"/dub en to es/second.mp4", CONTENT + b"2")
    gift.number = 2


BREAKS: dict[str, tuple[Callable[[Little], object], set[str]]] = {
    "a brake that never lets go": (
        lambda world: world.sql("INSERT INTO brakes VALUES (1, 'rate', '', 0, 'w', '', 0, 1, 'on', NULL, 0)"),
        {"nothing_waits_for_anybody"},
    ),
    "a lease that never ends": (
        lambda world: world.sql("UPDATE jobs SET owner = 'A:A1', fence = 1, lease_until = 0"), {"nothing_waits_for_anybody"},
    ),
    "work that stays open": (lambda world: world.drop(id=2, path=b"x", state="settled"), {"nothing_waits_for_anybody", "history_is_whole"}),
    "a command that is lost": (lambda world: setattr(world.people.record, "said", 1), {"commands_are_kept"}),
    "a command that was not answered": (
        lambda world: world.sql("INSERT INTO commands (account, at, verb, target, argument) VALUES (1, 0, 'retry', '1', '{}')"),
        {"nothing_waits_for_anybody", "commands_are_answered"},
    ),
    "a command that met a defect": (
        lambda world: world.sql(
            "INSERT INTO commands (account, at, verb, target, argument, done_at, ok, answer)"
            " VALUES (1, 0, 'retry', '1', '{}', 1, 0, 'it could not be done: KeyError: 1')"
        ),
        {"commands_are_answered"},
    ),
    "a result that is missing": (_no_result, {"everything_possible_is_done"}),
    "an original that stayed": (_back_in_the_inbox, {"originals_end_where_they_should"}),
    "an original that is gone": (lambda world: world.person.remove(ARCHIVE + b"/dub en to es/film.mp4"), {"originals_survive"}),
    "a stranger's file that was touched": (_possession, {"possessions_are_untouched"}),
    "what nobody asked for was put away": (_waits, {"what_waits_is_untouched"}),
    "a task too many": (_one_more_task, {"paid_once"}),
    "a task that its job does not know of": (lambda world: world.sql("UPDATE jobs SET task_id = NULL"), {"what_is_billed_is_known"}),
    "a task that nobody asked for": (_unasked, {"nothing_unasked_is_paid"}),
    "something unfinished was uploaded": (lambda world: world.service.storage.confirmed.append("0" * 64), {"nothing_refused_is_sent"}),
    "something unasked was uploaded": (_sent_unasked, {"nothing_refused_is_sent"}),
    "an upload too many": (lambda world: world.service.uploads.update([digest(CONTENT)]), {"sent_once"}),
    "a job that failed for no reason": (_failed_job, {"jobs_fail_for_reasons_of_their_own"}),
    "work that was given up": (_given_up, {"patience_is_enough"}),
    "a failure that says nothing": (_silent_failure, {"what_failed_says_why"}),
    "a text about nothing": (
        lambda world: world.put(FAILED + b"/gone.mp4.why.txt", b"Qavix Watch could not do this file.\n"), {"what_failed_says_why"},
    ),
    "credits that do not agree": (lambda world: world.sql("UPDATE jobs SET credits_used = 11"), {"credits_agree"}),
    "a reservation that was forgotten": (lambda world: world.sql("UPDATE jobs SET posted = 0, task_id = NULL"), {
        "nothing_is_reserved_in_vain", "what_is_billed_is_known",
    }),
    "a step that is not in the history": (_events, {"history_is_whole"}),
    "litter": (lambda world: world.put(INBOX + b"/.qavix-aside-1", b"x"), {"no_litter"}),
    "a service that is asked all the time": (lambda world: world.service.calls.update({"get_task": 5000}), {"no_hammering"}),
}  # fmt: skip


@pytest.mark.parametrize("what", BREAKS)
def test_no_law_of_the_end_is_blind(little: Little, what: str) -> None:
    breaks, laws = BREAKS[what]
    well_ended(little)
    assert not at_rest(little)
    breaks(little)
    assert at_rest(little) == laws


def test_little_patience_may_come_to_its_end(little: Little) -> None:
    well_ended(little)
    _given_up(little)
    little.rules.give_up_after_seconds = 60.0
    assert not at_rest(little)


def test_every_law_is_broken_by_some_test_of_these() -> None:
    """Those of acts, POSTs and power cuts each have a test of their own; here are those of the end."""
    assert {law.__name__ for law in AT_REST} - {"put_away_means_delivered", "delivered_means_durable"} == set().union(
        *(laws for _, laws in BREAKS.values())
    )


@pytest.mark.parametrize("what", ["failed", "held"])
def test_a_gift_may_end_otherwise(little: Little, what: str) -> None:
    gift = little.give()
    little.drop(state="delivering", verdict="")
    little.job(state="held", reason="it costs much") if what == "held" else little.put(FAILED + b"/film.mp4", CONTENT)
    little.insert("deliveries", {"id": 1, "account": 1, "state": "pending", "job": 1, "drop_id": 1}) if what == "held" else None
    assert gift.fate == "done"
    assert not found(little, LAWS["everything_possible_is_done"])


def test_a_defect_that_a_program_logs_ends_the_life(little: Little) -> None:
    little.invariants.logged("info", "submit", {"new": "processing"})
    assert not little.wrongs
    little.invariants.logged("error", "unexpected error", {"error": "KeyError"})
    assert len(little.wrongs) == 1


def test_names_of_folders_that_people_moved_are_known(little: Little) -> None:
    little.give()
    Program(little.machines[0].kernel).rename(INBOX + b"/dub en to es", INBOX + b"/dub en to fr")
    moved = INBOX + b"/dub en to fr/film.mp4"
    little.ours(lambda disk: disk.rename_new(moved, join(INBOX, b"film.mp4")))
    assert broken(little) == {says(LAWS["originals_go_where_they_belong"])}
    assert "dub en to fr" in little.wrongs[0]
