"""Defects of production code that the simulation has to find, each within a stated number of lives.

    planting  how one is planted for the length of a life, and taken out
    paying    work billed twice, sent twice, or for nothing
    keeping   files lost or spoilt
    claiming  leases, fences, transactions
    watching  what is believed of the inbox, the service, the brakes
"""

from __future__ import annotations

from tests.simulation.mutants import claiming, keeping, paying, watching
from tests.simulation.mutants.planting import Mutant, Soil, mutant

MUTANTS: tuple[Mutant, ...] = tuple(
    thing for room in (paying, keeping, claiming, watching) for thing in vars(room).values() if isinstance(thing, Mutant)
)

__all__ = ["MUTANTS", "Mutant", "Soil", "mutant"]
