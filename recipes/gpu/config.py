"""Settings of a training on one GPU."""

from pydantic import Field

from makesomenoise.config import Config
from makesomenoise.training.distillation import DistillConfig
from recipes.gpu.batches import VariationConfig
from recipes.gpu.pieces import PIECE_BYTES

# Mostly those of two and of four passes.
_JUMPS = {12: 0.09, 6: 0.33, 4: 0.06, 3: 0.36, 2: 0.08, 1: 0.08}
_NEW_RATE, _FURTHER_RATE = 1e-3, 5e-4


class GpuTrainingConfig(Config):
    """A run on one GPU.

    Attributes:
        distill_share: share of the time for distillation, which follows flow matching; 1 is distillation alone.
        batch_size: windows of a step.
        codes: length of a window.
        prepared: batches that are made at once.
        reuse: how often a window is used, each time with other noise.
        learning_rate: highest rate of AdamW; none: 1e-3 for a new decoder, 5e-4 for one that goes on.
        distill_learning_rate: the same for the distillation.
        warmup_steps: steps over which it rises from 0.
        decay_fraction: share of the time over which it falls as a cosine.
        weight_decay: of AdamW, for matrices.
        grad_clip: largest norm of the gradient.
        ema_decay: decay of the average of the weights.
        distill_ema_decay: the same for the distillation, which takes fewer steps.
        dataset_weights: share of the windows that come from a dataset.
        vary: how windows are varied.
        distill: settings of the distillation.
        save_seconds: time between two checkpoints.
        check_windows: windows that are looked at by each check.
        piece_bytes: largest size of a piece of a checkpoint.
        seed: of all randomness.
        compiled: compile what can be; none: on a GPU.
    """

    distill_share: float = Field(default=0.32, ge=0.0, le=1.0)
    batch_size: int = Field(default=256, ge=1)
    codes: int = Field(default=128, ge=1)
    prepared: int = Field(default=4, ge=1)
    reuse: int = Field(default=2, ge=1)
    learning_rate: float | None = None
    distill_learning_rate: float = 4e-4
    warmup_steps: int = 200
    decay_fraction: float = 0.9
    weight_decay: float = 0.02
    grad_clip: float = 1.0
    ema_decay: float = 0.999
    distill_ema_decay: float = 0.998
    dataset_weights: dict[str, float] = Field(default_factory=lambda: {"esc50": 0.25, "urbansound8k": 0.15})
    vary: VariationConfig = VariationConfig()
    distill: DistillConfig = DistillConfig(batch_size=256, reuse=16, pool=4096, jumps=_JUMPS)
    save_seconds: float = 60.0
    check_windows: int = 64
    piece_bytes: int = PIECE_BYTES
    seed: int = 0
    compiled: bool | None = None

    def rate(self, new: bool) -> float:
        """The highest learning rate for a decoder that is new or goes on."""
        if self.learning_rate is not None:
            return self.learning_rate
        return _NEW_RATE if new else _FURTHER_RATE
