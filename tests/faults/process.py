"""The program itself: killed, stopped, frozen, twice at once, without memory or descriptors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.faults.fault import fault

if TYPE_CHECKING:
    from tests.faults.trial import Trial

PIECES_A_SITE = 50
"""A site is judged after so many kills with as many pieces of work."""


@fault("kill -9 at a random moment", times=1000, few=12)
def killed(trial: Trial) -> None:
    left = trial.times
    while left:
        with trial.site() as site:
            for _ in range(min(left, PIECES_A_SITE)):
                site.bring()
                time.sleep(trial.dice.uniform(0.0, 1.0))
                site.home.kill()
                site.home.start(ready=trial.dice.random() < 0.8)
                trial.survived()
                left -= 1
