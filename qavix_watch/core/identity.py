"""Identity: what makes two pieces of work the same, and the names that come from it.

The key's recipe is fixed for ever (golden keys in the tests): a change would bill work twice. A new recipe needs a new
prefix, and the old one for what is already in the state.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import TYPE_CHECKING

from qavix_watch.core.tasks import TaskType
from qavix_watch.core.text import legible, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qavix_watch.core.order import Order

JSONValue = None | bool | int | float | str | list["JSONValue"] | dict[str, "JSONValue"]

PREFIX = "qx1-"
_HEX = 60  # with the prefix 64 characters, all that the service takes
_MARK = re.compile(r"(?:^|\s)(qx-[a-z2-7]{16})$")


def params_of(order: Order, target: str | None, voice_id: str | None, stem: str) -> dict[str, JSONValue]:
    """What is sent to the service for one target of an order, every default made explicit; URLs, name and keys apart.

    `target` is None for work without a target language; `voice_id` is the resolved id, None for the service's own
    choice; `stem` names a cloned voice that the order does not name. Fields as in the reference, "Videos" and "Audio".
    """
    if order.task is TaskType.VIDEO_TRANSLATION:
        return {"source_language": order.source, "target_language": target, **_if_set("voice_id", voice_id)}
    if order.task is TaskType.SUBTITLE_TRANSLATION:
        return {"source_language": order.source, "target_language": target, "embed_subtitle": order.embed}
    if order.task is TaskType.SMART_ERASURE:
        regions: list[JSONValue] = [dict(region.wire()) for region in sorted(order.regions)]
        return {"erasure_mode": order.mode or "auto", **({"normalized_regions": regions} if regions else {})}
    if order.task is TaskType.VOICE_CLONE:
        return {"name": order.voice_name or legible(stem).strip() or "voice"}
    if order.task is TaskType.TEXT_TO_SPEECH:
        return {**_if_set("voice_id", voice_id), **_if_set("language", target)}
    return {}


def _if_set(key: str, value: str | None) -> dict[str, JSONValue]:
    return {key: value} if value is not None else {}


def identity(
    account: str, task: TaskType, params: Mapping[str, JSONValue], inputs: Sequence[str], generation: int
) -> str:
    """The identity as canonical JSON: sorted keys, no spaces, numbers with a fraction to 4 decimals.

    `inputs` are SHA-256 digests in hexadecimal in the order of their roles: main, partner. `generation` counts from 1.
    """
    whole: dict[str, JSONValue] = {
        "account": account,
        "generation": generation,
        "inputs": [digest.lower() for digest in inputs],
        "params": dict(params),
        "task": task.value,
    }
    return _canonical_json(whole)


def _canonical_json(value: JSONValue) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_canonical_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical_json, value)) + "]"
    if isinstance(value, float):
        return f"{value:.4f}"
    return json.dumps(value)


def idempotency_key(identity: str) -> str:
    """The key of an identity: a version and 60 hexadecimal digits, 64 characters in all."""
    return PREFIX + hashlib.sha256(identity.encode()).hexdigest()[:_HEX]


def mark(key: str) -> str:
    """The short mark that a task's name bears: `qx-` and 16 characters of base32."""
    return "qx-" + base64.b32encode(hashlib.sha256(key.encode()).digest())[:16].decode().lower()


def mark_in(task_name: str | None) -> str | None:
    """The mark at the end of a task's name, or None: then the task is not ours."""
    found = _MARK.search(task_name or "")
    return found[1] if found else None


def task_name(stem: str, key: str, limit: int = 200) -> str:
    """The task's name: the stem and the mark of its key, `limit` bytes of UTF-8 at most (the stem is shortened)."""
    sign = mark(key)
    room = limit - len(sign) - 1
    name = shorten(legible(stem).strip().encode(), room).decode("utf-8", "ignore").strip()
    return f"{name} {sign}" if name else sign
