"""What to say of a path in the inbox: the rule that ignores it, the order it falls under, or what its drop is waiting for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from qavix_watch.cli import judging
from qavix_watch.cli.orders import order_at
from qavix_watch.core.ignore import is_companion, media_kind, rule_against, shadowed
from qavix_watch.core.layout import join, name_of, parent
from qavix_watch.core.naming import display
from qavix_watch.errors import FileError, FileGone, OrderError
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.notes import wrong_kind

if TYPE_CHECKING:
    from qavix_watch.cli.judging import Answer, Case
    from qavix_watch.core.files import Stat
    from qavix_watch.core.order import Order

    Row = dict[str, Any]
