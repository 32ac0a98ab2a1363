"""How the collector of cycles goes about a process that serves."""

import gc
from typing import Final

_YOUNG: Final = 50_000
_MIDDLE: Final = 20
_OLD: Final = 50


def settle() -> None:
    """To be called once all is loaded: what was made until now stays, and is never looked through again.

    Calls leave next to no cycles behind, and what is kept of each goes within seconds, so the young are looked through
    seldom: at Python's own thresholds that took an eighth of a proxy's time, in pauses of up to 60 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
