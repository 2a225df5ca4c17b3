# SPDX-License-Identifier: Apache-2.0
"""The command ``tensorpress``. Exit codes: 0 all well, 1 a check failed, 2 wrong usage or input, 3 device error, 130 interrupted."""

from __future__ import annotations

from tensorpress.cli.app import app, main

__all__ = ["app", "main"]
