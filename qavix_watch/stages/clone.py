"""submitting → done for Voice Clone, which is synchronous and takes no idempotency key.

The ids that bear the name are recorded before the POST. After an answer that is not clear, List Voices is asked: exactly one new
id of that name is the voice; where none appears in ten minutes, a person decides.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.naming import display
from qavix_watch.core.outcomes import Done, Hold, Later, Outcome
from qavix_watch.errors import ApiError, Unreachable
from qavix_watch.stages.account import balance_is
from qavix_watch.stages.answers import unclear
from qavix_watch.stages.money import not_taken, reserve, settled

if TYPE_CHECKING:
    from qavix_watch.core.records import Drop, Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.core.service import Voice
    from qavix_watch.ports import Hand, Ports
    from qavix_watch.ports.state import Tx

UNCLEAR_SECONDS = 600.0
LOOK_SECONDS = 5.0


async def clone(ports: Ports, rules: Rules, hand: Hand, wanting: list[Drop], audio_url: str) -> Outcome:
    """Clone a voice, once."""
    job: Job = hand.row
    name = str(job.params["name"])
    if job.posted:
        return await _after_unclear(ports, job, name, wanting)
    there = set(await _called(ports, name))
    ours = await _ours(ports)
    if there - ours and not (job.approved or _approved(wanting)):
        return Hold(f"a cloned voice called “{name}” exists already, and it was not made here; approve it to make another")
    kept = {"known_voices": json.dumps(sorted(there)), "posted": 1, "posted_at": ports.clock.now()}
    barred = await ports.store.transaction("before the POST", lambda tx: _one_at_a_time(tx, ports, rules, hand, kept))
    if barred is not None:
        return barred
    try:
        voice = await ports.api.voice_clone(audio_url, name)
    except (ApiError, Unreachable) as error:
        if unclear(error):
            return Later(LOOK_SECONDS, f"no clear answer, asking List Voices: {error}")
        return await not_taken(ports, hand, error)
    return made(ports, job, voice, name, wanting)


def _approved(wanting: list[Drop]) -> bool:
    return any(drop.accepted for drop in wanting)


def _one_at_a_time(tx: Tx, ports: Ports, rules: Rules, hand: Hand, kept: dict[str, Any]) -> Outcome | None:
    name = str(hand.row.params["name"])
    if tx.jobs.clone_underway(name, hand.id):
        return Later(LOOK_SECONDS, f"another voice called “{name}” is being cloned")
    return reserve(tx, ports, rules, hand, kept)


async def _after_unclear(ports: Ports, job: Job, name: str, wanting: list[Drop]) -> Outcome:
    known = {*json.loads(job.known_voices or "[]"), *await _ours(ports)}  # List Voices may have left one out before the POST
    new = {number: voice for number, voice in (await _called(ports, name)).items() if number not in known}
    if len(new) == 1:
        return made(ports, job, new.popitem()[1], name, wanting, "; the answer was lost, and List Voices has it; what it cost is not told")
    if len(new) > 1:
        return Hold(f"{len(new)} new voices are called “{name}”: {', '.join(sorted(new))}; look which is this one")
    if ports.clock.now() - (job.posted_at or 0.0) > UNCLEAR_SECONDS:
        return Hold(f"the answer to cloning “{name}” was lost, and no new voice of that name has appeared; approve it to try again")
    return Later(LOOK_SECONDS, "the answer was lost; asking List Voices whether the voice is there")


async def _ours(ports: Ports) -> set[str]:
    """The ids of all voices that jobs of ours have made."""
    ids: set[str] = await ports.store.transaction("our voices", lambda tx: {voice.voice_id for voice in tx.jobs.voices()})
    return ids


async def _called(ports: Ports, name: str) -> dict[str, Voice]:
    """The cloned voices of that name, by their ids."""
    voices: tuple[Voice, ...] = await ports.api.list_voices()
    return {voice.voice_id: voice for voice in voices if voice.type == "cloned" and voice.name == name}


def made(ports: Ports, job: Job, voice: Voice, name: str, wanting: list[Drop], how: str = "") -> Outcome:
    """The voice is there: its result is a small text that names it. `how` goes into its history; what was set aside for one that does
    not say its credits stays set aside, since neither List Voices nor Usage History tells of them.
    """
    now, voice_id = ports.clock.now(), voice.voice_id
    source = display(wanting[0].path) if wanting else job.stem
    when = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    what = {"voice_id": voice_id, "name": name, "cloned_at": when, "from": source}
    text = json.dumps(what, ensure_ascii=False, indent=2) + "\n"

    def know(tx: Tx) -> None:
        tx.jobs.add_voice(voice_id, name, job.id)
        tx.jobs.add_result(job.id, "voice", "json", "", len(text.encode()), None, text)
        tx.jobs.wake_deliveries(job.id, now)
        balance_is(tx, voice.credits_remaining, now)

    fields = {"task_id": voice_id, "submitted_at": now, "ended_at": now, "progress": 100, **settled(voice.credits_used)}
    return Done(JobState.DONE, f"the voice is {voice_id}{how}", fields, also=know, due=None)
