"""Vocoder that predicts a complex spectrogram and inverts it; knows log-mel frames and nothing of codes.

After Vocos (Siuzdak 2023, arXiv 2306.00814): ConvNeXt blocks at the frame rate, a linear head that gives magnitude and
phase of every bin, and one inverse STFT. Parameter names are those of Vocos, so that its published weights load.

One thing may be added. Such a network does the same at every frame, so from steady frames it makes the same spectrum
again and again: phases that advance, as those of a steady tone do, it must piece together from chance. With
`griffin_lim_iters` a few rounds of Griffin-Lim go before it, and it corrects magnitude and phase of what they give;
untrained it corrects nothing.
"""

import math
import pickle
from pathlib import Path
from typing import Self

import torch
import yaml
from torch import Tensor, nn

from makesomenoise import checkpoint
from makesomenoise.audio.mel import MelConfig
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.errors import ConfigError
from makesomenoise.nn.convnext import ConvNeXtBlock
from makesomenoise.nn.log_mel import power
from makesomenoise.vocoder.config import KERNEL, VOCOS_WEIGHTS, IstftVocoderConfig
from makesomenoise.vocoder.griffin_lim import GriffinLim, InverseStft

_LOUDEST = math.log(1e2)
_TINY = 1e-12
# What Vocos keeps beside its weights: the filters and windows that we compute.
_COMPUTED = ("feature_extractor.", "head.istft.")


class Backbone(nn.Module):
    """Log-mel frames to features: a convolution and ConvNeXt blocks between two LayerNorms."""

    def __init__(self, bands: int, dim: int, hidden: int, layers: int):
        super().__init__()
        self.embed = nn.Conv1d(bands, dim, KERNEL, padding=KERNEL // 2)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.convnext = nn.ModuleList(ConvNeXtBlock(dim, hidden, KERNEL, 1.0 / layers) for _ in range(layers))
        self.final_layer_norm = nn.LayerNorm(dim, eps=1e-6)

    def forward(self, mel: Tensor, extra: Tensor | None = None) -> Tensor:
        """Maps [B, M, T], and [B, T, C] that joins it after the first layer, to [B, T, C]."""
        embedded = self.embed(mel).transpose(1, 2)
        x = self.norm(embedded if extra is None else embedded + extra).transpose(1, 2)
        for block in self.convnext:
            x = block(x)
        return self.final_layer_norm(x.transpose(1, 2))


class Head(nn.Module):
    """Features to waveform: log-magnitude and phase of every bin, then the inverse STFT."""

    def __init__(self, dim: int, n_fft: int, hop_samples: int):
        super().__init__()
        self.out = nn.Linear(dim, n_fft + 2)
        self.istft = InverseStft(n_fft, hop_samples)

    def forward(self, features: Tensor, prior: Tensor | None = None) -> Tensor:
        """Maps [B, T, C] to [B, T * hop]; where a complex prior [B, T, n_fft // 2 + 1] is given, corrects it."""
        log_magnitude, phase = self.out(features).float().chunk(2, dim=-1)
        magnitude = log_magnitude.clamp(max=_LOUDEST).exp()
        spectrum = torch.complex(magnitude * phase.cos(), magnitude * phase.sin())
        return self.istft(spectrum if prior is None else spectrum * prior)


class Prior(nn.Module):
    """A first spectrum by Griffin-Lim, and what it lacks as features."""

    def __init__(self, mel: MelConfig, dim: int, rounds: int):
        super().__init__()
        self.griffin_lim = GriffinLim(mel, rounds)
        self.embed = nn.Linear(mel.n_fft + 2, dim)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Maps [B, M, T] to the complex spectrum [B, T, n_fft // 2 + 1] and features [B, T, C]."""
        with torch.no_grad():
            spectrum = self.griffin_lim.spectrum(mel)
            consistent = self.griffin_lim.stft(self.griffin_lim.istft(spectrum))
            # How what sounds differs from what was asked for, by bin: bounded, and blind to the phase of the whole.
            ratio = torch.view_as_real(consistent * spectrum.conj() / (power(spectrum) + power(consistent) + _TINY))
        return spectrum, self.embed(ratio.flatten(2))


class IstftVocoder(nn.Module):
    """Log-mel [B, M, T] to waveform [B, T * hop], frame i centred on sample i * hop."""

    def __init__(self, config: IstftVocoderConfig):
        super().__init__()
        self.config = config
        self.backbone = Backbone(config.mel.n_mels, config.dim, config.hidden, config.layers)
        self.head = Head(config.dim, config.mel.n_fft, config.mel.hop_samples)
        self.prior = Prior(config.mel, config.dim, config.griffin_lim_iters) if config.griffin_lim_iters else None
        if self.prior is not None:
            nn.init.zeros_(self.head.out.weight)
            nn.init.zeros_(self.head.out.bias)

    @property
    def context_frames(self) -> int:
        """See `IstftVocoderConfig.context_frames`."""
        return self.config.context_frames

    def forward(self, mel: Tensor) -> Tensor:
        """Waveform [B, T * hop] of log-mel frames [B, M, T]."""
        if self.prior is None:
            return self.head(self.backbone(mel))
        spectrum, features = self.prior(mel)
        return self.head(self.backbone(mel, features), spectrum)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Reads a model folder.

        Raises:
            CheckpointError: if its files are missing, damaged or do not match.
        """
        stored = checkpoint.load_model(folder, IstftVocoderConfig)
        vocoder = cls(stored.config)
        checkpoint.load_into(vocoder, stored.tensors(), str(folder))
        return vocoder.eval()

    def save(self, folder: str | Path, storage: checkpoint.Storage = "float32", card: str | None = None) -> None:
        """Writes a model folder; see `checkpoint.save_model`."""
        checkpoint.save_model(folder, self.config, self.state_dict(), storage, card)

    @classmethod
    def from_vocos(cls, folder: str | Path) -> Self:
        """Reads weights that were published for Vocos, such as `charactr/vocos-mel-24khz`.

        Args:
            folder: holds the `config.yaml` of Vocos and `model.safetensors` or `pytorch_model.bin`.

        Raises:
            CheckpointError: if the files are missing or damaged, or hold another model than Vocos on our log-mel.
        """
        folder = Path(folder)
        vocoder = cls(_vocos_config(folder / checkpoint.CONFIG_FILE))
        state = {name: t for name, t in _vocos_state(folder).items() if not name.startswith(_COMPUTED)}
        checkpoint.load_into(vocoder, state, str(folder))
        return vocoder.eval()


def _vocos_config(path: Path) -> IstftVocoderConfig:
    try:
        parts = yaml.safe_load(path.read_text(encoding="utf-8"))
        features, backbone, head = (parts[name]["init_args"] for name in ("feature_extractor", "backbone", "head"))
        mel = {"sample_rate": features["sample_rate"], "n_fft": features["n_fft"], "n_mels": features["n_mels"]}
        sizes = {"dim": backbone["dim"], "hidden": backbone["intermediate_dim"], "layers": backbone["num_layers"]}
        values = {"mel": mel | {"hop_samples": head["hop_length"]}, **sizes}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path} is not the configuration of a Vocos mel vocoder ({reason}).") from None
    try:
        return IstftVocoderConfig.from_dict(values, str(path))
    except ConfigError as error:
        raise CheckpointError(str(error)) from None


def _vocos_state(folder: Path) -> dict[str, Tensor]:
    if (folder / checkpoint.WEIGHTS_FILE).is_file():
        return checkpoint.load_state(folder)
    path = folder / VOCOS_WEIGHTS
    try:
        # The one place where a pickle is read: the weights exist in no other form. Only tensors are let through.
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"Cannot read the weights {path}: {reason}.") from None
