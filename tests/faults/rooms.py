"""All faults, in the order of the table."""

from __future__ import annotations

from tests.faults import disk, fault, network, people, process, service, state

ROOMS = [room.__name__ for room in (process, disk, state, network, service, people)]
FAULTS = sorted(fault.FAULTS, key=lambda fault: ROOMS.index(fault.play.__module__))
