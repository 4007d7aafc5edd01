"""`Api` on the simulated service: values of `core.service`, and the errors that the real client makes of everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qavix_watch.api.endpoints import CREATING
from qavix_watch.api.limiter import Limiter
from qavix_watch.errors import RateLimited
from tests.simulation.refusals import Lost, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qavix_watch.core.service import Balance, CreatedTask, FileLink, Price, Task, TaskPage, UploadGrant, UsagePage, Voice
    from tests.simulation.accounts import Account
    from tests.simulation.machines import Machine
    from tests.simulation.service import Service

TIMEOUT = 30.0
CLONE_TIMEOUT = 180.0


class SimulatedApi:
    """The operations of one start of the program, under the real client's own limiter."""

    def __init__(self, service: Service, machine: Machine, on_date: Callable[[float], None] | None) -> None:
        self._service = service
        self._machine = machine
        self._on_date = on_date
        self._limiter = Limiter(machine.world.loop.time)

    async def get_balance(self) -> Balance:
        found: Balance = await self._call("get_balance", lambda account: account.get_balance())
        self._limiter.set_rates(found.requests_per_minute, found.queries_per_second)
        return found

    async def usage_history(
        self, start_date: str | None = None, end_date: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> UsagePage:
        return await self._call("usage_history", lambda account: account.usage_history(start_date, end_date, cursor, limit))

    async def pricing(self) -> tuple[Price, ...]:
        return await self._call("pricing", lambda account: account.pricing())

    async def get_task(self, task_id: str) -> Task:
        return await self._call("get_task", lambda account: account.get_task(task_id))

    async def list_tasks(
        self, status: str | None = None, task_type: str | None = None, cursor: str | None = None, limit: int = 100
    ) -> TaskPage:
        return await self._call("list_tasks", lambda account: account.list_tasks(status, task_type, cursor, limit))

    async def create_task(self, operation: str, body: Mapping[str, object]) -> CreatedTask:
        if operation not in CREATING:
            raise ValueError(f"{operation} creates no task")
        sent = dict(body)
        return await self._call(operation, lambda account: account.create_task(operation, sent), posts=sent)

    async def voice_clone(self, audio_url: str, name: str) -> Voice:
        body = {"audio_url": audio_url, "name": name}
        return await self._call("voice_clone", lambda account: account.voice_clone(body), CLONE_TIMEOUT, posts=body)

    async def list_voices(self, language: str | None = None, gender: str | None = None) -> tuple[Voice, ...]:
        return await self._call("list_voices", lambda account: account.list_voices(language, gender))

    async def get_upload_url(self, file_name: str, file_size: int, content_md5: str) -> UploadGrant:
        body = {"file_name": file_name, "file_size": file_size, "content_md5": content_md5}
        return await self._call("get_upload_url", lambda account: account.get_upload_url(body))

    async def confirm_upload(self, file_id: str) -> FileLink:
        return await self._call("confirm_upload", lambda account: account.confirm_upload(file_id))

    async def refresh_url(self, file_id: str) -> FileLink:
        return await self._call("refresh_url", lambda account: account.refresh_url(file_id))

    async def _call(
        self, operation: str, act: Callable[[Account], Any], patience: float = TIMEOUT, *, posts: Mapping[str, object] | None = None
    ) -> Any:
        """One call: the request leaves after the first point and is carried out even if its host is dead by then.

        `posts` is its body where it costs credits.
        """
        async with self._limiter.turn(operation):
            await self._machine.apoint(f"before {operation}")
            if posts is not None:
                self._machine.world.invariants.before_post(operation, posts)
            said = await self._service.exchange(operation, act, patience)
            await self._machine.apoint(f"after {operation}")
        if isinstance(said, Lost):
            raise said.error(operation)
        if self._on_date is not None:
            self._on_date(float(int(self._machine.world.now())))
        if isinstance(said, Refusal):
            raise self._refused(operation, said)
        return said

    def _refused(self, operation: str, refusal: Refusal) -> Exception:
        error = refusal.error(operation)
        if isinstance(error, RateLimited):
            self._limiter.refused(error.retry_after)
        return error
