"""The service as an ASGI application: routes, authentication, rate limits, and errors in the right form."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from qavix_watch.sandbox import account, control, following, submitting, uploading
from qavix_watch.sandbox.fields import is_loopback
from qavix_watch.sandbox.gate import Gate
from qavix_watch.sandbox.operations import BASE_PATH, OPERATIONS
from qavix_watch.sandbox.problems import ApiError, StorageError
from qavix_watch.sandbox.results import result_get
from qavix_watch.sandbox.service import Service
from qavix_watch.sandbox.storage import storage_get, storage_put

if TYPE_CHECKING:
    from starlette.types import ASGIApp

Endpoint = Callable[[Service, Request], Awaitable[Response]]

_log = logging.getLogger(__name__)
_API: dict[str, Endpoint] = {
    "get_balance": account.get_balance,
    "usage_history": account.usage_history,
    "pricing": account.pricing,
    "get_task": following.get_task,
    "list_tasks": following.list_tasks,
    "voice_clone": submitting.voice_clone,
    "list_voices": account.list_voices,
    "get_upload_url": uploading.get_upload_url,
    "confirm_upload": uploading.confirm_upload,
    "refresh_url": uploading.refresh_url,
}
_CONTROL: dict[str, tuple[Endpoint, list[str]]] = {
    "/control/healthz": (control.healthz, ["GET"]),
    "/control/ledger": (control.ledger, ["GET"]),
    "/control/requests": (control.requests_seen, ["GET", "DELETE"]),
    "/control/faults": (control.fault_rules, ["GET", "PUT", "DELETE"]),
    "/control/credits": (control.set_credits, ["POST"]),
    "/control/tasks/{task_id}": (control.force_task, ["POST"]),
    "/control/callbacks/{task_id}": (control.callback_again, ["POST"]),
    "/control/forget-files": (control.forget_files, ["POST"]),
    "/control/forget-keys": (control.forget_keys, ["POST"]),
    "/control/expire-links": (control.expire_links, ["POST"]),
}


def build_app(service: Service) -> ASGIApp:
    """Everything that is served, behind the gate that records and disturbs."""
    routes = [
        Route(BASE_PATH + path, _api_endpoint(service, _API.get(name) or submitting.submit(name)), methods=[method])
        for name, (method, path) in OPERATIONS.items()
    ]
    routes += [
        Route("/storage/{name}", _endpoint(service, storage_put), methods=["PUT"]),
        Route("/storage/{name}", _endpoint(service, storage_get), methods=["GET"]),
        Route("/results/{task_id}/{name}", _endpoint(service, result_get), methods=["GET"]),
    ]
    routes += [Route(path, _control_endpoint(service, call), methods=methods) for path, (call, methods) in _CONTROL.items()]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _no_route(service)})
    app.router.redirect_slashes = False
    return Gate(app, service)


def _endpoint(service: Service, call: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await call(service, request)
        except (ApiError, StorageError) as problem:
            return problem.answer()
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        except Exception:  # noqa: BLE001 - a service answers internal_error, whatever went wrong in it
            _log.exception("the sandbox failed at %s %s", request.method, request.url.path)
            return ApiError("internal_error", "internal_error", "something went wrong in the sandbox").answer()

    return endpoint


def _api_endpoint(service: Service, call: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def guarded(service: Service, request: Request) -> Response:
        _authenticate(service, request)
        service.limiter.admit()
        return await call(service, request)

    return _endpoint(service, guarded)


def _control_endpoint(service: Service, call: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def local(service: Service, request: Request) -> Response:
        control.only_from_here(request)
        return await call(service, request)

    return _endpoint(service, local)


def _authenticate(service: Service, request: Request) -> None:
    """Raises authentication_error, or permission_error for plain HTTP from another host and for a key that may only read."""
    if request.client is None or not is_loopback(request.client.host):
        raise ApiError("permission_error", "https_required", "HTTPS is required")
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key:
        raise ApiError("authentication_error", "missing_api_key", "send Authorization: Bearer <API key>")
    ours = service.options.api_key
    if _same(key, f"{ours}-disabled"):
        raise ApiError("authentication_error", "api_key_disabled", "this API key is disabled")
    if _same(key, f"{ours}-readonly"):
        if request.method == "POST":
            raise ApiError("permission_error", "insufficient_permissions", "this API key may only read")
    elif not _same(key, ours):
        raise ApiError("authentication_error", "invalid_api_key", "this API key is not valid")


def _same(given: str, ours: str) -> bool:
    return hmac.compare_digest(given.encode(), ours.encode())


def _no_route(service: Service) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        try:
            if request.url.path.startswith(f"{BASE_PATH}/"):
                _authenticate(service, request)
        except ApiError as problem:
            return problem.answer()
        return _unroutable(request, error).answer()

    return answer


def _unroutable(request: Request, error: HTTPException) -> ApiError | StorageError:
    if request.url.path.startswith(("/storage/", "/results/")):
        return StorageError(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    if error.status_code == 405:
        message = f"{request.method} is not allowed here"
        headers = dict(error.headers or {})
        return ApiError("validation_error", "method_not_allowed", message, status=405, headers=headers)
    return ApiError("not_found", "unknown_path", "there is nothing at this path")
