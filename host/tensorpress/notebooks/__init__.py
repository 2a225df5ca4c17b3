# SPDX-License-Identifier: Apache-2.0
"""Notebooks for the board: ``pynq get-notebooks tensorpress`` copies them (entry point ``pynq.notebooks``)."""
