"""The most memory this process ever held."""

import sys
from pathlib import Path

_PROCESS_STATUS = Path("/proc/self/status")
_KIBIBYTE = 1024


def peak_resident_bytes() -> int:
    """Highest resident memory so far, bytes."""
    # getrusage would also count the parent, whose pages a new process briefly shares; VmHWM starts with the process.
    if _PROCESS_STATUS.exists():
        line = next(line for line in _PROCESS_STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * _KIBIBYTE
    import resource  # noqa: PLC0415 - not on every system

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIBIBYTE
