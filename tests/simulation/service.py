"""The simulated Qavix service, written from the contract alone: what everybody may ask of it, and the ledger that the laws are held to.

Requests come in by `api` and `transfers`, the ports of one start of the program. One that has left is carried out, whatever becomes of
its host; what goes wrong on the way is the weather's.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from tests.simulation.accounts import Account
from tests.simulation.afterwards import afterwards
from tests.simulation.api import SimulatedApi
from tests.simulation.asking import TASK_TYPES
from tests.simulation.callbacks import Callbacks
from tests.simulation.factory import Factory
from tests.simulation.refusals import Refusal
from tests.simulation.results import ResultHost
from tests.simulation.storage import Storage
from tests.simulation.transfers import SimulatedTransfers
from tests.simulation.weather import Weather

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from tests.simulation.accounts import Clone, SimTask
    from tests.simulation.gifts import Work
    from tests.simulation.machines import Machine
    from tests.simulation.weather import Fate
    from tests.simulation.world import World

COUNTED = (
    *(f"completed: {task_type}" for task_type in sorted(TASK_TYPES.values())),
    "401", "402", "403", "404 path", "429", "5xx", "5xx after the work", "callback before the answer", "callback forged",
    "callback late", "callback lost", "callback twice", "file forgotten", "grant expired", "key seen before", "late request",
    "link expired", "lost answer", "lost request", "no output yet", "result cut short", "result expired", "result host in trouble",
    "result is a page", "result larger than said", "result made anew", "result not whole yet", "result resumed", "slow answer",
    "storage in trouble", "storm: no service", "storm: the account", "storm: the form", "storm: the key", "storm: the path",
    "task failed", "topped up",
    "upload cut", "upload known already", "upload not known again", "voice cloned", "voice of that name by somebody else", "wrong shape",
)  # fmt: skip
"""What every run of many lives has to have met."""
MINUTE = 60.0
CREDITS = (100_000, 4_000, 200, 60)
PLENTY = 1_000_000
TOP_UP = (20.0, 5.0, 300.0)


class Service:
    """The service. `calls` counts the requests that arrived, by operation; `callback` is called with an address and a body."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.weather = Weather(world)
        self.storage = Storage(world)
        self.results = ResultHost(world)
        self.factory = Factory(world, self.results, Callbacks(world, self._post))
        self.account = Account(world, "ours", world.one_of("credits", CREDITS), self.storage, self.factory, self._short)
        self._other = Account(world, "another", 0, self.storage, self.factory, lambda: None)
        self.account.populate()
        self.callback: Callable[[str, bytes], None] = lambda _url, _body: None
        self.calls: Counter[str] = Counter()
        self._lately: deque[float] = deque()
        self._topping_up = False
        self._mended = False

    def api(self, machine: Machine, on_date: Callable[[float], None] | None = None) -> SimulatedApi:
        """The `Api` of one start of the program. `on_date` is told the service's own time with each answer."""
        return SimulatedApi(self, machine, on_date)

    def transfers(self, machine: Machine) -> SimulatedTransfers:
        """The `Transfers` of one start of the program."""
        return SimulatedTransfers(self._world, self.storage, self.results, machine)

    # The ledger

    @property
    def tasks(self) -> dict[str, SimTask]:
        """Every task that this world's programs were billed for, by id."""
        return {number: task for number, task in self.account.tasks.items() if task.ours}

    def by_work(self) -> dict[Work, list[SimTask]]:
        """The same, by the piece of work that they are."""
        found: dict[Work, list[SimTask]] = {}
        for task in self.tasks.values():
            found.setdefault(task.work, []).append(task)
        return found

    @property
    def voices(self) -> list[Clone]:
        """Every voice that was cloned and billed."""
        return self.account.clones

    @property
    def voice_ids(self) -> dict[str, list[str]]:
        """The ids of all voices by their names, of which two may be the same."""
        ids: dict[str, list[str]] = {}
        for voice in self.account.voices:
            ids.setdefault(voice.name, []).append(voice.voice_id)
        return ids

    @property
    def uploads(self) -> Counter[str]:
        """How often storage took a whole body, by its SHA-256."""
        return self.storage.uploads

    @property
    def bill(self) -> int:
        """Credits that were billed and not given back."""
        return sum(task.credits for task in self.tasks.values()) + sum(clone.credits for clone in self.voices)

    @property
    def refused(self) -> set[str]:
        """The SHA-256 of inputs of which a link was refused at a submit, and the keys of requests for a voice that the account has not.

        An account that is another for a while has no voices that were cloned in the right one.
        """
        return self.account.refused | self._other.refused

    def whole_results(self) -> set[bytes]:
        """The SHA-256 of every whole result that was ever made."""
        return self.results.whole

    # What people and time do to it

    def mend(self) -> None:
        """From now on all is as the contract has it: no storms, credits enough, links that live, tasks that end."""
        self._mended = True
        self.weather.calm()
        self.account.credits += PLENTY
        self.storage.mend()
        self.results.mend()
        self.factory.mend()

    def _post(self, url: str, body: bytes) -> None:
        self.callback(url, body)

    def _short(self) -> None:
        """Somebody pays, some time later."""
        if not self._topping_up:
            self._topping_up = True
            afterwards(self._world, self._world.one_of("top-up", TOP_UP), self.top_up)

    def top_up(self) -> None:
        """There are credits again."""
        self._topping_up = False
        self.account.credits += PLENTY
        self._world.tell("service", "has %d credits now", self.account.credits)
        self._world.counters.count("topped up")

    def somebody_clones(self, name: str) -> None:
        """Another program of the same account clones a voice."""
        self.account.add_voice(name)

    # Requests

    def exchange(self, operation: str, act: Callable[[Account], Any], patience: float) -> Future[Any]:
        """Send a request. Its future gives a value of `core.service`, or the Refusal or the Lost that came in place of one."""
        fate = self.weather.fate(operation, patience)
        answer = self._world.loop.create_future()
        if fate.arrives:
            afterwards(self._world, fate.travel, self._arrive, fate, operation, act, answer)
        if fate.lost is not None:
            afterwards(self._world, fate.lost.after, _settle, answer, fate.lost)
        return answer

    def _arrive(self, fate: Fate, operation: str, act: Callable[[Account], Any], answer: Future[Any]) -> None:
        self.calls[operation] += 1
        try:
            said = self._said(fate, act)
        except Refusal as refusal:
            said = refusal
            self._world.tell("service", "refuses %s: %s", operation, refusal)
        if fate.lost is None:
            afterwards(self._world, fate.back, _settle, answer, said)

    def _said(self, fate: Fate, act: Callable[[Account], Any]) -> Any:
        if fate.refusal is not None:
            raise fate.refusal
        self._keep_limits()
        said = act(self._other if self.weather.account_is_another else self.account)
        if fate.spoilt is not None:
            raise fate.spoilt
        return said

    def _keep_limits(self) -> None:
        """Reference, `rate_limits`: so many requests a minute, whoever makes them."""
        most = self.account.most_a_minute
        if most is None or self._mended:
            return
        now = self._world.now()
        while self._lately and self._lately[0] <= now - MINUTE:
            self._lately.popleft()
        if len(self._lately) >= most:
            self._world.counters.count("too many calls")
            raise self.weather.too_many(MINUTE - (now - self._lately[0]))
        self._lately.append(now)


def _settle(answer: Future[Any], said: object) -> None:
    if not answer.done():
        answer.set_result(said)
