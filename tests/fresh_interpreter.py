"""What code imports, in an interpreter of its own."""

import subprocess
import sys


def modules_after(code: str) -> set[str]:
    """Return the names of all modules that a fresh interpreter has after some code."""
    program = f"{code}\nimport sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(found.stdout.split())
