"""The Qavix service: whether it answers and believes the key, the balance, the clock, and the path of every operation.

Nothing here can cost anything. What is read is really read; an operation that would cost or change something is sent an empty
object: it names no input, so that the service can only refuse it (reference, "Error Types": validation_error 400 for missing
fields), and by how it refuses it shows that the path leads to it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from qavix_watch.api.client import Client
from qavix_watch.api.endpoints import endpoints
from qavix_watch.cli import amounts
from qavix_watch.cli.checks.finding import Finding, Level, of_error, ok, problem, warning
from qavix_watch.cli.checks.verdicts import of_empty, of_read
from qavix_watch.errors import ApiError, AuthenticationRefused, ConfigError, QavixWatchError, RateLimited, Unreachable
from qavix_watch.system import WRONG_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from qavix_watch.cli.checks.case import Case
    from qavix_watch.core.service import Balance

T = TypeVar("T")

PATIENCE_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 6.0
_WEEK = 7 * 86400.0
_NO_SUCH_TASK = "qavix-watch-check"


@dataclass(slots=True)
class Talk:
    """What was learnt on the way. `skew`: seconds that the service's clock is ahead of this one."""

    client: Client | None = None
    skew: float | None = None
    findings: list[Finding] = field(default_factory=list)
    right: list[str] = field(default_factory=list)

    def date(self, at: float) -> None:
        """The service says that it is `at`. The first time counts."""
        if self.skew is None:
            self.skew = at - time.time()


def service(case: Case) -> Iterator[Finding]:
    """Reachability, key, clock, balance, paths."""
    talk = Talk()
    try:
        asyncio.run(_all(case, talk))
    except ConfigError as error:
        yield of_error(error)
    yield from talk.findings


async def _all(case: Case, talk: Talk) -> None:
    api = case.settings.api
    client = talk.client = Client(
        api.base_url, key=case.key, paths=api.paths, timeout=min(api.timeout, PATIENCE_SECONDS), ca_file=api.ca_file,
        monotonic=time.monotonic, on_date=talk.date,
    )
    try:
        if case.key is None:
            talk.findings.append(warning("The service was not asked: there is no API key.", "See the key above."))
        elif await _reached(case, talk, client):
            await _paths(talk, client, api.paths)
    finally:
        await client.close()


async def _reached(case: Case, talk: Talk, client: Client) -> bool:
    """Ask for the balance, by which everything else is seen; whether it makes sense to go on."""
    began = time.monotonic()
    try:
        balance = await patient(client.get_balance)
    except (Unreachable, AuthenticationRefused) as error:
        talk.findings += [_no_answer(case, error), *_clock(talk.skew)]
        talk.findings.append(warning("The paths of the API were not tried.", "They are, once the service answers and takes the key."))
        return False
    except ApiError as error:
        talk.findings += [*_clock(talk.skew), of_read("get_balance", error)]
        return True
    talk.findings.append(ok(f"{case.settings.api.base_url} answers after {time.monotonic() - began:.2f} s, and takes the key."))
    talk.findings += [*_clock(talk.skew), _balance(balance)]
    talk.right.append("get_balance")
    return True


def _no_answer(case: Case, error: QavixWatchError) -> Finding:
    url = case.settings.api.base_url
    if isinstance(error, AuthenticationRefused):
        return problem(f"{url} answers, and does not take the key: {error}", error.hint)
    return problem(f"{url} is not reached. {error}", error.hint)


def _clock(skew: float | None) -> Iterator[Finding]:
    if skew is None:
        return
    if abs(skew) <= WRONG_SECONDS:
        yield ok(f"The clock of this machine agrees with the service's (within {max(1, round(abs(skew)))} s).")
        return
    way = "behind" if skew > 0 else "ahead of"
    yield warning(
        f"The clock of this machine is {amounts.duration(abs(skew))} {way} the service's ({round(abs(skew))} s).",
        "Due times are counted by the service's clock, so that nothing goes wrong; set this one right: sudo timedatectl set-ntp true",
    )


def _balance(balance: Balance) -> Finding:
    plan = f", plan {balance.plan}" if balance.plan else ""
    rates = {"a minute": balance.requests_per_minute, "a second": balance.queries_per_second}
    limits = [f"{number} {unit}" for unit, number in rates.items() if number]
    text = f"{amounts.money(balance.credits_remaining)} left{plan}{'; requests: ' + ', '.join(limits) if limits else ''}."
    left = None if balance.expires_at is None else balance.expires_at - time.time()
    if balance.credits_remaining <= 0:
        return warning(text, "Nothing can be submitted until the account has credits.")
    if left is not None and left < _WEEK:
        ends = "have expired" if left < 0 else f"expire in {amounts.duration(left)}"
        return warning(f"{text[:-1]}; they {ends}.", "Use them before, or ask Qavix.")
    return ok(text)


async def _paths(talk: Talk, client: Client, overrides: dict[str, str]) -> None:
    reads: dict[str, Callable[[], Awaitable[object]]] = {
        "usage_history": lambda: client.usage_history(limit=1),
        "pricing": client.pricing,
        "list_voices": client.list_voices,
    }
    found = [_read(talk, operation, ask) for operation, ask in reads.items()]
    empty = [_empty(talk, client, operation) for operation, row in endpoints(overrides).items() if row.method == "POST"]
    await asyncio.gather(_tasks(talk, client), *found, *empty)
    if talk.right:
        in_order = [operation for operation in endpoints({}) if operation in talk.right]
        talk.findings.append(ok(f"Answered as the reference says, at no cost: {', '.join(in_order)}."))
    talk.findings.sort(key=lambda finding: finding.level is Level.OK and finding.text.startswith("Answered"))


async def _read(talk: Talk, operation: str, ask: Callable[[], Awaitable[object]]) -> object:
    """Really read something; what came, None where nothing did."""
    try:
        answer = await patient(ask)
    except QavixWatchError as error:
        talk.findings.append(of_read(operation, error))
        return None
    talk.right.append(operation)
    return answer


async def _tasks(talk: Talk, client: Client) -> None:
    """List Tasks, and Get Task of one that there is: of one that there is not, "not found" would say nothing of the path."""
    page = await _read(talk, "list_tasks", lambda: client.list_tasks(limit=1))
    tasks = getattr(page, "tasks", ())
    if tasks:
        await _read(talk, "get_task", lambda: client.get_task(tasks[0].task_id))
        return
    try:
        await patient(lambda: client.get_task(_NO_SUCH_TASK))
    except QavixWatchError as error:
        talk.findings.append(of_read("get_task", error, made_up=True))
    else:
        talk.findings.append(problem("get_task: a task that there is not was answered with success.", "Compare `api.paths.get_task`."))


async def _empty(talk: Talk, client: Client, operation: str) -> None:
    refusal: QavixWatchError | None = None
    try:
        await patient(lambda: client.send_empty(operation))
    except QavixWatchError as error:
        refusal = error
    verdict = of_empty(operation, refusal)
    if verdict.level is Level.OK:
        talk.right.append(operation)
    else:
        talk.findings.append(verdict)


async def patient(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask; once more where the service wants a few seconds' pause, which a service that works beside this may cause."""
    try:
        return await ask()
    except RateLimited as error:
        wait = error.retry_after if error.retry_after is not None else 1.0
        if wait > LONGEST_WAIT_SECONDS:
            raise
        await asyncio.sleep(wait + 0.1)
        return await ask()
