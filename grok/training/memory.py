"""How memory that tensors give back is kept."""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Options of glibc's mallopt."""


def keep_freed_memory() -> bool:
    """Have the allocator keep what tensors free, for those of the next update.

    By default glibc hands every large block back to the system, which must fill the next one with
    zeros page by page: in updates of a few tens of milliseconds that is a fifth to a third of the
    time (measured). No number depends on it, and the peak of memory stays what it was.

    Returns:
        Whether the allocator took it; no other one than glibc's does.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return False
    # The largest block kept is 32 MB in older versions, which refuse more than that.
    taken = any(mallopt(_MMAP_THRESHOLD, size) for size in (2**30, 2**25))
    return bool(taken and mallopt(_TRIM_THRESHOLD, 2**31 - 1) and mallopt(_TOP_PAD, 2**26))
