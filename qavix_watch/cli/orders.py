"""Reading the order of a folder that lies on disk, as the service would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qavix_watch.core.grammar import is_order_shaped
from qavix_watch.core.layout import folders_down, join, name_of
from qavix_watch.core.naming import display
from qavix_watch.errors import NestedOrder
from qavix_watch.fs.disk import Disk
from qavix_watch.stages.order import read_folder_order

if TYPE_CHECKING:
    from qavix_watch.core.order import Order
    from qavix_watch.core.rules import Rules


def order_at(rules: Rules, folder: bytes, place: bytes) -> Order:
    """What is asked of the files in `place`, which is the order's folder `folder` or lies below it; both relative to the inbox.

    OrderError where that is no order; its kinds OptionsError and NestedOrder where a qavix.toml or a folder inside is at fault.
    """
    inner = join(place, b"x")
    for level in folders_down(folder, inner)[1:]:
        if is_order_shaped(text_of(name_of(level)), rules.words):
            raise NestedOrder(display(name_of(level)), display(name_of(folder)))
    return read_folder_order(Disk(), rules, folder, inner)


def text_of(name: bytes) -> str:
    """A folder's name as the grammar reads it."""
    return name.decode("utf-8", "surrogateescape")
