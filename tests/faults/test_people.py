"""What breaks costs time and nothing else: people."""

from __future__ import annotations

from tests.faults import people
from tests.faults.playing import each_of

test_what_breaks_costs_time_and_nothing_else = each_of(people)
