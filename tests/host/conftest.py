# SPDX-License-Identifier: Apache-2.0
"""Settings of hypothesis for the tests of the host package."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "tensorpress", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("tensorpress")
