"""The sandbox's own controls, under /control, for loopback callers only.

GET    /control/healthz          {"ok": true}
GET    /control/ledger           tasks, uploads, clones, totals
GET    /control/requests?recent= counts by operation, secrets seen, the latest requests;  DELETE forgets them
GET    /control/faults           the rules;  PUT replaces them (see `faults`);  DELETE removes them
POST   /control/credits          {"credits": 500}: sets the balance
POST   /control/tasks/{id}       {"status": "completed" | "failed" | "processing" | "pending" | "gone", "error_message": "…"}
POST   /control/callbacks/{id}   posts the task's callback once more
POST   /control/forget-files     {"file_ids": […]}, or {} for every file
POST   /control/forget-keys      {"keys": […]}, or {} for every one: a POST with such a key makes a new task
POST   /control/expire-links     {"purpose": "grant" | "file" | "result"}: every URL given out so far
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from qavix_watch.sandbox import fields
from qavix_watch.sandbox.problems import ApiError, invalid, unknown
from qavix_watch.sandbox.signing import PURPOSES
from qavix_watch.sandbox.stamps import iso

if TYPE_CHECKING:
    import sqlite3

    from starlette.requests import Request

    from qavix_watch.sandbox.service import Service


async def _json(request: Request) -> Any:
    try:
        return json.loads(await request.body() or b"{}")
    except ValueError:
        raise invalid("invalid_json", "the request body is not valid JSON") from None


async def _object(request: Request) -> dict[str, Any]:
    body = await _json(request)
    if not isinstance(body, dict):
        raise invalid("invalid_json", "the request body must be a JSON object")
    return body


async def healthz(_: Service, __: Request) -> Response:
    return JSONResponse({"ok": True})


async def ledger(service: Service, _: Request) -> Response:
    rows = service.tasks.everything()
    tasks = [_ledger_line(row) for row in rows if row["task_type"] != "voice_clone"]
    clones = [_clone_line(row) for row in rows if row["task_type"] == "voice_clone"]
    uploads = service.files.uploads()
    totals = {
        "tasks": len(tasks),
        "clones": len(clones),
        "posts": sum(task["posts"] for task in tasks),
        "credits_billed": sum(line["credits"] for line in tasks + clones),
        "puts": sum(upload["puts"] for upload in uploads),
        "contents": len(uploads),
        "grants": service.files.grants(),
        "upload_bytes": sum(upload["size"] * upload["puts"] for upload in uploads),
        "callbacks": sum(task["callbacks"] for task in tasks),
    }
    balance = service.tasks.balance
    return JSONResponse({"credits": balance, "totals": totals, "tasks": tasks, "uploads": uploads, "clones": clones})


def _ledger_line(row: sqlite3.Row) -> dict[str, Any]:
    results = json.loads(row["results"]) if row["results"] else {}
    return {
        "task_id": str(row["id"]), "task_type": row["task_type"], "name": row["name"], "status": row["status"],
        "idempotency_key": row["idempotency_key"], "source_language": row["source"], "target_language": row["target"],
        "inputs": json.loads(row["inputs"]), "params": json.loads(row["params"]), "credits": row["credits"],
        "credits_estimated": row["estimated"], "posts": row["posts"], "callbacks": row["callback_posts"],
        "results": results, "error": row["error"], "created_at": iso(row["created_at"]),
    }  # fmt: skip


def _clone_line(row: sqlite3.Row) -> dict[str, Any]:
    sample = json.loads(row["inputs"])["audio_url"]
    return {"task_id": str(row["id"]), "name": row["name"], "credits": row["credits"], **json.loads(row["params"]), **sample}


async def requests_seen(service: Service, request: Request) -> Response:
    if request.method == "DELETE":
        service.recorder.clear()
    recent = request.query_params.get("recent", "100")
    return JSONResponse(service.recorder.shown(int(recent) if recent.isdecimal() else 100))


async def fault_rules(service: Service, request: Request) -> Response:
    if request.method == "PUT":
        service.faults.replace(await _json(request))
    elif request.method == "DELETE":
        service.faults.replace([])
    return JSONResponse(service.faults.shown())


async def set_credits(service: Service, request: Request) -> Response:
    service.tasks.set_balance(fields.whole_number(await _object(request), "credits", least=0, most=10**12))
    return JSONResponse({"credits": service.tasks.balance})


async def force_task(service: Service, request: Request) -> Response:
    row = _task(service, request)
    body = await _object(request)
    allowed = ("completed", "failed", "processing", "pending", "gone")
    status = fields.choice(fields.required_text(body, "status"), "status", allowed)
    if status == "failed":
        service.tasks.fail(row["id"], fields.text(body, "error_message") or "the task was made to fail by hand")
        service.courier.send(row["id"])
    elif status == "gone":
        service.tasks.drop(row["id"])
    elif status == "completed":
        service.tasks.hurry(row["id"], time.time())
    else:
        service.tasks.reopen(row["id"], str(status))
    service.factory.look()
    return JSONResponse({"task_id": str(row["id"]), "status": status})


async def callback_again(service: Service, request: Request) -> Response:
    row = _task(service, request)
    if row["callback_url"] is None or row["completed_at"] is None:
        raise invalid("no_callback", "this task has no callback_url, or has not ended", "task_id")
    service.tasks.callback_again(row["id"])
    service.courier.send(row["id"])
    return JSONResponse({"task_id": str(row["id"])})


def _task(service: Service, request: Request) -> sqlite3.Row:
    row = service.tasks.get(request.path_params["task_id"])
    if row is None:
        raise unknown("task_not_found", "there is no such task")
    return row


async def forget_files(service: Service, request: Request) -> Response:
    file_ids = (await _object(request)).get("file_ids")
    if file_ids is not None and not isinstance(file_ids, list):
        raise invalid("invalid_type", "file_ids must be a list", "file_ids")
    return JSONResponse({"forgotten": service.files.forget(file_ids)})


async def forget_keys(service: Service, request: Request) -> Response:
    keys = (await _object(request)).get("keys")
    if keys is not None and not (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
        raise invalid("invalid_type", "keys must be a list of texts", "keys")
    return JSONResponse({"forgotten": service.tasks.forget_keys(keys)})


async def expire_links(service: Service, request: Request) -> Response:
    purpose = fields.choice(fields.required_text(await _object(request), "purpose"), "purpose", PURPOSES)
    service.links.signer.expire_all(str(purpose))
    return JSONResponse({"purpose": purpose})


def only_from_here(request: Request) -> None:
    """Raises permission_error for a caller that is not on this host."""
    if request.client is None or not fields.is_loopback(request.client.host):
        raise ApiError("permission_error", "loopback_only", "/control answers to this host only")
