"""The rows of the state, as the stages see them. Times are seconds since 1970, sizes bytes, paths relative to their place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from qavix_watch.core.files import Stat
from qavix_watch.core.lifecycle import DROP_AT_REST, ContentState, DeliveryState, DropState, DutyState, JobState


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What everything that is worked on has.

    `due`: when it is to be looked at, None while it waits for something else. `claims`: claims since the last outcome; `tries`:
    failures running; `waited`: seconds of back-off that they cost.
    """

    id: int
    due: float | None
    fence: int
    claims: int
    tries: int
    waited: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Row):
    """A file that a person put into a watched place.

    `path` is relative to the inbox of `place`, `folder` the path of its order's folder; `order_json` as `core.order.to_json`
    makes it. `detached`: the file at `path` is no longer this drop's. `aside`: the private name while it is being put away, `target`
    where it was put. `after`: what becomes of it in the end, fixed when it settles. `outlet`: the absolute folder that its results
    go to where it was submitted by command (then `path` and `folder` are absolute as well), None for a drop from an inbox. `given`:
    the second input that was named with it by command. `question`: why its order, which is understood, cannot be carried out yet.
    `origin`: the absolute path that it is worked on from where it was put away before, None where it lies at `path`.
    """

    state: DropState
    place: str
    path: bytes
    folder: bytes
    order_json: str
    canonical: str
    task: str
    priority: int
    held: str
    size: int
    mtime_ns: int
    inode: int
    changed_at: float
    not_before: float
    sha256: str | None
    partner: bytes | None
    partner_size: int
    partner_mtime_ns: int
    partner_inode: int
    partner_since: float
    partner_sha256: str | None
    detached: int
    number: int
    verdict: str
    aside: bytes | None
    target: bytes | None
    accepted: int
    created_at: float
    ended_at: float | None
    after: str = ""
    outlet: bytes | None = None
    given: bytes | None = None
    question: str = ""
    origin: bytes | None = None

    @property
    def version(self) -> tuple[int, int, int]:
        """What tells its file from another at the same path: `Stat.version` of what was recorded."""
        return (self.size, self.mtime_ns, self.inode)

    def stat_is(self, stat: Stat) -> bool:
        """Whether `stat` is the one that this drop was recorded with. What was put away may be a copy: its inode says nothing."""
        same = (self.size, self.mtime_ns) == (stat.size, stat.mtime_ns)
        return same and (self.inode == stat.inode or self.is_away)

    def partner_is(self, stat: Stat) -> bool:
        """The same of its partner."""
        same = (self.partner_size, self.partner_mtime_ns) == (stat.size, stat.mtime_ns)
        return same and (self.partner_inode == stat.inode or self.is_away)

    @property
    def is_away(self) -> bool:
        """Whether its original lies where it was put away."""
        return self.origin is not None or (self.target is not None and self.state in DROP_AT_REST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content(Row):
    """What is in a file, and what the service holds of it. `file_id` of what is absent: it was sent whole, and is still to be confirmed."""

    state: ContentState
    sha256: str
    md5: str
    size: int
    kind: str
    duration: float | None
    file_id: str | None
    url: str | None
    url_expires: float | None
    uploads: int
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Row):
    """One unit of billed work. `params_json` is what is sent besides URLs and text; `posted` says that a POST may have gone out.

    `estimate`: what it should cost in credits, by Pricing and the media's minutes, None while that is not known. `reserved`: what the
    budget counts for it, the estimate until it has ended and then what was used. `approved`: a person has said yes. `batch`: the
    mass drop that it belongs to. `held_by`: which limit it is held by ("per_job", "mass" …), "" where it is for another reason.
    `overdue_since`: when its task was first seen to be past its deadline, None while it is not.
    """

    state: JobState
    key: str
    identity: str
    generation: int
    task: str
    operation: str
    canonical: str
    source: str | None
    language: str | None
    stem: str
    params_json: str
    text: str | None
    main_sha256: str
    partner_sha256: str | None
    priority: int
    posted: int
    posted_at: float | None
    known_voices: str | None
    body: str | None
    task_id: str | None
    task_status: str | None
    progress: int | None
    output_json: str | None
    credits_estimated: int | None
    credits_used: int | None
    token: str
    reuploads: int
    submitted_at: float | None
    created_at: float
    ended_at: float | None
    estimate: float | None = None
    reserved: float | None = None
    reserved_at: float | None = None
    approved: int = 0
    batch: int | None = None
    held_by: str = ""
    overdue_since: float | None = None

    @property
    def params(self) -> dict[str, Any]:
        """`params_json`, read."""
        params: dict[str, Any] = json.loads(self.params_json)
        return params

    @property
    def inputs(self) -> tuple[str, ...]:
        """The SHA-256 of each content that is uploaded for it, the main one first."""
        if self.text is not None:
            return ()
        return (self.main_sha256,) if self.partner_sha256 is None else (self.main_sha256, self.partner_sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask:
    """A job that the service works on, as far as following it needs to know. `due`: when it is asked for by itself, None for never.

    `seconds`: how long its media are, `letters`: how long the text is that is spoken, each None where there is none or it is not known.
    """

    id: int
    task_id: str
    submitted_at: float
    due: float | None
    task: str
    seconds: float | None
    letters: int | None
    overdue_since: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTask:
    """A task in the service's list that bears a mark of ours; `created_at` in seconds since 1970, None where the service does not say."""

    mark: str
    task_id: str
    task_type: str
    source: str | None
    language: str | None
    status: str
    progress: int | None
    created_at: float | None
    credits_used: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(Row):
    """A job's results under one drop's names; `names_json` maps the kind of a result to its path in the outbox (base64)."""

    state: DeliveryState
    job: int
    drop_id: int
    names_json: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty(Row):
    """Recurring work that one process at a time does: following tasks."""

    state: DutyState
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One result of a job: where it waits for its first delivery (`staged`, in the outbox), or its own text (`inline`)."""

    id: int
    job: int
    kind: str
    extension: str
    sha256: str
    size: int
    staged: bytes | None
    inline: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFile:
    """A result in the outbox, under the name that a delivery gave it."""

    id: int
    result: int
    delivery: int
    path: bytes
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeRow:
    """A brake that is on. `until` is when it is next looked at, `count` how often it came back without a success between.

    `level`: the balance when it was pulled, or the bytes that it needs, where that matters. `probing`: one piece of the work that it
    stops may try.
    """

    name: str
    scope: str
    since: float
    why: str
    hint: str
    until: float
    count: int
    level: float | None = None
    probing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What a person's steering left: a verb, the id that it is about ("" for all), and what else it says."""

    id: int
    at: float
    verb: str
    target: str
    argument: str

    @property
    def said(self) -> dict[str, Any]:
        """`argument`, read."""
        said: dict[str, Any] = json.loads(self.argument)
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVoice:
    """A voice that was cloned here."""

    voice_id: str
    name: str
    job: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Work that `owner` has until its lease ends; `row` as it was when it was claimed."""

    item: str
    row: Any
    owner: str

    @property
    def id(self) -> int:
        """The row's id."""
        return int(self.row.id)

    @property
    def node(self) -> str:
        """The host that has it."""
        return self.owner.rpartition(":")[0]

    @property
    def mark(self) -> str:
        """A word for the private names of the host that has it."""
        return hashlib.sha256(self.node.encode("utf-8", "surrogateescape")).hexdigest()[:8]
