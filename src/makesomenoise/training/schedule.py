"""How a learning rate moves over a run: it rises, holds and falls; knows no optimiser."""


def factor(step: int, steps: int, warmup_steps: int, falling: float, least: float) -> float:
    """The rate of a step of a run of `steps`, as a factor of the highest.

    Args:
        step: from 0 on.
        steps: length of the run.
        warmup_steps: steps over which it rises from 0.
        falling: share of the run over which it falls in a straight line; until then a run can be made longer without
            loss.
        least: where it stops falling.
    """
    left = max(steps - step, 0) / max(falling * steps, 1.0)
    return min((step + 1) / max(warmup_steps, 1), max(left, least), 1.0)
