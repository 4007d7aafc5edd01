"""One account of the simulated service: its credits, tasks and voices, and the sixteen operations by the contract's rules."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from qavix_watch.core.service import Balance, CreatedTask, FileLink, Output, Price, Task, TaskPage, UsagePage, UsageRecord, Voice
from tests.simulation.asking import FORMS, INPUTS, check_dates, check_page
from tests.simulation.gifts import Work
from tests.simulation.refusals import Refusal, invalid, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qavix_watch.core.service import UploadGrant
    from tests.simulation.asking import Body
    from tests.simulation.factory import Factory
    from tests.simulation.storage import File, Storage
    from tests.simulation.world import World

PRICES: dict[str, int] = {
    "video_translation": 12, "subtitle_translation": 5, "smart_erasure": 8, "face_swap": 10, "lip_sync": 10, "voice_clone": 20,
    "text_to_speech": 2,
}  # fmt: skip
"""Credits for each started minute; a clone costs the same for any length."""
SYSTEM_VOICES = (
    Voice("v-1", "Elena", "es", "female", type="system"),
    Voice("v-2", "Marcus", "de", "male", type="system"),
    Voice("v-3", "Sam", "en", "female", type="system"),
    Voice("v-4", "Sam", "fr", "male", type="system"),
)
STRANGERS = (
    ("holiday", "completed"), (None, ""), ("clip qx-aaaaaaaaaaaaaaaa", ""), ("clip", "failed"), ("clip qx-bbbbbbbbbbbbbbbb", "completed"),
    ("news", ""), (None, "completed"),
)  # fmt: skip
"""Names of other people's tasks, some as another program like ours gives them, and how these have ended."""
STRANGE = (0, 2, len(STRANGERS))
LIMITS = ((None, None), (600, 20), (90, 6))
PAGES = (100, 5, 2)
FRESH_SECONDS = 5.0
"""How far List Tasks and List Voices may lag behind."""


@dataclass(eq=False, slots=True)
class SimTask:
    """One task. `inputs`: the SHA-256 of what it was given, the main one first. `ours`: this world's programs asked for it.

    `credits` were billed for it, less what was given back. `error` is why it will fail, "" for one that will not. `results` by kind,
    once it is completed.
    """

    task_id: str
    operation: str
    task_type: str
    body: dict[str, Any]
    inputs: tuple[str, ...]
    work: Work
    credits: int
    created_at: float
    begins_at: float
    ends_at: float
    ours: bool = True
    error: str = ""
    ended: str = ""
    used: int | None = None
    completed_at: float | None = None
    seconds: float = 0.0
    results: dict[str, bytes] = field(default_factory=dict)

    @property
    def key(self) -> str | None:
        """Its idempotency key."""
        return self.body.get("idempotency_key")

    @property
    def name(self) -> str | None:
        return self.body.get("name")

    @property
    def status(self) -> str:
        """Whether and how it has ended; "open" until then."""
        return self.ended or "open"

    def status_at(self, now: float) -> str:
        """As the service says it."""
        return self.ended or ("processing" if now >= self.begins_at else "pending")

    def progress_at(self, now: float) -> int:
        if self.ended:
            return 100 if self.ended == "completed" else 0
        return max(0, min(99, int(100 * (now - self.begins_at) / max(self.ends_at - self.begins_at, 0.001))))


@dataclass(frozen=True, slots=True)
class Clone:
    """One voice that was cloned and billed. `sha256`: of what it was cloned from."""

    voice_id: str
    name: str
    sha256: str
    work: Work
    credits: int


class Account:
    """One account. `short` is called where its credits do not cover what is asked of it."""

    def __init__(
        self, world: World, name: str, credits: int, storage: Storage, factory: Factory, short: Callable[[], None]  # noqa: A002 - the reference's word
    ) -> None:
        self._world = world
        self._name = name
        self.credits = credits
        self._storage = storage
        self._factory = factory
        self._short = short
        self._limits: tuple[int | None, int | None] = world.one_of("rate limits", LIMITS)
        self._page = world.one_of("tasks on a page", PAGES)
        self.tasks: dict[str, SimTask] = {}
        self.keys: dict[str, SimTask] = {}
        self.voices = list(SYSTEM_VOICES)
        self.clones: list[Clone] = []
        self._cloned_at: dict[str, float] = {}
        self.refused: set[str] = set()

    @property
    def most_a_minute(self) -> int | None:
        """So many requests a minute are answered, whoever makes them."""
        return self._limits[0]

    def populate(self) -> None:
        """Other people's tasks, which have nothing to do with this world's programs."""
        now = self._world.now()
        for name, ended in STRANGERS[: self._world.one_of("tasks of strangers", STRANGE)]:
            body = {} if name is None else {"name": name}
            number, work = self._factory.number(), Work("face_swap", "{}", ())
            self.tasks[number] = SimTask(number, "face_swap", "face_swap", body, (), work, 10, now, now, now, ours=False, ended=ended)

    # Account

    def get_balance(self) -> Balance:
        return Balance(self.credits, "pro", None, *self._limits)

    def usage_history(self, start: str | None, end: str | None, cursor: str | None, limit: int) -> UsagePage:
        check_page(limit, cursor)
        check_dates(start_date=start, end_date=end)
        billed = list(self.tasks.values())[::-1]
        page, following = _page(billed, cursor, limit)
        records = tuple(UsageRecord(task.task_id, task.task_type, task.credits, task.created_at) for task in page)
        return UsagePage(records, sum(task.credits for task in billed), following)

    def pricing(self) -> tuple[Price, ...]:
        return tuple(Price(task_type, float(price)) for task_type, price in PRICES.items())

    # Tasks

    def get_task(self, task_id: str) -> Task:
        task = self.tasks.get(task_id)
        if task is None:
            raise unknown("The task", "task_not_found")
        return self._shown(task, self._factory.output(task))

    def list_tasks(self, status: str | None, task_type: str | None, cursor: str | None, limit: int) -> TaskPage:
        """The newest first. A page may hold fewer than were asked for, and the newest may not be in it yet."""
        check_page(limit, cursor, status, task_type)
        now = self._world.now()
        hidden = now - FRESH_SECONDS if self._world.fault("list lags", 20.0) else now
        asked = [
            task for task in self.tasks.values()
            if status in {None, task.status_at(now)} and task_type in {None, task.task_type} and task.created_at <= hidden
        ]  # fmt: skip
        page, following = _page(asked[::-1], cursor, min(limit, self._page))
        return TaskPage(tuple(self._shown(task, None) for task in page), following)

    def create_task(self, operation: str, body: Body) -> CreatedTask:
        """Contract, IDEMPOTENCY: a key that was seen before gives the first task, and bills nothing."""
        FORMS[operation].check(body)
        first = self.keys.get(body.get("idempotency_key", ""))
        if first is not None:
            return self._again(first, operation, body)
        self._check_form(operation, body)
        files = self._inputs(body)
        self._check_voice(body)
        task = self._factory.task(operation, dict(body), files)
        self._pay(task.credits, f"task {task.task_id}: {task.task_type} of {_shown(task.inputs)}, “{task.name}”")
        self.tasks[task.task_id] = task
        if task.key:
            self.keys[task.key] = task
        self._factory.begin(task, self._refund)
        return CreatedTask(task.task_id, task.task_type, task.status_at(self._world.now()), task.credits, task.credits, self.credits)

    def _again(self, first: SimTask, operation: str, body: Body) -> CreatedTask:
        """The same key. With another request it would be lost work, or work that was never asked for."""
        sent = {**first.body, **{name: body[name] for name in INPUTS if name in body}}
        if operation != first.operation or sent != dict(body):
            self._world.wrong(f"the key of task {first.task_id} came again with another request: {dict(body)}, before it {first.body}")
        now_leads_to = tuple(self._storage.whose(body[name]) for name in INPUTS if name in body)
        if now_leads_to != first.inputs:
            self._world.wrong(f"the key of task {first.task_id} came again for other contents: {now_leads_to}, not {first.inputs}")
        self._world.tell("service", "gives task %s once more for its key", first.task_id)
        self._world.counters.count("key seen before")
        return CreatedTask(first.task_id, first.task_type, first.status_at(self._world.now()), first.credits)

    def _inputs(self, body: Body) -> list[File]:
        try:
            return [self._storage.read(name, body[name]) for name in INPUTS if name in body]
        except Refusal:
            self.refused |= {self._storage.whose(body[name]) for name in INPUTS if name in body}
            raise

    def _check_form(self, operation: str, body: Body) -> None:
        refusal = self._world.service.weather.new_form(operation)
        if refusal is not None:
            self.refused.add(body.get("idempotency_key", ""))
            raise refusal

    def _check_voice(self, body: Body) -> None:
        voice_id = body.get("voice_id")
        if voice_id is not None and all(voice.voice_id != voice_id for voice in self.voices):
            self.refused.add(body.get("idempotency_key", ""))
            raise invalid("voice_id", "There is no such voice")

    def _shown(self, task: SimTask, output: Output | None) -> Task:
        now = self._world.now()
        body = task.body
        return Task(
            task.task_id, task.task_type, task.status_at(now), task.progress_at(now), task.name, body.get("source_language"),
            body.get("target_language", body.get("language")), output, task.used, task.created_at, task.completed_at,
            (task.error or None) if task.ended == "failed" else None,
        )

    # Money

    def _pay(self, amount: int, what: str) -> None:
        if amount > self.credits:
            self._world.counters.count("402")
            self._world.tell("service", "%s are not enough for %s", self.credits, what)
            self._short()
            raise Refusal(402, "insufficient_credits", "Insufficient credits")
        self.credits -= amount
        self._world.tell("service", "billed %d for %s", amount, what)

    def _refund(self, task: SimTask, used: int) -> None:
        """What a task costs in the end."""
        self.credits += task.credits - used
        task.used = task.credits = used

    # Voices

    def list_voices(self, language: str | None, gender: str | None) -> tuple[Voice, ...]:
        hidden = self._world.now() - FRESH_SECONDS if self._world.fault("voices lag", 20.0) else self._world.now()
        return tuple(
            voice for voice in self.voices
            if language in {None, voice.language} and gender in {None, voice.gender} and self._cloned_at.get(voice.voice_id, 0.0) <= hidden
        )  # fmt: skip

    def voice_clone(self, body: Body) -> Voice:
        """Contract: synchronous, and without an idempotency key."""
        FORMS["voice_clone"].check(body)
        (file,) = self._inputs(body)
        price = PRICES["voice_clone"]
        work = Work.of_request("voice_clone", body, [file.sha256])
        self._pay(price, f"a voice called “{body['name']}” of {file.sha256[:8]}")
        voice = self.add_voice(body["name"])
        self.clones.append(Clone(voice.voice_id, voice.name, file.sha256, work, price))
        self._world.counters.count("voice cloned")
        if self._world.fault("somebody clones that name", 6.0):
            self.add_voice(body["name"])
            self._world.counters.count("voice of that name by somebody else")
        return Voice(voice.voice_id, voice.name, type="cloned", credits_used=price, credits_remaining=self.credits)

    def add_voice(self, name: str) -> Voice:
        """A cloned voice; also one that somebody makes without this world's programs."""
        voice = Voice(f"c-{len(self.voices) + 1}", name, type="cloned")
        self.voices.append(voice)
        self._cloned_at[voice.voice_id] = self._world.now()
        return voice

    # Files

    def get_upload_url(self, body: Body) -> UploadGrant:
        FORMS["get_upload_url"].check(body)
        return self._storage.grant(self._name, body["file_name"], body["file_size"], body.get("content_md5", ""))

    def confirm_upload(self, file_id: str) -> FileLink:
        FORMS["confirm_upload"].check({"file_id": file_id})
        link = self._storage.confirm(self._name, file_id)
        return FileLink(file_id, link.url, link.told)

    def refresh_url(self, file_id: str) -> FileLink:
        FORMS["refresh_url"].check({"file_id": file_id})
        link = self._storage.refresh(self._name, file_id)
        return FileLink(file_id, link.url, link.told)


def minutes_begun(seconds: float) -> int:
    return max(1, math.ceil(seconds / 60))


def _page(rows: Sequence[SimTask], cursor: str | None, limit: int) -> tuple[Sequence[SimTask], str | None]:
    """From the row after the task that the cursor names, which may be on no list any more."""
    if cursor is not None:
        rows = [task for task in rows if int(task.task_id) < int(cursor)]
    page = rows[:limit]
    return page, page[-1].task_id if len(rows) > limit else None


def _shown(digests: Sequence[str]) -> str:
    return " + ".join(digest[:8] for digest in digests) or "a text"
