"""When uploads are allowed."""

from __future__ import annotations

import pytest

from qavix_watch.core.rules import in_window

NIGHT = (22 * 60, 6 * 60)
DAY = (9 * 60, 17 * 60)


@pytest.mark.parametrize(
    ("minute", "window", "allowed"),
    [
        (0, None, True),
        (22 * 60, NIGHT, True), (0, NIGHT, True), (6 * 60 - 1, NIGHT, True), (6 * 60, NIGHT, False), (12 * 60, NIGHT, False),
        (9 * 60, DAY, True), (17 * 60 - 1, DAY, True), (17 * 60, DAY, False), (0, DAY, False),
    ],
)  # fmt: skip
def test_a_window_may_pass_midnight(minute: int, window: tuple[int, int] | None, *, allowed: bool) -> None:
    assert in_window(minute, window) is allowed
