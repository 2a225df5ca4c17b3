# SPDX-License-Identifier: Apache-2.0
"""Whether the compiled coders can be used. Asking loads numba, which takes about a second: nobody asks before values are coded."""

from __future__ import annotations

import functools
import os


@functools.cache
def have_numba() -> bool:
    """Whether numba can be imported.

    The environment variable ``TENSORPRESS_NO_NUMBA``, if not empty, says no: for short runs that would spend more on loading it.
    """
    if os.environ.get("TENSORPRESS_NO_NUMBA"):
        return False
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True
