"""Qavix Watch: folders whose names say what is wanted, in front of the Qavix service."""

__version__ = "0.1.0"
