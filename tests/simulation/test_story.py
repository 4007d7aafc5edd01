"""A story is short: what repeats itself is told once, and what differs is not."""

from __future__ import annotations

from tests.simulation.choices import Tape
from tests.simulation.story import Line, Said, decisions, told


def lines(*acts: str) -> list[Line]:
    return [Line(float(at), "A", act) for at, act in enumerate(acts)]


def test_each_thing_is_a_line_with_its_time_and_its_host() -> None:
    assert told([Line(0.0, "people", "drop clip.mp4"), Line(12.3456, "A1", "starts")]) == (
        "     0.000  people  drop clip.mp4\n    12.346  A1      starts"
    )


def test_what_repeats_itself_is_told_once_with_its_number_and_its_end() -> None:
    text = told(lines("look", "look", "look", "look", "dies"))
    assert text.splitlines() == ["     0.000  A  look", "               … that 4 times, until 3.000", "     4.000  A  dies"]


def test_two_of_a_kind_are_both_shown() -> None:
    assert told(lines("POST", "POST", "dies")).count("POST") == 2


def test_a_refrain_of_several_lines_is_told_once() -> None:
    text = told(lines("starts", *["ask", "wait", "look"] * 5, "dies"))
    assert [line[15:] for line in text.splitlines()] == ["starts", "ask", "wait", "look", "… these 3 5 times, until 15.000", "dies"]


def test_what_another_does_is_another_thing() -> None:
    told_by_two = told([Line(0.0, "A", "look"), Line(0.0, "B", "look"), Line(0.0, "A", "look"), Line(1.0, "B", "dies")])
    assert told_by_two.count("look") == 3


def test_nothing_is_lost_but_repeats() -> None:
    acts = [str(number % 7) for number in range(50)]
    assert told(lines(*acts)).count("\n") == 49


def test_decisions_are_told_by_stream_and_thousands_of_them_are_only_counted() -> None:
    assert decisions(Tape({("death A", 412): 2, ("death A", 9): 1, ("order", 0): 1})) == "death A[9] = 1, [412] = 2\norder[0] = 1"
    assert decisions(Tape({("order", ordinal): 1 for ordinal in range(1_000)})) == "1000 decisions were not 0"
    assert decisions(Tape()) == "no decision: it is the quiet life"


def test_acts_on_data_and_the_status_file_are_left_out_unless_they_fail() -> None:
    acts = ["write /a/part", "fsync /a/part", "rename /a/part → /a/clip", "fsync of the directory /a", "create /.qavix-status"]
    assert told(lines(*acts)) == "     2.000  A  rename /a/part → /a/clip"
    assert "fsync of /a/part fails: EIO" in told(lines("fsync of /a/part fails: EIO"))


def test_what_is_committed_in_one_instant_is_one_line() -> None:
    told_at_once = told([Line(1.0, "A", "commits claim"), Line(1.0, "A", "commits outcome, outcome"), Line(2.0, "A", "commits claim")])
    assert [line[15:] for line in told_at_once.splitlines()] == ["commits claim; outcome, outcome", "commits claim"]


def test_values_of_the_log_are_told_as_people_write_them_and_traced_as_they_are() -> None:
    said = Said({"new": "done", "path": b"dub/clip.mp4", "job": 1})
    assert f"{said}" == "new done, path dub/clip.mp4, job 1"
    assert repr(said) == repr({"new": "done", "path": b"dub/clip.mp4", "job": 1})
