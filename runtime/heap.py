"""The memory of a process that serves: what is given back after the start, and how cycles are collected."""

import ctypes
import gc
from typing import Final

_YOUNG: Final = 50_000
_MIDDLE: Final = 20
_OLD: Final = 50


def settle() -> None:
    """To be called once all is loaded: what was made until now stays, and is never looked through again.

    Calls leave next to no cycles behind, and what is kept of each goes within seconds, so the young are looked through
    seldom: at Python's own thresholds that took an eighth of a proxy's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    _give_back()


def _give_back() -> None:
    """To the system, what loading has freed: the C library of most Linux systems keeps it otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
