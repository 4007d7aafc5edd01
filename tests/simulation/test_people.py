"""What people do in a life, and what is written down of it: in a world with nothing but a disk, a state, and somebody who tidies up."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.files import Stat
from qavix_watch.core.identity import idempotency_key
from qavix_watch.core.layout import Layout
from qavix_watch.core.rules import Rules
from qavix_watch.core.tasks import MediaKind
from tests.simulation import bringing, commands, elsewhere, hands, surroundings
from tests.simulation.choices import Seeded, Tape, Taped
from tests.simulation.clients import ATOMIC, Bring
from tests.simulation.disk import SimulatedDisk
from tests.simulation.gifts import Fate, Gift, Work, digest
from tests.simulation.kernel import Kernel, Program
from tests.simulation.loop import Loop
from tests.simulation.people import ACTS, COUNTED, People
from tests.simulation.person import Person
from tests.simulation.state import State
from tests.simulation.volumes import Volume
from tests.simulation.wares import SimulatedMedia, Ware, facts_of, make

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.simulation.choices import Choices

    Act = Callable[[Person], Awaitable[None]]

EPOCH = 1_788_000_000.0
LAYOUT = Layout("place", b"/media/inbox", b"/media/outbox", b"/media/archive", b"/media/failed", root=b"/media")
ORDER = {"folder": b"dub en to es", "order_json": "{}", "canonical": "dub en to es", "task": "video_translation", "priority": 0}
TIDY_SECONDS = 7.0
HOLDS = "UPDATE drops SET held = 'it waits' WHERE id = 1"


class Counts(Counter[str]):
    def count(self, name: str) -> None:
        self[name] += 1


class Box:
    """As much of a machine."""

    def __init__(self) -> None:
        self.woken: list[bool] = []

    def wake(self, *, scan: bool = False) -> None:
        self.woken.append(scan)


class Ground:
    """Media on a file server, or on the host's own disk."""

    def __init__(self, now: Callable[[], float], *, remote: bool) -> None:
        self.remote = remote
        self.media, self.cold = Volume("media", 7), Volume("cold", 8)
        self.kernel = Kernel(Volume("own", 9), now=now)
        init = Program(self.kernel)
        init.mkdir(b"/media")
        self.kernel.mount(b"/media", self.media)
        for folder in (LAYOUT.inbox, LAYOUT.outbox, LAYOUT.archive, LAYOUT.failed):
            init.mkdir(folder)
        for folder in (b"/", b"/media"):
            init.sync_folder(folder)


class Small:
    """As much of a world as people need."""

    def __init__(self, choices: Choices, *, remote: bool = False) -> None:
        self.choices = choices
        self.loop = Loop(choices)
        self.counters = Counts()
        self.layout = LAYOUT
        self.rules = Rules(LAYOUT, account="us", settle_seconds=1.0, settle_remote_seconds=6.0, settle_folder_seconds=2.0)
        self.machines = [Box()]
        self.story: list[str] = []
        self.state = State(self)  # type: ignore[arg-type]
        self.ground = Ground(self.now, remote=remote)
        self.people = People(self)  # type: ignore[arg-type]
        self.clerk = Program(self.ground.kernel, "the clerk")

    def now(self) -> float:
        return EPOCH + self.loop.time()

    def pick(self, stream: str, count: int) -> int:
        return self.choices.pick(stream, count)

    def fault(self, stream: str, every: float, kinds: int = 1) -> int:
        return 0

    def tell(self, who: str, what: str, *values: object) -> None:
        self.loop.tell(who, what, values)
        self.story.append(f"{self.loop.time():.1f} {who} {what % values if values else what}")

    def wrong(self, text: str) -> None:
        raise AssertionError(text)

    def unplug(self) -> None:
        if self.ground.kernel.is_mount_point(b"/media"):
            self.ground.kernel.unmount(b"/media")

    def plug_in(self) -> None:
        if not self.ground.kernel.is_mount_point(b"/media"):
            self.ground.kernel.mount(b"/media", self.ground.media)

    # Instead of the service

    async def tidy(self) -> None:
        """Now and then every third file fails, and the others are done, as far as a passer-by can tell."""
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            for gift in self.people.gifts:
                if gift.main and self.clerk.exists(gift.path):
                    self._tidied(gift)

    def _tidied(self, gift: Gift) -> None:
        stat = self.clerk.stat(gift.path)
        path = gift.path[len(LAYOUT.inbox) + 1 :]
        root = LAYOUT.archive if gift.number % 3 else LAYOUT.failed
        self.state.now(lambda tx: tx.drops.add("place", path, stat, ORDER, self.now(), self.now(), 0.0))
        self.state.connection.execute(HOLDS)
        if self.clerk.exists(os.path.join(root, path)):
            return
        self.clerk.make_folders(os.path.dirname(os.path.join(root, path)))
        self.clerk.rename(gift.path, os.path.join(root, path))
        if root == LAYOUT.archive:
            self.clerk.make_folders(os.path.dirname(os.path.join(LAYOUT.outbox, path)))
            handle = self.clerk.open_to_write(os.path.join(LAYOUT.outbox, path + b".es.mp4"))
            handle.write(b"a result of %d" % gift.number)
            handle.close()

    # Running it

    def run(self, act: Callable[[], Awaitable[Any]]) -> Any:
        async def life() -> Any:
            tidying = asyncio.create_task(self.tidy())
            result = await act()
            tidying.cancel()
            return result

        try:
            return self.loop.run_until_complete(life())
        finally:
            self.loop.close()
            self.state.close()


def small(tape: dict[tuple[str, int], int] | None = None, **how: bool) -> Small:
    return Small(Taped(Tape(tape or {})), **how)


def ann(world: Small) -> Person:
    return Person(world, world.people.record, "Ann")  # type: ignore[arg-type]


def done(act: Act, tape: dict[tuple[str, int], int] | None = None, *, after: Act | None = None) -> Small:
    """A world in which Ann does this, `after` that, and nothing else happens."""
    world = small(tape)
    person = ann(world)

    async def life() -> None:
        if after is not None:
            await after(person)
        await act(person)

    world.run(life)
    return world


# Wares


@pytest.mark.parametrize("kind", [MediaKind.VIDEO, MediaKind.AUDIO, MediaKind.IMAGE])
def test_a_ware_is_whole_only_with_all_its_bytes(kind: MediaKind) -> None:
    data = make(kind, 12.5, "a film", size=500)
    assert (facts_of(data).kind, facts_of(data).cut, len(data)) == (kind, "", 500)
    assert all(facts_of(data[:size]).cut for size in (1, 10, 40, 64, 200, 499))
    assert facts_of(bytes(500)).cut
    assert facts_of(data[:300] + bytes(200)).cut


def test_a_piece_of_an_open_ended_ware_looks_whole() -> None:
    data = make(MediaKind.VIDEO, 12.5, "a stream", size=500, shows=False)
    assert facts_of(data[:200]) == facts_of(data)
    assert not facts_of(data).cut


def test_what_is_no_ware_is_no_media() -> None:
    assert facts_of(b"<html>Not found</html>" * 10).kind == ""
    assert facts_of(make(MediaKind.TEXT, 0, 1)) == facts_of(b"")
    assert make(MediaKind.VIDEO, 1, 1) != make(MediaKind.VIDEO, 1, 2)


def test_media_facts_are_read_through_the_files_of_a_program() -> None:
    world = small()
    data = make(MediaKind.AUDIO, 61.5, 1)
    ann(world).save(b"/media/inbox/a.wav", data)
    assert SimulatedMedia(SimulatedDisk(world.clerk), lambda: None).facts(b"/media/inbox/a.wav") == facts_of(data)
    assert facts_of(data).duration == 61.5


# Lives


def test_where_nothing_is_decided_one_plain_file_comes_and_nothing_else_happens() -> None:
    world = small()
    world.run(world.people.live)
    (gift,) = world.people.gifts
    assert (gift.path, gift.fate, gift.durable) == (b"/media/inbox/dub en to es/clip.mp4", Fate.DONE, True)
    assert [task.params for task in gift.works({})] == ['{"source_language": "en", "target_language": "es"}']
    assert dict(world.counters) == {"one of each kind: video_translation": 1}
    assert world.choices.taken == {}


def test_over_many_seeds_everything_happens_that_people_do() -> None:
    counts: Counter[str] = Counter()
    for seed in range(200):
        world = Small(Seeded(seed), remote=seed % 3 == 0)
        world.run(world.people.live)
        counts += world.counters
    assert set(counts) == set(COUNTED)


@pytest.mark.parametrize("seed", [3, 7])
def test_the_same_seed_is_the_same_life(seed: int) -> None:
    def lived() -> tuple[str, list[str]]:
        world = Small(Seeded(seed))
        world.run(world.people.live)
        return world.loop.trace, world.story

    assert lived() == lived()


def test_what_lies_there_in_the_end_is_what_was_written_down() -> None:
    for seed in range(60):
        world = Small(Seeded(seed))
        world.run(world.people.live)
        person = ann(world)
        there = {digest(person.content(path) or b"") for path in person.files_below(b"/media")}
        for gift in world.people.gifts:
            assert gift.removed or gift.sha256 in there, (seed, gift, world.story)
        for path, own in world.people.record.possessions.items():
            assert digest(person.content(path) or b"") == own.sha256, (seed, path, world.story)


# What is promised


def test_every_act_can_be_done_in_an_empty_world() -> None:
    for act in ACTS:
        done(act)


def test_a_fan_out_is_a_work_for_each_language() -> None:
    world = done(bringing.a_file, {("Ann: order", 0): 1})
    (gift,) = world.people.gifts
    assert [work.operation for work in gift.works({})] == ["video_translation"] * 2
    assert gift.steady


def test_spoken_text_is_an_input_without_its_mark() -> None:
    world = done(bringing.a_file, {("Ann: order", 0): 4, ("Ann: byte order mark", 0): 3})
    (gift,) = world.people.gifts
    text = (ann(world).content(gift.path) or b"").decode("utf-8-sig")
    body = {"text": text, "voice_id": "v-1", "name": "clip qx-1", "idempotency_key": idempotency_key("x")}
    assert gift.works({}) == [Work.of_request("text_to_speech", body, ())]


def test_a_clone_is_told_by_its_name_and_a_voice_by_its_id() -> None:
    world = done(bringing.a_voice)
    clone, film = world.people.gifts
    assert clone.works({}) == [Work.of_request("voice_clone", {"audio_url": "https://x", "name": "anna"}, [clone.sha256])]
    assert film.voice == "anna"
    assert '"voice_id": "v-1"' in film.works({"anna": ["v-1"]})[0].params


@pytest.mark.parametrize(
    ("how", "fate", "works"), [(0, Fate.DONE, 1), (1, Fate.DONE, 1), (2, Fate.DONE, 2), (3, Fate.WAITS, 0), (4, Fate.DONE, 1)]
)
def test_a_pair_is_done_with_any_partner_that_lay_there(how: int, fate: Fate, works: int) -> None:
    world = done(bringing.a_pair, {("Ann: partner", 0): how})
    gift = next(gift for gift in world.people.gifts if gift.main)
    assert (gift.fate, len(gift.works({}))) == (fate, works)


def test_a_client_that_dies_leaves_what_shows_it_or_what_may_be_taken() -> None:
    tape = {("Ann: client dies", 0): 7, ("Ann: pieces", 0): 1, ("Ann: dies after", 0): 1, ("Ann: sees that it died", 0): 1}
    (shows,) = done(bringing.a_file, tape).people.gifts
    assert (shows.fate, shows.whole) == (Fate.REFUSED, False)
    world = done(bringing.a_file, {**tape, ("Ann: suffix", 0): 4})
    (hides,) = world.people.gifts
    assert (hides.fate, hides.sha256 in world.people.record.readable) == (Fate.FREE, True)


def test_whoever_sees_that_the_client_died_brings_it_again() -> None:
    tape = {("Ann: client dies", 0): 7, ("Ann: pieces", 0): 1, ("Ann: dies after", 0): 1}
    short, whole = done(bringing.a_file, tape).people.gifts
    assert (short.fate, short.removed, whole.fate, whole.path) == (Fate.FREE, True, Fate.DONE, short.path)


def test_a_client_that_dies_with_its_file_under_another_name_leaves_nothing() -> None:
    tape = {("Ann: client", 0): 3, ("Ann: client dies", 0): 7, ("Ann: sees that it died", 0): 1}
    assert done(bringing.a_file, tape).people.gifts == []


def test_a_wrong_name_waits_until_it_is_corrected() -> None:
    (wrong,) = done(bringing.a_wrong_name, {("Ann: corrects it", 0): 2}).people.gifts
    assert wrong.fate is Fate.WAITS
    (right,) = done(bringing.a_wrong_name).people.gifts
    assert (right.fate, len(right.places), len(right.works({}))) == (Fate.DONE, 2, 1)


@pytest.mark.parametrize(("how", "places"), [(0, 1), (1, 1), (2, 2)])
def test_options_beside_a_file_count(how: int, places: int) -> None:
    (gift,) = done(bringing.with_options, {("Ann: options", 0): how}).people.gifts
    assert (gift.fate, len(gift.places), '"embed_subtitle": true' in gift.works({})[0].params) == (Fate.DONE, places, True)


def test_an_order_inside_an_order_waits() -> None:
    world = done(bringing.a_tree, {("Ann: files in the tree", 0): 3})
    assert [gift.fate for gift in world.people.gifts] == [Fate.DONE, Fate.DONE, Fate.DONE, Fate.WAITS]


def test_a_duplicate_asks_for_the_same_work() -> None:
    first, second = done(bringing.a_duplicate, after=bringing.a_file).people.gifts
    assert first.works({}) == second.works({})
    assert first.path != second.path


def test_what_is_written_over_is_not_counted_on() -> None:
    old, new = done(hands.change, after=bringing.a_file).people.gifts
    assert (old.fate, new.fate, new.path) == (Fate.FREE, Fate.DONE, old.path)
    assert old.removed


def test_who_is_moved_to_another_order_is_done_for_one_of_them() -> None:
    (gift,) = done(hands.reorder, {("Ann: order", 1): 3}, after=bringing.a_file).people.gifts
    assert (gift.fate, gift.steady) == (Fate.DONE, False)
    assert [work.operation for work in gift.works({})] == ["video_translation", "smart_eraser"]


def test_who_is_moved_to_an_order_that_asks_for_more_is_done_for_one_of_them_too() -> None:
    (gift,) = done(hands.reorder, {("Ann: order", 1): 1}, after=bringing.a_file).people.gifts
    assert (gift.steady, len(gift.works({}))) == (False, 2)


def test_what_lies_there_whole_is_a_gift_before_its_client_has_closed_it() -> None:
    world = small({("Ann: slow", 0): 3})
    seen: list[int] = []

    async def life() -> None:
        bring = asyncio.create_task(bringing.a_file(ann(world)))
        await asyncio.sleep(10.0)
        seen.append(len(world.people.gifts))
        await bring

    world.run(life)
    assert (seen, len(world.people.gifts)) == ([1], 1)


def test_two_do_not_bring_something_to_one_path_at_once() -> None:
    world = small()
    ware = Ware(MediaKind.VIDEO, make(MediaKind.VIDEO, 1, 1), shows=True)

    async def life() -> None:
        first = asyncio.create_task(Bring(ann(world), b"/media/inbox/a.mp4", ware).run())
        await asyncio.sleep(0.0)
        with pytest.raises(OSError, match="busy"):
            await Bring(ann(world), b"/media/inbox/a.mp4", ware).run()
        await first

    world.run(life)
    assert len(world.people.gifts) == 1


def test_nobody_brings_anything_to_where_another_still_writes_though_that_was_moved_there() -> None:
    world = small({("Ann: slow", 0): 2})
    person = ann(world)
    old, new = b"/media/inbox/erase/clip.ts", b"/media/inbox/erase/mine.ts"
    ware = Ware(MediaKind.VIDEO, make(MediaKind.VIDEO, 1, 1), shows=False)

    async def life() -> None:
        person.save(old, b"")
        gift = person.give(old, ware, b"")  # what an earlier client left, and this one opens
        first = asyncio.create_task(Bring(person, old, ware).run())
        await asyncio.sleep(0.1)
        person.move(gift, new, "moved")
        with pytest.raises(OSError, match="busy"):
            await Bring(person, new, ware).run()
        await first

    world.run(life)


def test_a_folder_takes_its_files_and_possessions_along() -> None:
    async def both(person: Person) -> None:
        await bringing.a_file(person)
        await bringing.litter(person)

    world = done(hands.rename_folder, after=both)
    person = ann(world)
    assert all(person.lies(gift) for gift in world.people.gifts)
    assert all(digest(person.content(path) or b"") == own.sha256 for path, own in world.people.record.possessions.items())
    assert world.people.gifts[0].steady


@pytest.mark.parametrize("act", [hands.delete, hands.delete_folder])
def test_what_is_deleted_is_free(act: Any) -> None:
    (gift,) = done(act, after=bringing.a_file).people.gifts
    assert (gift.removed, gift.fate) == (True, Fate.FREE)


def test_a_refused_file_is_dragged_back() -> None:
    world = small()
    person = ann(world)
    world._tidied = lambda gift: _refuse(world, gift)  # type: ignore[method-assign]
    world.run(lambda: elsewhere.a_mistake(person))
    (gift,) = world.people.gifts
    assert (gift.fate, len(gift.places), person.lies(gift)) == (Fate.REFUSED, 2, True)


def _refuse(world: Small, gift: Gift) -> None:
    if len(gift.places) == 1:
        world.clerk.make_folders(b"/media/failed/dub en to es")
        world.clerk.rename(gift.path, b"/media/failed/dub en to es/clip.mp4")


def test_a_name_is_taken_before_the_service_comes_to_it() -> None:
    world = done(elsewhere.take_result_name, after=bringing.a_file)
    assert list(world.people.record.possessions) == [b"/media/outbox/dub en to es/clip.es.mp4"]


# What people say


def job(world: Small, **values: Any) -> None:
    task = "video_translation"
    fields = {
        "account": 1, "state": "done", "key": "k", "identity": "i", "generation": 1, "task": task, "operation": task, "canonical": "",
        "stem": "clip", "params_json": '{"a": 1}', "main_sha256": "aa", "token": "t", "created_at": 0.0, "reason": "", **values,
    }  # fmt: skip
    names = ", ".join(fields)
    world.state.connection.execute(f"INSERT INTO jobs ({names}) VALUES ({', '.join('?' * len(fields))})", (*fields.values(),))


def test_a_redo_allows_one_more_task() -> None:
    world = small()
    job(world)
    world.run(lambda: commands.redo(ann(world)))
    work = Work("video_translation", '{"a": 1}', ("aa",))
    assert (world.people.record.allowed(work), world.machines[0].woken) == (2, [False])


def test_what_is_cancelled_is_free_now_and_later() -> None:
    world = small()
    person = ann(world)

    async def life() -> None:
        await bringing.a_file(person)
        job(world, state="processing", main_sha256=world.people.gifts[0].sha256)
        await commands.cancel(person)
        await bringing.a_duplicate(person)

    world.run(life)
    assert [gift.why for gift in world.people.gifts] == ["people cancelled it"] * 2


def test_what_waits_is_approved_in_the_end_and_work_goes_on() -> None:
    world = small()
    job(world, state="held")
    world.state.now(lambda tx: tx.brakes.pull("paused", "", "paused", "", 0.0, 9.0))
    world.state.now(lambda tx: tx.brakes.pull("budget", "day", "spent", "", 0.0, 9.0))
    world.ground.media.room = 0
    world.run(world.people.settle)
    assert world.ground.media.free_bytes > 0


def test_what_is_said_in_the_end_waits_for_the_answer_to_what_was_said_before() -> None:
    world = small()
    job(world, state="held")
    said = []

    async def life() -> None:
        for _ in range(2):
            await world.people.settle()
        said.extend(tuple(row) for row in world.state.rows("SELECT verb, target FROM commands"))

    world.run(life)
    assert said == [("approve", "1")]


def test_approving_a_clone_may_make_another() -> None:
    world = small()
    job(world, state="held", operation="voice_clone", task="voice_clone")
    world.run(world.people.settle)
    assert world.people.record.bought[Work("voice_clone", '{"a": 1}', ("aa",))] == 1


def test_a_scan_is_asked_for_with_its_own_knock() -> None:
    world = done(commands.scan)
    assert world.machines[0].woken == [True]


# What goes wrong around them


def test_a_plug_is_pulled_amid_a_copy_and_what_came_may_be_taken() -> None:
    tape = {("Ann: suffix", 0): 4, ("Ann: pieces", 0): 1, ("Ann: slow", 0): 2, ("Ann: sees that it died", 0): 1}
    world = small(tape)
    person = ann(world)

    async def life() -> None:
        bring = asyncio.create_task(bringing.a_file(person))
        await asyncio.sleep(3.0)
        await surroundings.unplug(person)
        await bring

    world.run(life)
    data = person.content(b"/media/inbox/dub en to es/clip.ts")
    assert data
    assert digest(data) in world.people.record.readable
    assert [(gift.fate, gift.sha256) for gift in world.people.gifts] == [(Fate.FREE, digest(data))]


def test_what_is_written_over_is_found_though_its_folder_is_renamed_and_its_client_dies() -> None:
    world = small({("Ann: pieces", 0): 1, ("Ann: slow", 0): 2})
    person = ann(world)
    path = b"/media/inbox/dub en to es/clip.ts"
    ware = Ware(MediaKind.VIDEO, make(MediaKind.VIDEO, 12.0, "slow"), shows=False)

    async def life() -> None:
        person.save(path, b"")
        person.give(path, ware, b"")  # what an earlier client left
        bring = asyncio.create_task(Bring(person, path, ware).run())
        await asyncio.sleep(0.1)
        person.move_folder(b"/media/inbox/dub en to es", b"/media/inbox/erase")
        await asyncio.sleep(3.0)
        person.record.cut_off()
        await bring

    world.run(life)
    data = person.content(b"/media/inbox/erase/clip.ts")
    assert [(gift.path, gift.sha256, gift.removed) for gift in world.people.gifts if not gift.removed] == [
        (b"/media/inbox/erase/clip.ts", digest(data or b""), False)
    ]


def test_a_full_disk_gets_room_again() -> None:
    world = done(surroundings.fill)
    assert world.ground.media.free_bytes > 1 << 30


def test_a_power_cut_takes_what_nobody_has_kept() -> None:
    world = done(bringing.a_file, {("Ann: lazy disk", 0): 3})
    world.ground.kernel.power_cut(lambda _stream, count: count - 1)
    world.people.after_power_cut()
    (gift,) = world.people.gifts
    assert (gift.fate, gift.why) == (Fate.FREE, "the power went before it was on the disk")
    kept = done(bringing.a_file)
    kept.ground.kernel.power_cut(lambda _stream, count: count - 1)
    kept.people.after_power_cut()
    assert ann(kept).lies(kept.people.gifts[0])


def test_what_a_power_cut_leaves_of_a_file_that_is_just_put_away_is_known() -> None:
    world = done(bringing.a_file, {("Ann: lazy disk", 0): 3})
    (gift,) = world.people.gifts
    aside = os.path.join(os.path.dirname(gift.path), b".qavix-aside-1")
    world.clerk.rename(gift.path, aside)
    ann(world).keep_names(aside)
    world.ground.kernel.power_cut(lambda _stream, count: count - 1)
    world.people.after_power_cut()
    assert [(one.path, one.sha256) for one in world.people.gifts] == [
        (gift.path, gift.sha256), (gift.path, digest(ann(world).content(aside) or b"nothing")),
    ]


def test_what_a_power_cut_has_taken_is_seen_once_the_media_are_back() -> None:
    world = done(bringing.a_file)
    world.unplug()
    world.people.after_power_cut()
    world.plug_in()
    world.people.see_what_is_left()
    assert ann(world).lies(world.people.gifts[0])


def test_nobody_makes_long_pauses_in_what_cannot_be_seen_to_grow() -> None:
    for remote in (False, True):
        world = small(remote=remote)
        person = Person(world, world.people.record, "Ann")  # type: ignore[arg-type]
        world.choices.pick = lambda _stream, count: count - 1  # type: ignore[method-assign]
        bring = Bring(person, b"/media/inbox/a.ts", Ware(MediaKind.VIDEO, b"x" * 900, shows=False))
        bring.way = "finder"
        assert bring._pause() < (6.0 if remote else 1.0)


def test_what_is_written_over_on_a_share_is_replaced_in_one_go() -> None:
    world = small(remote=True)
    person = ann(world)
    person.save(b"/media/inbox/a.mp4", b"old")
    assert Bring(person, b"/media/inbox/a.mp4", Ware(MediaKind.VIDEO, b"new", shows=True)).way in ATOMIC
    assert isinstance(world.clerk.stat(b"/media/inbox/a.mp4"), Stat)
