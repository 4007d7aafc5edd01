"""An event loop in which nothing is left to chance but what is asked of `Choices`: order, time, death and frost.

One ready handle runs a step, chosen among those that are ready; where none is, time jumps to the next that is due. Nothing leaves the
process: no thread, no socket. Automatic garbage collection is best off during a life, since it ends generators when it likes.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import threading
from contextvars import Context
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tests.simulation.calls import LABELLED, Call, whose
from tests.simulation.hosts import Host, name_of
from tests.simulation.jobs import Job, current_job
from tests.simulation.tasks import Future, Over, Task, lay_to_rest, where

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from tests.simulation.choices import Choices

T = TypeVar("T")
ORDER = "order"
"""The stream that says which of the ready handles runs; 0 is the one that waits longest."""
MOST_STEPS = 200_000
TOLD_AT_ONCE = 256
"""The trace is hashed in lots: one by one that takes as long as the steps themselves."""


class Stuck(Exception):
    """Nothing is ready and nothing will ever be due."""


class Endless(Exception):
    """The life did not come to an end within its steps."""


class Outside(Exception):
    """Something reached for the real world: a thread, a name server."""


class Unhandled(Exception):
    """A callback raised, or a task failed and nobody asked."""


class Loop(asyncio.BaseEventLoop):
    """The loop. `inline` runs blocking jobs whole, for comparison: no race between them can then be seen.

    `clock` has the seconds since the life began, `steps` counts handles that ran, `trace` is the hash of all that happened and was told.
    """

    _thread_id: int | None
    _stopping: bool
    _closed: bool
    _check_closed: Callable[[], None]

    def __init__(self, choices: Choices, most_steps: int = MOST_STEPS, *, inline: bool = False) -> None:
        super().__init__()
        self.choices = choices
        self.steps = 0
        self._most_steps = most_steps
        self._inline = inline
        self.clock = 0.0
        self._numbers = 0
        self._ready: list[Call] = []
        self._timers: list[tuple[float, int, Call]] = []
        self._jobs: dict[int, Job] = {}
        self._graves: list[Task] = []
        self._hash = hashlib.blake2b(digest_size=16)
        self._told: list[str] = []
        self._unhandled: list[str] = []
        self._failure: Exception | None = None
        self._ends = False

    # What happens

    def number(self) -> int:
        """The next number; tasks, futures, timers and jobs share them."""
        self._numbers += 1
        return self._numbers

    def time(self) -> float:
        """Seconds since the life began. It stands still while anything is ready."""
        return self.clock

    @property
    def trace(self) -> str:
        """Equal in two lives that went the same way."""
        self._hash_told()
        return self._hash.hexdigest()

    def tell(self, *things: object) -> None:
        """Add to the trace. Contents belong there, not only the order of events: a stray random id changes no order."""
        self._told.append(repr(things))

    def _hash_told(self) -> None:
        self._hash.update("\n".join([*self._told, ""]).encode())
        self._told.clear()

    def _run_once(self) -> None:
        """Steps, until the loop is told to stop: to be called for each of them takes as long as half of them."""
        ready, timers, told, pick = self._ready, self._timers, self._told, self.choices.pick
        while not self._stopping:
            while timers and timers[0][0] <= self.clock:
                self._admit_due(heapq.heappop(timers)[2])
            count = len(ready)
            if not count:
                self._jump()
                continue
            self.steps += 1
            if self.steps > self._most_steps:
                raise Endless(f"{self._most_steps} steps, {self.clock:.3f} s\n{self._who_waits()}")
            call = ready.pop(pick(ORDER, count) if count > 1 else 0)
            if not call._cancelled:
                owner = getattr(call._callback, "__self__", None)
                told.append(owner.label if isinstance(owner, LABELLED) else whose(call))
                call._run()
            if self._ends:
                raise self._failure or Unhandled("\n".join(self._unhandled))

    def fail(self, failure: Exception) -> None:
        """End the life with this, the first of them, after the step that runs now."""
        self._failure = self._failure or failure
        self._ends = True

    def _not_handled(self, what: str) -> None:
        self._unhandled.append(what)
        self._ends = True

    def _jump(self) -> None:
        timers = self._timers
        while timers and ((call := timers[0][2])._cancelled or _is_dead(call.host)):
            heapq.heappop(timers)
        if not timers:
            raise Stuck(f"nothing is ready and nothing is due at {self.clock:.3f} s\n{self._who_waits()}")
        self.clock = timers[0][0]
        self._told.append(repr(self.clock))
        if len(self._told) >= TOLD_AT_ONCE:
            self._hash_told()

    def _admit(self, call: Call) -> None:
        """Let it run when its turn comes; unless its host is dead, or not before its host has thawed."""
        host = call.host
        if host is None:
            self._ready.append(call)
        elif not host.dead:
            (host.deferred if host.frozen else self._ready).append(call)

    def _admit_due(self, call: Call) -> None:
        if not call._cancelled:
            self._admit(call)

    # What asyncio asks of a loop

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        """Let it run soon. What a coroutine that is laid to rest still asks for, after the end of the life, never does."""
        call = Call(callback, args, self, context)
        host = call.host
        if self._closed:
            return call
        if host is None:
            self._ready.append(call)
        elif not host.dead:
            (host.deferred if host.frozen else self._ready).append(call)
        return call

    _call_soon = call_soon

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        return self._call_at(self.clock + delay, callback, args, context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Call:
        return self._call_at(when, callback, args, context)

    def _call_at(self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None) -> Call:
        if self._closed:
            self._check_closed()
        timer = Call(callback, args, self, context, when)
        self._numbers = number = self._numbers + 1
        heapq.heappush(self._timers, (when, number, timer))
        return timer

    def create_future(self) -> Future:
        self._numbers = number = self._numbers + 1
        future = Future(loop=self)
        future.number = number
        return future

    get_debug = staticmethod(bool)  # type: ignore[assignment]
    """False. It is asked for every future, and this is no call of Python's."""

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> Task:
        if self._closed:
            self._check_closed()
        task = Task(coro, self, None if name is None else str(name), context)
        if _is_dead(task.host):
            self._graves.append(task)
        return task

    def _write_to_self(self) -> None:
        if self._thread_id not in {None, threading.get_ident()}:
            why = "a thread called the simulated loop; blocking code goes through Ports.blocking"
            self._not_handled(why)  # who looks at what a thread raises?
            raise Outside(why)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> NoReturn:  # type: ignore[override]
        raise Outside(f"run_in_executor({func!r}): blocking code goes through Ports.blocking")

    async def getaddrinfo(self, host: Any, port: Any, **_how: Any) -> NoReturn:
        raise Outside(f"getaddrinfo({host!r}, {port!r}): the service is reached through Ports.api and Ports.transfers")

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self.is_closed():
            self._not_handled(f"{context['message']}: {context.get('exception')!r}")

    # Hosts

    def on(self, host: Host, coroutine: Coroutine[Any, Any, T], name: str | None = None) -> Task:
        """Begin a task that belongs to this host, with all that comes of it."""
        return self.create_task(coroutine, name=name, context=host.context())

    def kill(self, host: Host) -> None:
        """It runs nothing more, not even a `finally`. What it awaits stays as it is until the end of the life."""
        host.dead = True
        self._graves += [task for task in self._pending() if task.host is host]
        self._ready[:] = [call for call in self._ready if call.host is not host]

    def freeze(self, host: Host, seconds: float) -> None:
        """It runs nothing for so long, while time goes on for the others; then all that came due meanwhile."""
        host.frozen = True
        host.thaws_at = max(host.thaws_at, self.clock + seconds)
        ready = self._ready.copy()
        self._ready.clear()
        for handle in ready:
            self._admit(handle)
        self.call_at(host.thaws_at, self.thaw, host, context=Context())

    def thaw(self, host: Host) -> None:
        """Let it go on, where its time has come."""
        if not host.frozen or self.clock < host.thaws_at:
            return
        host.frozen = False
        deferred, host.deferred = host.deferred, []
        for handle in deferred:
            self._admit_due(handle)

    # Blocking code

    def blocking(self, act: Callable[..., T], *arguments: Any) -> Awaitable[T]:
        """`Ports.blocking`: a job that can be interrupted wherever it calls a port."""
        job = Job(self, self.number(), act, arguments)
        self._jobs[job.number] = job
        self.call_soon(job.step)
        return job.answer

    def at_port(self, seconds: float = 0.0) -> None:
        """Each port calls this before and after it acts: others may run here, for so long at least; here a host may die or freeze.

        In code that runs on the loop itself nothing can come between. Raises Over once the life has ended.
        """
        if self._closed:
            raise Over
        if (job := current_job()) is not None:
            self.job_at_port(job, seconds)

    def job_at_port(self, job: Job, seconds: float = 0.0) -> None:
        """The same for the job that runs."""
        if self._closed:
            raise Over
        if self._inline and not _is_dead(job.host):
            return
        if seconds > 0 or not self.goes_on(job.host, job.label):
            job.rest(seconds)

    async def others(self, host: Host | None) -> None:
        """The same for what awaits on this host."""
        if not self.goes_on(host, "the world" if host is None else host.name):
            await asyncio.sleep(0)

    def goes_on(self, host: Host | None, who: str) -> bool:
        """Whether nobody but who runs could take the next step. Then it has taken it by this, and need not be left: so half of them are."""
        if self._ready or self._ends or (host is not None and (host.dead or host.frozen)) or self.steps >= self._most_steps:
            return False
        if self._timers and self._timers[0][0] <= self.clock:
            return False
        self.steps += 1
        self._told.append(who)
        return True

    async def never(self) -> NoReturn:
        """What an async port awaits where its host has just died."""
        while True:
            await self.create_future()

    def ended(self, job: Job) -> None:
        """Called by a job at its end."""
        del self._jobs[job.number]

    # The end

    def close(self) -> None:
        """End the life: tasks and jobs that are left are laid to rest in the order in which they began."""
        if self.is_closed():
            return
        pending = self._pending()
        super().close()
        self._timers.clear()
        for job in list(self._jobs.values()):
            job.lay_to_rest()
        for task in pending:
            lay_to_rest(task)
        self._graves.clear()

    def _pending(self) -> list[Task]:
        tasks = (task for task in asyncio.all_tasks(self) if isinstance(task, Task))
        return sorted(tasks, key=lambda task: task.number)

    def _who_waits(self) -> str:
        tasks = [f"{name_of(task.host)}: {task} waits at {where(task)}" for task in self._pending() if not _is_dead(task.host)]
        jobs = [f"{name_of(job.host)}: {job} is at a port" for job in self._jobs.values() if not _is_dead(job.host)]
        return "\n".join([*tasks, *jobs]) or "nobody waits"


def _is_dead(host: Host | None) -> bool:
    return host is not None and host.dead
