"""The laws of the simulated world. Each is one small function, or one condition on a row, and the sentence with it is what it says.

A law gives a line for everything that stands against it; the first one ends the life. Laws of acts and of rows are looked at in the very
instant, those of power cuts after each, and those of the end once nothing goes wrong any more and everything has come to rest.

`life` is `watched.Watched`: `sight` of the disks, `belonging` of results, the `record` of what people did, the `rows` of the state, and
the service's ledger.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.why import FIRST_LINE
from tests.simulation.gifts import Fate, digest
from tests.simulation.ground import COLD, MARKER, ROOT
from tests.simulation.rows import KINDS, RowEvent, RowLaw, keep_watch, steps_of
from tests.simulation.sight import OURS, sha256_of
from tests.simulation.watched import Watched

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tests.simulation.machines import Machine
    from tests.simulation.sight import Act
    from tests.simulation.world import World

    Found = Iterator[str]

NO_DEFECTS = "No program meets an unexpected error."
INPUT_URLS = frozenset({"video_url", "audio_url", "image_url"})
WHY = re.compile(rb"(?: \([23]\))?\.why\.txt\Z")
"""With a number where a person's own text has the name, or one that cannot be read."""

# What every change of a row keeps to, in the statement that makes it

_BEGUN = "NEW.owner IS NOT NULL AND NEW.fence > OLD.fence AND NEW.state IN"
_BRAKE = "EXISTS (SELECT 1 FROM brakes WHERE state = 'on' AND probing = 0 AND name IN"
ROW_LAWS = (
    *(RowLaw(f"The {table} take no step that their lifecycle does not know", steps_of(table), (table,)) for table in KINDS),
    RowLaw("A fence never falls", "NEW.fence < OLD.fence"),
    RowLaw("Each claim has a fence of its own", "NEW.owner IS NOT NULL AND NEW.owner IS NOT OLD.owner AND NEW.fence <= OLD.fence"),
    RowLaw(
        "Nobody claims what another holds by a lease that runs",
        "NEW.owner IS NOT NULL AND OLD.owner IS NOT NULL AND NEW.fence > OLD.fence AND OLD.lease_until > world_now()",
    ),
    RowLaw(
        "A claim is ended by its owner, by a step that fences the owner out, or after the death of the owner",
        "OLD.owner IS NOT NULL AND NEW.owner IS NULL AND NEW.fence = OLD.fence AND NOT may_end(OLD.owner)",
    ),
    RowLaw(
        "No new work is begun while it is paused",
        f"{_BEGUN} ('settled', 'fingerprinted', 'ready', 'submitting', 'absent') AND {_BRAKE} ('paused'))", ("drops", "contents", "jobs"),
    ),
    RowLaw(
        "Nothing is asked of the service under a brake that is not to be tried yet",
        f"{_BEGUN} ('submitting', 'processing', 'absent') AND {_BRAKE} ('auth', 'offline', 'rate'))", ("contents", "jobs"),
    ),
    RowLaw(
        "A POST is made ready by whoever has claimed its job",
        "NEW.posted > OLD.posted AND (OLD.owner IS NULL OR NOT may_end(OLD.owner))", ("jobs",),
    ),
    RowLaw("Credits are set aside before a POST", "NEW.posted = 1 AND OLD.posted = 0 AND NEW.reserved IS NULL", ("jobs",)),
    RowLaw(
        "Credits are set aside for nothing but a POST", "NEW.posted = 0 AND NEW.task_id IS NULL AND NEW.reserved IS NOT NULL", ("jobs",),
    ),
    RowLaw(
        "What a job is, and its key, never change",
        "(NEW.key, NEW.identity, NEW.generation, NEW.operation) <> (OLD.key, OLD.identity, OLD.generation, OLD.operation)", ("jobs",),
    ),
    RowLaw("A job has one task for ever", "OLD.task_id IS NOT NULL AND NEW.task_id IS NOT OLD.task_id", ("jobs",)),
    RowLaw(
        "What has become a task is never submitted again",
        "NEW.task_id IS NOT NULL AND NEW.state IN ('ready', 'uploading', 'submitting')", ("jobs",),
    ),
)

_ENDS = "OLD.owner IS NOT NULL AND NEW.owner IS NULL AND NEW.fence = OLD.fence"
ROW_EVENTS = (
    RowEvent("'lease taken over'", "NEW.owner IS NOT NULL AND OLD.owner IS NOT NULL AND NEW.fence > OLD.fence"),
    RowEvent("'lease ended at a start'", f"{_ENDS} AND NEW.claims > 0"),
    RowEvent("'later: ' || OLD.state", f"{_ENDS} AND NEW.claims = 0 AND NEW.state = OLD.state AND NEW.tries = OLD.tries", tuple(KINDS)),
    RowEvent("'later: ' || OLD.name", f"{_ENDS} AND NEW.claims = 0 AND NEW.tries = OLD.tries", ("duties",)),
)

# What each of our acts on the disks keeps to


def whole_when_it_appears(life: Watched, act: Act) -> Found:
    """What appears in the outbox is a whole result in that very instant, and bears the name of a gift that it was made for."""
    if act.new is None or not life.sight.is_result(act.new):
        return
    made = life.belonging.made(bytes(act.inode.now.data))
    if made is None:
        yield f"{shown(act.new)} appears with {bytes(act.inode.now.data[:80])!r}, {len(act.inode.now.data)} bytes"
    elif next(life.belonging.owners(act.new, made.work), None) is None:
        yield f"{shown(act.new)} appears with the {made.kind} of {made.number}, {made.work}"


def results_stay(life: Watched, act: Act) -> Found:
    """What has appeared is never written to, replaced, moved or removed by us."""
    if act.old is None and act.new is None:
        yield f"inode {act.inode.number} was written to: {bytes(act.inode.now.data[:80])!r}"
    for path in (act.old, act.new if act.over is not None else None):
        if path is not None and life.sight.is_result(path):
            yield f"{shown(path)} was moved, removed or replaced"


def nothing_of_theirs_is_replaced(life: Watched, act: Act) -> Found:
    """No file that a person made is replaced by one of ours."""
    if act.over is not None and life.sight.is_theirs(act.over):
        yield f"{shown(act.new)} was a person's"


def made_under_private_names(_life: Watched, act: Act) -> Found:
    """Whatever we make grows under a private name."""
    if act.old is None and act.new is not None and OURS not in act.new:
        yield f"{shown(act.new)} was made in front of everybody"


def originals_go_where_they_belong(life: Watched, act: Act) -> Found:
    """A person's file is moved into the archive, into failed, or beside itself, and nowhere else."""
    if not act.theirs or act.old is None or act.new is None:
        return
    if not life.sight.is_put_away(act.new) and parent(act.new) != parent(act.old):
        yield f"{shown(act.old)} was moved to {shown(act.new)}"


def originals_leave_last(life: Watched, act: Act) -> Found:
    """An original goes into the archive, or for good, only once every result of it is durable in the outbox."""
    into_archive = act.new is not None and act.new.startswith(life.layout.archive + b"/") and OURS not in act.new
    if act.theirs and act.old is not None and (into_archive or act.new is None):
        drop = life.drop_at(act.old)
        if into_archive or (drop is not None and drop["verdict"] == "done"):
            yield from [f"{shown(act.old)} goes, and {why}" for why in _not_delivered(life, drop)]


def originals_are_not_lost(life: Watched, act: Act) -> Found:
    """No act of ours takes the last durable copy of a person's file, unless `after` says so and all is delivered."""
    if not act.theirs or act.old is None or act.new is not None:
        return
    drop, sha256 = life.drop_at(act.old), sha256_of(act.inode)
    if any(life.sight.holds(room, sha256, kept=True) for room in (life.layout.archive, life.layout.failed)):
        return
    if drop is None or (drop["after"], drop["verdict"]) != ("delete", "done"):
        yield f"{shown(act.old)} was removed"


AT_EACH_ACT = (
    whole_when_it_appears, results_stay, nothing_of_theirs_is_replaced, made_under_private_names, originals_go_where_they_belong,
    originals_leave_last, originals_are_not_lost,
)

# What holds before a request that costs credits


def durable_before_the_post(life: Watched, operation: str, body: Mapping[str, Any]) -> Found:
    """The key and the body of a POST are in the state, and its credits set aside, before its first byte goes out."""
    if operation == "voice_clone":
        # one that a person cancels while it is on its way goes out all the same
        asking = life.rows("SELECT * FROM jobs WHERE task = 'voice_clone' AND state IN ('submitting', 'cancelled') AND posted = 1")
        alike = [job["state"] for job in asking if json.loads(job["params_json"])["name"] == body["name"]]
        if not alike or alike.count("submitting") > 1:
            yield f"{len(asking)} clones are under way, and one called {body['name']} is asked for"
        return
    jobs = life.rows("SELECT * FROM jobs WHERE key = ?", body.get("idempotency_key"))
    if not jobs or not jobs[0]["posted"] or jobs[0]["reserved"] is None:
        yield f"{operation} goes out with a key that the state does not know of: {body}"
    elif (known := json.loads(jobs[0]["body"])) != body and not (
        # a host that was frozen sends what it had written down before another renewed the addresses
        life.world.counters["a host froze"] and _but_for_addresses(known) == _but_for_addresses(body)
    ):
        yield f"{operation} goes out with {body}, and the state has {jobs[0]['body']}"


def repeated_word_for_word(life: Watched, operation: str, body: Mapping[str, Any]) -> Found:
    """A request that is repeated says what it said the first time, but for the addresses of its inputs."""
    said = _but_for_addresses(body)
    first = life.asked.setdefault(body.get("idempotency_key", ""), said) if operation != "voice_clone" else said
    if first != said:
        yield f"{operation}: first {first}, now {said}"


def _but_for_addresses(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in INPUT_URLS}


def within_the_limits(life: Watched, _operation: str, body: Mapping[str, Any]) -> Found:
    """What no person allowed fits into the limits of one job, of the day and of the month when it is first sent."""
    key, budget = body.get("idempotency_key", ""), life.world.rules.budget
    jobs = life.rows("SELECT reserved FROM jobs WHERE key = ? AND approved = 0", key)
    if not jobs or key in life.asked or life.rows("SELECT 1 FROM facts WHERE name LIKE 'budget allowed %'"):
        return
    for limit in (budget.per_job, budget.approve_above):
        if limit is not None and jobs[0]["reserved"] > limit:
            yield f"{jobs[0]['reserved']} credits for one job, of {limit}"
    today = datetime.fromtimestamp(life.world.now(), UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for limit, since in ((budget.per_day, today), (budget.per_month, today.replace(day=1))):
        if limit is not None and (spent := _set_aside(life, since)) > limit:
            yield f"{spent} credits since {since}, of {limit}"


def _set_aside(life: Watched, since: datetime) -> float:
    """The credits that were set aside since then without a person's word, but for the one by which a task may cost more than was said."""
    jobs = life.rows("SELECT reserved FROM jobs WHERE approved = 0 AND reserved_at >= ?", since.timestamp())
    return sum(row["reserved"] - 1 for row in jobs if row["reserved"])


BEFORE_EACH_POST = (durable_before_the_post, within_the_limits, repeated_word_for_word)

# What a power cut leaves


def originals_survive(life: Watched) -> Found:
    """What people gave, once the disk had it, lies in the inbox, the archive or failed with exactly its bytes, unless they took it."""
    lying = {sha256_of(inode) for room in life.rooms for _, inode in life.sight.files(room)}
    sent_off = {row[0] for row in life.rows(_DELETED)}
    for gift in life.record.gifts:
        if gift.durable and not gift.removed and gift.sha256 not in lying | sent_off:
            yield f"gift {gift.number}, {shown(gift.path)}, is nowhere"


_DELETED = """
    SELECT sha256 FROM drops WHERE after = 'delete' AND verdict = 'done' AND state IN ('archiving', 'deleted') UNION
    SELECT partner_sha256 FROM drops WHERE after = 'delete' AND verdict = 'done' AND state IN ('archiving', 'deleted')"""


def put_away_means_delivered(life: Watched) -> Found:
    """Of what the state says is put away, every result is on the platters, whole."""
    for drop in life.rows("SELECT * FROM drops WHERE state IN ('archived', 'deleted') AND verdict = 'done'"):
        yield from [f"{shown(drop['path'])} is {drop['state']}, and {why}" for why in _not_delivered(life, drop)]


def delivered_means_durable(life: Watched) -> Found:
    """What the state says is delivered is on the platters, whole."""
    yield from _not_durable(life, life.rows(f"{_PLACED} AND deliveries.state = 'done'"))


def fetched_means_durable(life: Watched) -> Found:
    """What the state says was fetched is on the platters, whole, under its private name or its own."""
    there = life.sight.contents(life.layout.outbox)
    for row in life.rows("SELECT staged, sha256 FROM results WHERE staged IS NOT NULL"):
        if row["sha256"] not in there | life.record.taken:
            yield f"{shown(row['staged'])} is not there"


AT_EACH_POWER_CUT = (originals_survive, put_away_means_delivered, delivered_means_durable, fetched_means_durable)

_PLACED = """
    SELECT result_files.path, result_files.sha256, results.inline FROM result_files JOIN results ON results.id = result_files.result
    JOIN deliveries ON deliveries.id = result_files.delivery WHERE 1"""


def _not_delivered(life: Watched, drop: sqlite3.Row | None) -> list[str]:
    """Why a drop may not be put away yet."""
    if drop is None:
        return ["no drop of it is being put away"]
    states = [row[0] for row in life.rows("SELECT state FROM deliveries WHERE drop_id = ?", drop["id"])]
    open_ones = [f"a delivery of it is {state}" for state in states if state == "pending"]
    if drop["verdict"] != "done" or "done" not in states:
        open_ones.append(f"its deliveries are {states}, its verdict is “{drop['verdict']}”")
    return [*open_ones, *_not_durable(life, life.rows(f"{_PLACED} AND deliveries.state = 'done' AND drop_id = ?", drop["id"]))]


def _not_durable(life: Watched, placed: Iterable[sqlite3.Row]) -> list[str]:
    found = []
    for row in placed:
        path = join(life.layout.outbox, row["path"])
        wanted = row["sha256"] or digest((row["inline"] or "").encode())
        if life.sight.sha256(path, kept=True) != wanted and not life.sight.was_taken(path, wanted):
            found.append(f"its result {shown(path)} is not durable")
    return found


# What has become of everything in the end


def everything_possible_is_done(life: Watched) -> Found:
    """Every gift that could be done is: its results lie in the outbox under its names, or it lies in failed, or waits for a person."""
    lying = life.results_lying()
    for gift in life.gifts(Fate.DONE):
        missing = [work for work in gift.works(life.service.voice_ids) if not life.is_delivered(gift, work, lying)]
        no_choice = gift.steady and len(gift.partners) < 2 and gift.voice is None
        enough = not missing if no_choice else len(missing) < len(gift.works(life.service.voice_ids))
        if not enough and not life.ended_otherwise(gift):
            yield f"gift {gift.number}, {shown(gift.path)}, lacks {missing}: {gift.why}; {gift.deeds}"


def originals_end_where_they_should(life: Watched) -> Found:
    """An original whose work is done lies where `after` says."""
    lying = life.results_lying()
    for gift in life.gifts(Fate.DONE):
        stays = life.layout.after == "keep" and life.sight.sha256(gift.path) != gift.sha256
        goes = life.layout.after != "keep" and life.sight.sha256(gift.path) == gift.sha256
        if (stays or goes) and not gift.deeds and life.is_all_done(gift, lying):
            yield f"gift {gift.number}, {shown(gift.path)}, is done, and `after` is {life.layout.after}"


def what_waits_is_untouched(life: Watched) -> Found:
    """What nobody could do anything with lies where people put it."""
    for gift in life.gifts(Fate.WAITS):
        if gift.durable and life.sight.sha256(gift.path) != gift.sha256:
            yield f"gift {gift.number}, {shown(gift.path)}: {gift.why}"


def possessions_are_untouched(life: Watched) -> Found:
    """People's own files lie where they lay, with what they held."""
    for path, possession in life.record.possessions.items():
        if life.sight.sha256(path) != possession.sha256:
            yield shown(path)


def nothing_refused_is_sent(life: Watched) -> Found:
    """No upload is confirmed but of what lay there complete, and nothing is sent of what no order takes."""
    unasked = {gift.sha256 for fate in (Fate.REFUSED, Fate.WAITS) for gift in life.gifts(fate)}
    asked = {sha256 for gift in life.record.gifts if gift.fate in {Fate.DONE, Fate.FREE} for sha256 in (gift.sha256, *gift.partners)}
    yield from [f"{found[:8]} never lay there complete" for found in life.service.storage.confirmed if found not in life.record.readable]
    yield from [f"{sent[:8]} was sent, and no order takes it" for sent in life.service.uploads if sent in unasked - asked]


def paid_once(life: Watched) -> Found:
    """No work is billed oftener than people asked for it, those tasks apart that failed at the service."""
    billed = Counter(task.work for task in life.service.tasks.values() if task.status != "failed")
    billed.update(clone.work for clone in life.service.voices)
    for work, times in billed.items():
        if times > life.record.allowed(work):
            yield f"{work} was billed {times} times, and asked for {life.record.allowed(work)} times"


def what_is_billed_is_known(life: Watched) -> Found:
    """Every task is known to its job, unless the job was ended, by a person or by its patience, before an answer came to its POST."""
    jobs = {row["key"]: row for row in life.rows("SELECT * FROM jobs")}
    for task in life.service.tasks.values():
        job = jobs.get(task.key)
        if job is not None and job["task_id"] != task.task_id and not (job["posted"] and job["state"] in {"cancelled", "failed"}):
            yield f"task {task.task_id} was billed, and job {job['id']} ({job['state']}) knows of {job['task_id']}: {job['reason']}"


def nothing_unasked_is_paid(life: Watched) -> Found:
    """Nothing is billed that no gift ever asked for."""
    asked = {work for gift in life.record.gifts for work in gift.works(life.service.voice_ids)}
    billed = [*(task.work for task in life.service.tasks.values()), *(clone.work for clone in life.service.voices)]
    yield from [f"{work} was never asked for" for work in billed if work not in asked]


def sent_once(life: Watched) -> Found:
    """No content is uploaded oftener than once, and once more for each time that something went wrong with uploads."""
    met = life.world.counters
    troubles = life.world.deaths + sum(met[name] for name in SENT_AGAIN_AFTER)
    troubles += sum(met[name] for name in SENT_AGAIN_AFTER if name.startswith("storm: "))  # when it comes, and when it goes
    asked = Counter(map(itemgetter(0), life.world.choices.taken))
    troubles += sum(times for stream, times in asked.items() if stream.partition(": ")[2] in UPLOADING)
    for sha256, times in life.service.uploads.items():
        if times > 1 + troubles:
            yield f"{sha256[:8]} was uploaded {times} times, and {troubles} times something went wrong"


SENT_AGAIN_AFTER = (
    "frozen", "file forgotten", "link expired", "bad digest", "storm: the account", "storm: the path", "storm: the key",
    "storm: no service", "storage in trouble", "upload cut", "work taken over", "file changed under our hands", "file touched",
    "state: the disk is full at the commit", "state: the database is locked", "state: the disk is full amid an act",
    "disk: EIO", "disk: ENOSPC", "upload not known again", "too many calls", "root away",
)
UPLOADING = ("get_upload_url", "confirm_upload", "refresh_url")
"""The operations of which the streams of single requests that go wrong bear the name."""


def jobs_fail_for_reasons_of_their_own(life: Watched) -> Found:
    """A job fails only where its task failed, where the service refused it, or where patience has an end."""
    failed = {task.key for task in life.service.tasks.values() if task.status == "failed"}
    for job in life.rows("SELECT * FROM jobs WHERE state = 'failed'"):
        refused = life.service.refused & {job["main_sha256"], job["partner_sha256"], job["key"]} and "refused" in job["reason"]
        if job["key"] not in failed and not refused and not job["reason"].startswith("given up after"):
            yield f"job {job['id']} failed: {job['reason']}"


def patience_is_enough(life: Watched) -> Found:
    """Nothing is given up by who has patience for longer than any trouble lasts, unless people took away what had to be sent again."""
    if life.world.rules.give_up_after_seconds > LONGEST_TROUBLE_SECONDS:
        for row in life.rows("SELECT item, item_id, why FROM events WHERE why LIKE 'given up after %'"):
            torn = any(words in row["why"] for words in ("no file with this content", "what was sent is not what was read before"))
            if not (torn and _taken_away(life, row["item"], row["item_id"])):
                yield f"{row['item']} {row['item_id']} was {row['why']}"


def _taken_away(life: Watched, item: str, number: int) -> bool:
    """Whether all files of a content that an item needs were removed by people."""
    contents = chain.from_iterable(life.rows(_NEEDS[item], number))
    return any(all(gift.removed for gift in life.record.of_content(sha256)) for sha256 in contents if sha256)


_NEEDS = {
    "drop": "SELECT sha256, partner_sha256 FROM drops WHERE id = ?",
    "job": "SELECT main_sha256, partner_sha256 FROM jobs WHERE id = ?",
    "delivery": "SELECT main_sha256, partner_sha256 FROM jobs JOIN deliveries ON deliveries.job = jobs.id WHERE deliveries.id = ?",
}


LONGEST_TROUBLE_SECONDS = 1800.0
"""Of a life, from its first minute until nothing goes wrong any more, and then to the last of the answers and grants that came before."""


def what_failed_says_why(life: Watched) -> Found:
    """Beside what could not be done lies a text that says why, and no such text is left once it is over."""
    files = [(path, inode) for room in life.rooms for path, inode in life.sight.files(room) if WHY.search(path)]
    texts = {WHY.sub(b"", path): path for path, inode in files if inode.now.data.startswith(FIRST_LINE.encode())}
    newest = "NOT EXISTS (SELECT 1 FROM drops n WHERE n.target = drops.target AND n.id > drops.id)"  # a file that stayed may be done later
    for drop in life.rows(f"SELECT * FROM drops WHERE state = 'failed' AND detached = 0 AND target IS NOT NULL AND {newest}"):
        if life.sight.sha256(drop["target"]) is not None and drop["target"] not in texts:
            yield f"{shown(drop['target'])} failed, and nothing says why: {drop['reason']}"
    told = {row[0] for row in life.rows("SELECT target FROM drops WHERE state = 'failed' AND detached = 0")}
    excused = life.world.disk_errors  # what the disk would not have removed stays: that holds up no work
    yield from [
        f"{shown(path)} is about nothing" for about, path in texts.items()
        if about not in told and path not in excused and not life.was_moved(about)
    ]


def credits_agree(life: Watched) -> Found:
    """The credits in the state are those on the service's bill."""
    bill = {task.task_id: task.credits for task in life.service.tasks.values()}
    bill |= {clone.voice_id: clone.credits for clone in life.service.voices}
    adopted = {row[0] for row in life.rows("SELECT item_id FROM events WHERE item = 'job' AND why LIKE '%List Voices has it%'")}
    for job in life.rows("SELECT * FROM jobs WHERE state = 'done'"):
        billed = bill.get(job["task_id"])
        told = (None, job["estimate"] or 0.0) if job["id"] in adopted else (billed, billed)  # nothing tells what such a voice has cost
        if (job["credits_used"], job["reserved"]) != told and billed is not None:
            yield f"job {job['id']} has {job['credits_used']} used and {job['reserved']} set aside; {billed} were billed"


def nothing_is_reserved_in_vain(life: Watched) -> Found:
    """No credits are set aside for what was never sent."""
    for job in life.rows("SELECT * FROM jobs WHERE reserved IS NOT NULL AND posted = 0 AND task_id IS NULL"):
        yield f"job {job['id']} ({job['state']}) has {job['reserved']} set aside"


def nothing_waits_for_anybody(life: Watched) -> Found:
    """No brake is on, no work is claimed or open, and what is held says why."""
    if unrest := life.unrest():
        yield unrest
    for row in life.rows("SELECT id FROM jobs WHERE state = 'held' AND reason = ''"):
        yield f"job {row['id']} is held without a reason"


def commands_are_kept(life: Watched) -> Found:
    """What people said stays written down."""
    if (kept := life.rows("SELECT count(*) AS n FROM commands")[0]["n"]) < life.record.said:
        yield f"{life.record.said} commands were left, and {kept} are there"


def commands_are_answered(life: Watched) -> Found:
    """Every command of a person has its answer, and none met a defect."""
    for row in life.rows("SELECT * FROM commands WHERE done_at IS NULL OR answer LIKE 'it could not be done: %'"):
        yield f"{row['verb']} {row['target']}: {row['answer']}"


def history_is_whole(life: Watched) -> Found:
    """Every step is in the history, and each begins where the one before has ended."""
    states: dict[tuple[str, int], str] = {}
    for row in life.rows("SELECT * FROM events WHERE item IN ('drop', 'job', 'content', 'delivery') ORDER BY id"):
        item = (row["item"], row["item_id"])
        if row["old"] != states.get(item, BEGINNINGS.get(row["item"], "")):
            yield f"{item}: {states.get(item)}, then {row['old']} to {row['new']}: {row['why']}"
        states[item] = row["new"]
    for item, table in (("drop", "drops"), ("job", "jobs"), ("content", "contents"), ("delivery", "deliveries")):
        for row in life.rows(f"SELECT id, state FROM {table}"):
            if states.get((item, row["id"]), BEGINNINGS.get(item)) != row["state"]:
                yield f"{item} {row['id']} is {row['state']}, and its history ends otherwise"


BEGINNINGS = {"content": "absent", "delivery": "pending"}
"""The states that a row begins in without a word."""


def no_litter(life: Watched) -> Found:
    """Nothing of ours lies about under a private name."""
    for point in (ROOT, COLD):
        for path, _ in life.sight.files(point):
            if OURS in path and name_of(path) != MARKER:
                yield shown(path)
    yield from [shown(path) for path in life.sight.folders() if OURS in path]


def no_hammering(life: Watched) -> Found:
    """The service is not asked oftener than work and time give reason to."""
    most = 300 + 3.0 * len(life.world.machines) * life.world.loop.time() + 100 * len(life.service.tasks)
    if (calls := sum(life.service.calls.values())) > most:
        yield f"{calls} calls in {life.world.loop.time():.0f} s: {dict(life.service.calls)}"


AT_REST = (
    nothing_waits_for_anybody, originals_survive, put_away_means_delivered, delivered_means_durable, everything_possible_is_done,
    originals_end_where_they_should, what_waits_is_untouched, possessions_are_untouched, paid_once, what_is_billed_is_known,
    nothing_unasked_is_paid, nothing_refused_is_sent, sent_once, jobs_fail_for_reasons_of_their_own, patience_is_enough,
    what_failed_says_why, credits_agree, nothing_is_reserved_in_vain, commands_are_kept, commands_are_answered,
    history_is_whole, no_litter, no_hammering,
)


class Invariants(Watched):
    """Holds a life to the laws."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        world.state.each_connection(self._keep_watch)

    def _keep_watch(self, connection: sqlite3.Connection) -> None:
        happened = self.world.counters.count
        keep_watch(connection, ROW_LAWS, ROW_EVENTS, broken=self._broken_by_a_row, happened=happened, may_end=self.may_end)

    def _broken_by_a_row(self, says: str, table: str, number: int) -> None:
        row = self.rows(f"SELECT * FROM {table} WHERE id = ?", number)
        self.world.wrong(f"{says}.\n{table} {[dict(found) for found in row]}")

    def _look(self, laws: Iterable[Callable[..., Found]], *about: Any) -> None:
        for law in laws:
            for found in law(self, *about):
                self.world.wrong(f"{law.__doc__}\n{found}")

    def after_act(self, _machine: Machine, _act: str, *_paths: bytes) -> None:
        """A machine's program has just changed something on its disks."""
        for act in self.sight.done():
            if not act.inode.is_dir:
                self.world.counters.from_act(act)
                self._look(AT_EACH_ACT, act)

    def before_post(self, operation: str, body: Mapping[str, Any]) -> None:
        """A request that costs credits leaves its machine."""
        self._look(BEFORE_EACH_POST, operation, body)

    def after_power_cut(self, _machine: Machine) -> None:
        """The disks of a machine have lost what was not durable."""
        self.sight.look_anew()
        self._look(AT_EACH_POWER_CUT)

    def at_rest(self) -> None:
        """Nothing went wrong for long, and nothing moves any more."""
        self.world.counters.from_events(self.rows("SELECT item, old, new, why FROM events ORDER BY id"))
        self.world.counters.from_choices(self.world.choices.taken)
        self._look(AT_REST)

    def logged(self, level: str, event: str, values: Mapping[str, Any]) -> None:
        """A line of a log. Of defects of its own a program writes one, and goes on."""
        if event == "unexpected error":
            self.world.wrong(f"{NO_DEFECTS}\n{level}: {values}")


def shown(path: bytes | None) -> str:
    """A path for people."""
    return "" if path is None else path.decode("utf-8", "backslashreplace")
