"""Where a measurement was made: commit, processor, versions."""

import os
import platform
from importlib import metadata
from pathlib import Path

import torch

from makesomenoise.checkpoint import source_commit


def describe_machine() -> dict[str, str | int]:
    """What a reader needs to place the figures of a report."""
    return {
        "commit": source_commit(),
        "makesomenoise": metadata.version("makesomenoise"),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
