"""How networks in torch are run: without gradients, in the precision of their weights whatever is around the call."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def inference(device: str) -> Iterator[None]:
    """Keeps gradients and autocast, which would change codes, out of what is computed on a device."""
    with torch.inference_mode(), torch.autocast(torch.device(device).type, enabled=False):
        yield
