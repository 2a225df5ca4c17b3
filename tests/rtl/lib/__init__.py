# SPDX-License-Identifier: Apache-2.0
"""Drivers, monitors and memories that all RTL tests share."""
