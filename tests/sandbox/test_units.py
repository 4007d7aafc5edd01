"""The sandbox's pure parts: limits, prices, signatures, subtitles, operation names."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from starlette.datastructures import QueryParams

from qavix_watch import sandbox
from qavix_watch.sandbox import subtitles
from qavix_watch.sandbox.limits import RateLimiter
from qavix_watch.sandbox.operations import OPERATIONS, TASK_TYPES, operation_of
from qavix_watch.sandbox.prices import price, pricing_table, speech_seconds
from qavix_watch.sandbox.problems import ApiError, StorageError
from qavix_watch.sandbox.signing import Signer
from tests.contract.contract import document, operations


def test_the_table_of_operations_is_the_contracts() -> None:
    assert {name: (method, path) for name, (method, path, _) in operations().items()} == OPERATIONS
    assert list(TASK_TYPES) == document()["components"]["schemas"]["TaskType"]["enum"]


def test_every_operation_is_named_by_its_method_and_path() -> None:
    for name, (method, path) in OPERATIONS.items():
        assert operation_of(method, "/qavix" + path.replace("{task_id}", "551")) == name
    assert operation_of("POST", "/qavix/tasks/551") == "unknown"
    assert operation_of("HEAD", "/results/551/x.mp4") == "result_get"


def test_the_sandbox_imports_nothing_of_ours() -> None:
    """It is an independent reading of the contract."""
    for path in Path(sandbox.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            ours = [name for name in names if name.startswith("qavix_watch") and not name.startswith("qavix_watch.sandbox")]
            assert ours == [], path.name


def test_a_window_slides_and_refused_calls_do_not_count() -> None:
    now = 0.0
    limiter = RateLimiter(per_minute=3, per_second=2, clock=lambda: now)
    limiter.admit()
    now = 0.9
    limiter.admit()
    for _ in range(5):
        with pytest.raises(ApiError) as refused:
            limiter.admit()
    assert refused.value.headers == {"Retry-After": "1"}
    now = 1.0
    limiter.admit()
    now = 30.0
    with pytest.raises(ApiError) as refused:
        limiter.admit()
    assert refused.value.headers == {"Retry-After": "30"}


@pytest.mark.parametrize(("seconds", "billed"), [(0, 60), (1, 60), (60, 60), (60.1, 120), (3600, 3600)])
def test_a_started_minute_is_a_whole_one(seconds: float, billed: int) -> None:
    assert price("video_translation", seconds) == billed


def test_prices_know_languages_with_regions() -> None:
    assert price("video_translation", 10, "ja_JP") == price("video_translation", 10, "ja") == 72
    assert {row["task_type"] for row in pricing_table()} == set(TASK_TYPES)


def test_speech_takes_a_second_at_least() -> None:
    assert (speech_seconds("Hi"), speech_seconds("x" * 900)) == (1.0, 60.0)


def _query(url: str) -> QueryParams:
    return QueryParams(url.partition("?")[2])


def test_a_signature_binds_path_purpose_and_what_is_allowed() -> None:
    signer = Signer(b"secret")
    url, _ = signer.url("http://x", "/a", "grant", 60, "video/mp4")
    signer.check("/a", _query(url), "grant", "video/mp4")
    for path, purpose, allowed in (("/b", "grant", "video/mp4"), ("/a", "file", "video/mp4"), ("/a", "grant", "text/html")):
        with pytest.raises(StorageError, match="signature"):
            signer.check(path, _query(url), purpose, allowed)
    with pytest.raises(StorageError, match="expired"):
        signer.check("/a", _query(signer.url("http://x", "/a", "file", 0)[0]), "file")


def test_expiring_all_spares_what_comes_later() -> None:
    signer = Signer(b"secret")
    old, _ = signer.url("http://x", "/a", "file", 60)
    signer.expire_all("file")
    new, _ = signer.url("http://x", "/a", "file", 60)
    with pytest.raises(StorageError, match="expired"):
        signer.check("/a", _query(old), "file")
    signer.check("/a", _query(new), "file")


def test_subtitles_cover_the_film_and_never_run_over_it() -> None:
    lines = list(subtitles.lines("de-AT", 7.0))
    assert [start for start, _, _ in lines] == [0.0, 3.0, 6.0]
    assert lines[-1][1] == 7.0
    assert "Untertitel" in lines[1][2]
    assert "[tlh]" in subtitles.srt("tlh", 1)
    assert subtitles.srt("en", 3601).splitlines()[-2] == "01:00:00,000 --> 01:00:01,000"
