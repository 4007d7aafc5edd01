"""api.endpoints: one table, and overrides that cannot lead elsewhere."""

from __future__ import annotations

import pytest

from qavix_watch.api.endpoints import CREATING, TABLE, endpoints
from qavix_watch.errors import ConfigError
from tests.contract.contract import operations


def test_the_table_has_the_sixteen_operations_of_the_reference() -> None:
    assert len(TABLE) == 16
    assert {row.method for row in TABLE.values()} == {"GET", "POST"}
    assert [name for name, row in TABLE.items() if row.takes_id] == ["get_task"]
    assert set(TABLE) > CREATING


def test_methods_and_paths_are_those_of_the_contract() -> None:
    assert {name: (row.method, row.path) for name, row in TABLE.items()} == {
        name: (method, path) for name, (method, path, _) in operations().items()
    }


def test_an_override_changes_its_own_row_alone() -> None:
    table = endpoints({"list_voices": "/v2/voices", "get_task": "/v2/t/{task_id}/full"})
    assert table["list_voices"].path == "/v2/voices"
    assert table["get_task"].target("7") == "/v2/t/7/full"
    assert {name for name in TABLE if table[name] != TABLE[name]} == {"list_voices", "get_task"}


def test_an_unknown_operation_is_refused_with_the_nearest_and_all_valid_ones() -> None:
    with pytest.raises(ConfigError, match="Did you mean `list_voices`") as caught:
        endpoints({"list_voice": "/x"})
    assert all(name in caught.value.hint for name in TABLE)


@pytest.mark.parametrize(
    "path", ["voices", "", "//evil.test/voices", "/a b", "/a\n", "/a?b=c", "/a#b", "/a/../b", "/.", "/ä", "/a\\b", "/{x}", "/" + "a" * 600]
)
def test_a_path_that_cannot_be_one_is_refused_with_its_key_and_the_default(path: str) -> None:
    with pytest.raises(ConfigError, match=r"api\.paths\.list_voices") as caught:
        endpoints({"list_voices": path})
    assert "/voices" in caught.value.hint


@pytest.mark.parametrize("path", ["/tasks", "/tasks/{id}", "/{task_id}/{task_id}"])
def test_the_task_id_stands_in_the_path_of_get_task_exactly_once(path: str) -> None:
    with pytest.raises(ConfigError, match="task_id"):
        endpoints({"get_task": path})


@pytest.mark.parametrize(("task_id", "path"), [
    ("551", "/tasks/551"), ("a/b?c#d", "/tasks/a%2Fb%3Fc%23d"), ("..", "/tasks/%2E%2E"), (".", "/tasks/%2E"),
    ("a.b", "/tasks/a.b"), ("é", "/tasks/%C3%A9"), ("\udcff", "/tasks/%3F"), ("", "/tasks/"),
])
def test_no_task_id_leads_to_another_path(task_id: str, path: str) -> None:
    assert TABLE["get_task"].target(task_id) == path
