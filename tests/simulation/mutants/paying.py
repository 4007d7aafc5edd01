"""Defects that cost money: work billed twice, sent twice, or for nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qavix_watch.core import money as limits
from qavix_watch.core.layout import name_of
from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.naming import wire_name
from qavix_watch.errors import ApiError, Unreachable
from qavix_watch.stages import clone, generations, money, submit, upload
from qavix_watch.store.jobs import Jobs
from tests.simulation import bringing, commands, hands
from tests.simulation.mutants.among import QUIET, calm, lives_with
from tests.simulation.mutants.planting import Soil, mutant
from tests.simulation.person import BREATHS
from tests.simulation.quiet import LONG_ENOUGH, does
from tests.simulation.scenes import ORDERS

if TYPE_CHECKING:
    from qavix_watch.core.outcomes import Outcome
    from qavix_watch.core.records import Content, Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.service import UploadGrant
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx
    from qavix_watch.stages.generations import Plan
    from qavix_watch.stages.upload import Source

FILE, CLONE = bringing.a_file, ORDERS.index("clone voice")
TAKEN_OUT = calm(
    "lives in which answers to a POST are lost and Ann takes the file out", FILE, hands.delete,
    **{"lost answer: video_translation": (1,) * 8, "Ann: waits": (BREATHS.index(6.0), BREATHS.index(LONG_ENOUGH))},
)
RETRIES = calm("lives in which a task fails and Ann retries", FILE, commands.retry, **{"task failed": (1,)})
CLONES = calm("lives in which the answer to a clone is lost", bringing.a_voice, **{"lost answer: voice_clone": (1,)})
NAMESAKES = calm(
    "lives in which two voices of one name are cloned", FILE,
    **{"more people": (1,), "Ann: order": (CLONE,), "Ben: order": (CLONE,), "Ben: sub-folder": (2,)},
)
PAIRS_AGAIN = lives_with("lives in which a film comes with two pictures", **does(bringing.a_pair, bringing.a_pair_again))
BUDGETS = calm("lives with a budget for the day, and two series", bringing.a_series, bringing.a_series, **{"shape: budget": (7,)})
LIMITS = calm("lives with a limit for each job", FILE, **{"shape: budget": (3,), "Ann: length": (2,)})


@mutant("POST before the key is durable", within=5)
def posts_first(soil: Soil) -> None:
    """The request goes out with a key made for it; key, body and reservation are written down with its answer."""
    soil.put(submit, "_post", _post_first)


async def _post_first(ports: Ports, rules: Rules, hand: Hand, urls: dict[str, str]) -> Outcome:
    job: Job = hand.row
    body = {**(submit._first_body(rules, job) if job.body is None else json.loads(job.body)), **urls}
    if job.body is None:
        body["idempotency_key"] = f"qx1-{ports.chance.token()}"
    try:
        task = await ports.api.create_task(job.operation, body)
    except (ApiError, Unreachable) as error:
        return await money.not_taken(ports, hand, error)
    kept = {"body": json.dumps(body), "posted": 1, "posted_at": job.posted_at or ports.clock.now()}
    await ports.store.transaction("after the POST", lambda tx: money.reserve(tx, ports, rules, hand, kept))
    return submit._accepted(ports, rules, task)


@mutant("a lost answer counts as a refusal", within=3, among=TAKEN_OUT)
def believes_in_silence(soil: Soil) -> None:
    """A POST without an answer is taken for one that was not carried out: its credits are free, its file may be taken out."""
    soil.put(money, "unclear", lambda _error: False)


@mutant("a fan-out uploads twice", within=6, among=QUIET)
def sends_for_each(soil: Soil) -> None:
    """Every job of a fan-out has the same content sent for itself."""
    send = upload._send

    async def _send_for_each(ports: Ports, rules: Rules, hand: Hand, source: Source, grant: UploadGrant) -> Outcome:
        content: Content = hand.row
        for _ in (await ports.store.transaction("who wants it", lambda tx: tx.jobs.waiting_for(content.sha256)))[1:]:
            own = await ports.api.get_upload_url(wire_name(name_of(source.path)), content.size, content.md5)
            await ports.blocking(upload._sent_whole, ports, hand, source, own)
        return await send(ports, rules, hand, source, grant)

    soil.put(upload, "_send", _send_for_each)


@mutant("a retry keeps a dead key", within=3, among=RETRIES)
def keeps_a_dead_key(soil: Soil) -> None:
    """Work whose task failed at the service is tried again under its old key, which only gives the failed task back."""
    soil.everywhere(generations.ensure, _ensure_with_one_key)


def _ensure_with_one_key(tx: Tx, plan: Plan, priority: int, now: float, held: str = "") -> int:
    newest: Job | None = tx.jobs.newest(plan.identity(1))
    if newest is None:
        return generations.begin(tx, plan, priority, now, held)
    if generations.failed_there(newest):
        anew = {"due": now, "ended_at": None, "posted": 0}
        tx.work.move("job", newest.id, (JobState.FAILED,), JobState.READY, now, "wanted again", anew)
    else:
        tx.jobs.join(newest, priority, held=bool(held), now=now)
    return newest.id


@mutant("a voice cloned twice", within=3, among=CLONES)
def clones_again(soil: Soil) -> None:
    """After a lost answer the voice is not looked for: the request, which has no key, is made again."""
    once = clone.clone

    async def _clone_again(ports: Ports, rules: Rules, hand: Hand, wanting: list[Drop], audio_url: str) -> Outcome:
        job: Job = hand.row
        if not job.posted:
            return await once(ports, rules, hand, wanting, audio_url)
        name = str(job.params["name"])
        return clone.made(ports, job, await ports.api.voice_clone(audio_url, name), name, wanting)

    soil.everywhere(once, _clone_again)


@mutant("two clones of one name at a time", within=3, among=NAMESAKES)
def clones_side_by_side(soil: Soil) -> None:
    """Two voices of one name are cloned at the same time, so that nobody can tell after a lost answer whose the new one is."""
    soil.put(Jobs, "clone_underway", lambda _self, _name, _but: False)


@mutant("the partner is no part of the identity", within=10, among=PAIRS_AGAIN)
def forgets_the_partner(soil: Soil) -> None:
    """The same video with another picture counts as the same work."""
    identity = generations.identity.identity

    def _of_the_first_alone(account: str, task: Any, params: Any, inputs: Any, generation: int) -> str:
        return identity(account, task, params, inputs[:1], generation)

    soil.put(generations.identity, "identity", _of_the_first_alone)


@mutant("a budget that nobody asks", within=3, among=BUDGETS)
def spends_on(soil: Soil) -> None:
    """A job is submitted whatever the day and the month have cost already."""
    soil.put(money, "_budget", lambda *_: None)


@mutant("a reservation that is never settled", within=3, among=QUIET)
def settles_nothing(soil: Soil) -> None:
    """The budget goes on counting what was set aside for a task after it has ended and cost something else, or nothing."""
    soil.everywhere(money.settled, lambda _used: {})


@mutant("a limit that lets go by itself", within=3, among=LIMITS)
def approves_itself(soil: Soil) -> None:
    """What costs more than one job may is not held for a person."""
    soil.everywhere(limits.over_limit, lambda _budget, _price: None)
