"""What a life fails with: a law that was broken, said so that a person sees what, where and with which file."""

from __future__ import annotations


class Violation(AssertionError):
    """A law was broken. Raised by the loop, after the step in which `World.wrong` was told of it."""
