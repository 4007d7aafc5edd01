"""Generations: the same work, tried anew. Its key is kept where the service never made a task of it; a failed task needs a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qavix_watch.core import identity
from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.tasks import TaskType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qavix_watch.core.records import Job
    from qavix_watch.core.rules import Rules
    from qavix_watch.ports.state import Tx

MOST_GENERATIONS = 3
"""So many tasks of one content that fail running are made without asking a person."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One job that a drop asks for, before it is known whether it exists already."""

    account: str
    task: TaskType
    params: Mapping[str, Any]
    inputs: tuple[str, ...]
    values: Mapping[str, Any]

    def identity(self, generation: int) -> str:
        """What makes it the same work as another."""
        return identity.identity(self.account, self.task, self.params, self.inputs, generation)

    def key(self, generation: int) -> str:
        """The idempotency key of one generation."""
        return identity.idempotency_key(self.identity(generation))


_OF_THE_WORK = ("task", "operation", "canonical", "source", "language", "stem", "params_json", "text", "main_sha256", "partner_sha256")


def plan_of(rules: Rules, job: Job) -> Plan:
    """The plan that a job was made by. Its token is that of the job: it is as hard to guess, and tells of the same work."""
    inputs = tuple(sha256 for sha256 in (job.main_sha256, job.partner_sha256) if sha256 is not None)
    values = {name: getattr(job, name) for name in _OF_THE_WORK}
    return Plan(rules.account, TaskType(job.task), job.params, inputs, {**values, "token": job.token})


def failed_there(job: Job) -> bool:
    """Whether the service made a task of it, and that failed: its key would only give the failed task back."""
    return job.state is JobState.FAILED and job.task_id is not None and job.task_status != "completed"


def ensure(tx: Tx, plan: Plan, priority: int, now: float, held: str = "") -> int:
    """The id of the job for a plan: the newest generation there is, or a new one. `held`: why it is to wait for a person."""
    newest = tx.jobs.newest(plan.identity(1))
    if newest is not None and not failed_there(newest):
        tx.jobs.join(newest, priority, held=bool(held), now=now)
        return newest.id
    failures = 0 if newest is None else tx.jobs.failures(newest.identity)
    if failures >= MOST_GENERATIONS:
        held = held or held_for_failing(failures)
    return begin(tx, plan, priority, now, held)


def held_for_failing(failures: int) -> str:
    """Why work waits for a person that failed so often."""
    return f"it failed {failures} times already; approve it to try once more"


def begin(tx: Tx, plan: Plan, priority: int, now: float, held: str = "", why: str = "ordered") -> int:
    """The id of a new generation, the next after the newest."""
    first = plan.identity(1)
    newest = tx.jobs.newest(first)
    generation = 1 if newest is None else newest.generation + 1
    values = {**plan.values, "identity": first, "key": plan.key(generation), "generation": generation, "priority": priority}
    number: int = tx.jobs.add(values, JobState.HELD if held else JobState.READY, now, held or why)
    return number
