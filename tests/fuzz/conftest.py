"""Fuzzing of all readers: a few seconds from fixed seeds, or for hours with `nox -s fuzz`.

Without hypothesis only the package's dependencies are installed, and no module of this folder is collected.
"""

import os

try:
    from hypothesis import HealthCheck, settings
except ImportError:
    collect_ignore_glob = ["test_*.py"]
else:
    settings.register_profile(
        "ci",
        max_examples=60,
        derandomize=True,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile(
        "hours",
        max_examples=int(os.environ.get("NUMPYCLIP_FUZZ_EXAMPLES", "20000")),
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
