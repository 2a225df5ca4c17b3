# SPDX-License-Identifier: Apache-2.0
"""``python -m tensorpress``."""

from tensorpress.cli import main

main()
