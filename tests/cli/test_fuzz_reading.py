"""Damaged files and odd options, a few of those of `benchmarks/fuzz_reading.py`, which runs thousands."""

import importlib.util
import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings

PATH = Path(__file__).parents[2] / "benchmarks" / "fuzz_reading.py"
SPEC = importlib.util.spec_from_file_location("fuzz_reading", PATH)
assert SPEC is not None
assert SPEC.loader is not None
fuzz = importlib.util.module_from_spec(SPEC)
sys.modules["fuzz_reading"] = fuzz  # dataclasses look there for their module
SPEC.loader.exec_module(fuzz)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(case=fuzz.cases())
def test_no_file_and_no_option_brings_more_than_a_sentence(case, msn, models, monkeypatch):
    monkeypatch.setenv("PATH", str(models.ours))  # the other program takes its time, and is not everywhere
    fuzz.check(case, msn, models.ours)
