"""A loss that asks whether a predicted mel looks like the real one to a network that names sounds.

Distances of single values reward the mean of what might be; maps of a trained network also tell textures apart, which
makes samples sharper (Lin and Yang 2024, Diffusion Model with Perceptual Loss). The flow decoder predicts the data
itself, so its predictions can be looked at like this at every time of the path.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from makesomenoise import checkpoint
from makesomenoise.config import Config
from makesomenoise.tokenizer.encoder import SceneConfig, SceneEncoder


class LikenessConfig(Config):
    """Settings of the loss.

    Attributes:
        weight: its weight; 0 leaves it out.
        scene: model folder of the trained scene branch that looks (see `training.encoder`).
    """

    weight: float = 0.0
    scene: str | None = None


class Likeness(nn.Module):
    """Mean difference of the maps of a frozen scene branch, each layer relative to the size of its maps.

    Args:
        folder: model folder of the scene branch.
        n_mels: mel bands M.

    Raises:
        CheckpointError: if the folder holds no scene branch for such a mel.
    """

    def __init__(self, folder: str | Path, n_mels: int):
        super().__init__()
        scene = SceneEncoder(checkpoint.load_config(folder, SceneConfig), n_mels)
        checkpoint.load_into(scene, checkpoint.load_state(folder), str(folder))
        self.layers = scene.trunk.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Likeness":
        """Stays as it is: what looks must not change with what it sees."""
        del mode
        return self

    def forward(self, predicted: Tensor, mel: Tensor) -> Tensor:
        """Loss of normalised log-mels [B, M, T], a scalar, 0 where they are equal."""
        a, b = (x[:, None].contiguous(memory_format=torch.channels_last) for x in (predicted, mel))
        losses = []
        for layer in self.layers:
            a, b = layer(a), layer(b).detach()
            losses.append((a - b).abs().mean() / b.abs().mean().clamp_min(1e-6))
        return torch.stack(losses).mean()
