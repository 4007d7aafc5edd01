"""Hostile bytes for everything that reads what others wrote: one module per target, each with `one(data)`.

`python -m tests.fuzz --help` runs them by the million; `test_seeds.py` replays what they found.
"""
