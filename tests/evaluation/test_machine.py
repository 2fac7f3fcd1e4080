import os

import torch

from makesomenoise.evaluation.machine import describe_machine


def test_the_machine_is_described():
    machine = describe_machine()
    assert machine["torch"] == torch.__version__
    assert machine["cores"] == os.cpu_count()
    assert machine["commit"] == "unknown" or len(str(machine["commit"])) >= 40
