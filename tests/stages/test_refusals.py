"""Refusals: of what was asked, or of where it was asked; and tasks that the service does not know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from qavix_watch.core.lifecycle import JobState
from qavix_watch.core.outcomes import Brake, Done, Fail, Retry
from qavix_watch.errors import InvalidRequest, NotFound, PermissionRefused, RateLimited, UnexpectedAnswer
from qavix_watch.stages.answers import about_the_path, refused
from qavix_watch.stages.follow import knows_any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.world import World

ORDER = "dub en to es"


def not_found(operation: str, kind: str = "not_found", code: str = "") -> NotFound:
    return NotFound("not there", operation=operation, status=404, type=kind, code=code)


@pytest.mark.parametrize(
    ("error", "path"),
    [
        (not_found("list_tasks"), True),
        (not_found("get_task"), False),
        (not_found("get_task", code="task_not_found"), False),
        (not_found("get_task", code="unknown_path"), True),
        (not_found("get_task", kind=""), True),
        (not_found("refresh_url", code="file_not_found"), False),
        (not_found("confirm_upload", code="route_missing"), True),
        (UnexpectedAnswer("not allowed", operation="get_task", status=405), True),
        (UnexpectedAnswer("a page", operation="pricing", status=200), True),
        (PermissionRefused("read only", operation="smart_eraser", status=403), True),
        (RateLimited("slow down", operation="pricing", retry_after=1.0), False),
    ],
)
def test_what_is_asked_for_by_an_id_may_be_gone_and_what_is_not_has_another_path(error: Any, path: bool) -> None:
    assert about_the_path(error) is path


def job(**changes: Any) -> Any:
    given = {"task": "video_translation", "params": {"source_language": "en"}, "text": None, "reuploads": 0, "posted": 0, "inputs": ()}
    return SimpleNamespace(**{**given, **changes})


def refusal(param: str, operation: str = "video_translation") -> InvalidRequest:
    return InvalidRequest("not so", operation=operation, status=400, param=param)


@pytest.mark.parametrize("param", ["audio_url", "body.audio_url", "text", "file_id"])
def test_a_refusal_that_names_what_this_operation_is_never_asked_comes_from_another(param: str) -> None:
    said = refused(job(), refusal(param), 0.0)
    assert isinstance(said, Brake)
    assert (said.name, said.scope) == ("api", "video_translation")
    assert "[api.paths] video_translation" in said.hint


@pytest.mark.parametrize("param", ["", "source_language", "name", "callback_url"])
def test_a_refusal_of_what_was_asked_fails_the_job(param: str) -> None:
    assert refused(job(), refusal(param), 0.0) == Fail("the service refused it: not so", refused_by="video_translation")


def test_a_refusal_of_the_text_that_is_to_be_spoken_fails_the_job() -> None:
    said = refused(job(task="text_to_speech", text="Good day"), refusal("text", "text_to_speech"), 0.0)
    assert isinstance(said, Fail)


def test_a_refusal_of_a_url_asks_for_a_new_one() -> None:
    said = refused(job(), refusal("video_url"), 0.0)
    assert isinstance(said, Done)
    assert said.to is JobState.SUBMITTING


class Forgetful:
    """A service that knows only some tasks."""

    def __init__(self, *known: str) -> None:
        self.known = known
        self.asked: list[str] = []

    async def get_task(self, task_id: str) -> None:
        self.asked.append(task_id)
        if task_id not in self.known:
            raise not_found("get_task")


@pytest.fixture
def followed(world: World, video: Callable[..., bytes]) -> World:
    """Three tasks, each of which is to be asked for."""
    for number in range(3):
        world.drop(ORDER, f"clip {number}.mp4", video())
    world.notice()
    world.through("follow", "look")
    world.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET due = 0, task_id = 'task ' || id"))
    return world


def ask(world: World, *known: str) -> Forgetful:
    api = Forgetful(*known)
    world.with_ports(api=api)
    return api


def test_one_task_that_is_not_known_among_others_that_are_is_lost(followed: World) -> None:
    api = ask(followed, "task 3")
    assert isinstance(followed.step("look"), Retry)
    assert api.asked == ["task 1", "task 3"]


def test_where_no_task_is_known_it_is_another_account(followed: World) -> None:
    """Once that is known, the others are not asked for it."""
    api = ask(followed)
    said = followed.step("look")
    assert isinstance(said, Brake)
    assert said.name == "account"
    assert "api.account" in said.hint
    assert len(api.asked) == 3
    assert isinstance(followed.step("look"), Brake)
    assert len(api.asked) == 4


def test_a_single_task_is_asked_for_twice_before_it_is_another_account(followed: World) -> None:
    ask(followed)
    followed.act(lambda tx: tx.work._connection.execute("UPDATE jobs SET task_id = NULL, state = 'cancelled' WHERE id > 1"))
    assert isinstance(followed.step("look"), Retry)
    followed.later(120)
    assert isinstance(followed.step("look"), Brake)


def test_an_account_that_a_person_approved_has_lost_what_was_submitted_before(followed: World) -> None:
    ask(followed)
    followed.step("look")
    assert followed.act(lambda tx: tx.brakes.approve_account(followed.clock.now()))
    assert not followed.act(lambda tx: tx.brakes.approve_account(followed.clock.now()))
    assert isinstance(followed.step("look"), Retry)


def test_a_task_that_is_asked_for_at_a_wrong_path_is_not_lost(followed: World) -> None:
    class Elsewhere(Forgetful):
        async def get_task(self, task_id: str) -> None:
            raise not_found("get_task", code="unknown_path")

    followed.with_ports(api=Elsewhere())
    said = followed.step("look")
    assert isinstance(said, Brake)
    assert (said.name, said.scope) == ("api", "get_task")


def test_an_account_without_tasks_says_nothing(world: World) -> None:
    assert world.run(knows_any(world.ports, "")) is None
