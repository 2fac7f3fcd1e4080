"""Networks that tell real from vocoded sound, and the losses of that game; they know waveforms only.

Two kinds, each at several scales: one folds the waveform by a prime period and reads every phase of it (HiFi-GAN, Kong
et al. 2020), one reads the complex spectrogram, so that it sees phase (EnCodec, Défossez et al. 2022).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad, relu
from torch.nn.utils.parametrizations import weight_norm

from makesomenoise.config import Config

_SLOPE = 0.1
_COMPRESSION = 0.7


class DiscriminatorsConfig(Config):
    """Settings of the discriminators.

    Attributes:
        periods: periods by which the waveform is folded, samples.
        period_channels: channels of the layers of each period discriminator, each with a stride of 3.
        resolutions: window lengths of the spectrograms, samples; the hop is a quarter.
        spectrogram_channels: channels of the layers of each spectrogram discriminator.
    """

    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    period_channels: tuple[int, ...] = (8, 16, 32, 64)
    resolutions: tuple[int, ...] = (512, 1024, 2048)
    spectrogram_channels: tuple[int, ...] = (16, 16, 32, 32)


class PeriodDiscriminator(nn.Module):
    """Convolutions over every `period`-th sample."""

    def __init__(self, period: int, channels: Sequence[int]):
        super().__init__()
        self.period = period
        widths = [1, *channels]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv1d(a, b, 5, stride=3, padding=2)) for a, b in zip(widths[:-1], channels, strict=True)
        )
        self.score = weight_norm(nn.Conv1d(widths[-1], 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """Activations of each layer for [B, S], the score map last."""
        waveform = pad(waveform, (0, -waveform.shape[-1] % self.period))
        # Folding into the batch makes this the usual (k, 1) convolution over [S / period, period], only faster.
        folded = waveform.unflatten(-1, (-1, self.period)).transpose(1, 2).flatten(0, 1)
        return _activations(folded.unsqueeze(1), self.layers, self.score)


class SpectrogramDiscriminator(nn.Module):
    """Convolutions over a complex spectrogram whose magnitude is compressed."""

    window: Tensor

    def __init__(self, n_fft: int, channels: Sequence[int]):
        super().__init__()
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        widths = [2, *channels]
        # The first layer sees most of the data: its wide stride halves the cost of the whole. Later strides alternate
        # between frequency alone and both axes, so that time is kept longer.
        strides = [(2 if index else 4, 1 + index % 2) for index in range(len(channels))]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (5, 3), stride=stride, padding=(2, 1)))
            for a, b, stride in zip(widths[:-1], channels, strides, strict=True)
        )
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """Activations of each layer for [B, S], the score map last."""
        frames = waveform.unfold(-1, self.n_fft, self.n_fft // 4)
        parts = torch.view_as_real(torch.fft.rfft(frames * self.window, norm="ortho"))
        power = parts.square().sum(-1, keepdim=True) + 1e-6
        compressed = parts * power.pow(-_COMPRESSION / 2)
        return _activations(compressed.permute(0, 3, 2, 1), self.layers, self.score)


class Discriminators(nn.Module):
    """All discriminators, asked together."""

    def __init__(self, config: DiscriminatorsConfig):
        super().__init__()
        self.by_period = nn.ModuleList(PeriodDiscriminator(p, config.period_channels) for p in config.periods)
        self.by_resolution = nn.ModuleList(
            SpectrogramDiscriminator(n, config.spectrogram_channels) for n in config.resolutions
        )

    def forward(self, waveform: Tensor) -> list[list[Tensor]]:
        """What each discriminator makes of [B, S]: activations of its layers, the score map last."""
        return [judge(waveform) for judge in (*self.by_period, *self.by_resolution)]


def discriminator_loss(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Hinge loss of the discriminators, mean over them: real above 1, fake below -1."""
    losses = [relu(1 - r[-1]).mean() + relu(1 + f[-1]).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(losses).mean()


def adversarial_loss(fake: list[list[Tensor]]) -> Tensor:
    """Hinge loss of the generator, mean over the discriminators."""
    return torch.stack([relu(1 - f[-1]).mean() for f in fake]).mean()


def feature_loss(real: list[list[Tensor]], fake: list[list[Tensor]]) -> Tensor:
    """Mean distance of the activations, relative to the size of the real ones."""
    pairs = [(r, f) for rs, fs in zip(real, fake, strict=True) for r, f in zip(rs[:-1], fs[:-1], strict=True)]
    return torch.stack([(r - f).abs().mean() / r.abs().mean().clamp_min(1e-4) for r, f in pairs]).mean()


def _activations(x: Tensor, layers: nn.ModuleList, score: nn.Module) -> list[Tensor]:
    activations = []
    for layer in layers:
        x = leaky_relu(layer(x), _SLOPE)
        activations.append(x)
    return [*activations, score(x)]
