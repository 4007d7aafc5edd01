"""Somebody who is bound by the rights of files, also where the superuser runs the tests."""

from __future__ import annotations

import os

from tests.support.needs import needed

_READS_ALL = "-dac_override,-dac_read_search"


def unprivileged() -> list[str]:
    """The command that runs another without the superuser's right to read and write everything; none for whoever has no such right."""
    if os.geteuid() != 0:
        return []
    return [needed("setpriv", "util-linux"), f"--bounding-set={_READS_ALL}", f"--inh-caps={_READS_ALL}"]
