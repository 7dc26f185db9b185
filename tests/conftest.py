"""Settings that every test shares."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# Deterministic by default, so that a red run is red again; `HYPOTHESIS_PROFILE=explore` looks further.
settings.register_profile(
    "ci", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# A shell starts what runs in the background with Ctrl-C ignored; the tests of interrupts are about it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
