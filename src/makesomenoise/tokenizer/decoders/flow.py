"""The flow decoder: conditional flow matching from noise to log-mel, guided at decoding.

Conditional flow matching on the optimal-transport path (Lipman et al. 2023, eq. 23), conditioned on quantized latents
that are dropped at times so that the decoding can be guided (Ho and Salimans 2022). The network predicts the data x_1
rather than the velocity and is trained on the velocity that follows from it: a position carries more numbers (four
frames) than the network has channels, so it cannot carry the noise through, but the data is of far lower dimension (the
argument of Li and He 2025, JiT).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from makesomenoise.config import Config
from makesomenoise.flow.ode import Method, guided, integrate, time_grid
from makesomenoise.flow.path import sample_path, sample_times, velocity_from_data
from makesomenoise.tokenizer.decoders.base import DecoderNetwork, NetworkConfig, Reconstruction


class FlowConfig(Config):
    """Settings of the flow decoder.

    Attributes:
        network: the network.
        drop_condition: share of training examples whose latents are dropped.
        time_mean: mean of the logit of training times. Neighbouring bands and frames say much the same, so that a sound
            shows through much noise: what it is gets decided at t < 0.1, where the sampler takes half of its steps.
        time_deviation: its deviation.
        least_remaining: lower bound of 1 - t in the loss, which bounds the weight of nearly clean examples; the last
            step of the sampler starts near 1 - t = 0.4, so what happens later need not be learned well.
        method: solver of the ODE.
        steps: its number of steps where the caller names none.
        guidance: scale of the guidance where the caller names none; 1 is off.
        guided_between: first and last t of guided steps (Kynkaanniemi et al. 2024); one that is not guided costs half.
        time_shift: above 1, steps crowd towards the noise.
        temperature: deviation of the noise that decoding starts from.
    """

    kind: Literal["flow"] = "flow"
    network: NetworkConfig = NetworkConfig()
    drop_condition: float = 0.1
    time_mean: float = -1.5
    time_deviation: float = 1.2
    least_remaining: float = 0.2
    method: Method = "euler"
    steps: int = 6
    guidance: float = 1.5
    guided_between: tuple[float, float] = (0.0, 0.15)
    time_shift: float = 4.0
    temperature: float = 1.0


class FlowDecoder(nn.Module):
    """See the module's text.

    Args:
        config: settings.
        n_mels: mel bands M.
        latent_dim: latent channels D.
    """

    def __init__(self, config: FlowConfig, n_mels: int, latent_dim: int):
        super().__init__()
        self.config = config
        self.network = DecoderNetwork(config.network, n_mels, latent_dim)
        self.no_condition = nn.Parameter(torch.zeros(latent_dim))

    def reconstruct(self, mel: Tensor, latents: Tensor, generator: torch.Generator) -> Reconstruction:
        """The flow-matching loss, the mean squared error of the velocity, at one time for each example."""
        config = self.config
        t = sample_times(len(mel), config.time_mean, config.time_deviation, generator)
        noise = torch.randn(mel.shape, generator=generator, device=mel.device)
        dropped = torch.rand(len(mel), generator=generator, device=mel.device) < config.drop_condition
        point = sample_path(noise, mel, t)
        condition = torch.where(dropped[:, None, None], self.no_condition[:, None], latents)
        predicted = self.network(point.x_t, condition, t)
        # Both quotients are bounded alike, so that a perfect prediction of the data has no loss at any t.
        velocity = velocity_from_data(predicted, point.x_t, t, config.least_remaining)
        target = velocity_from_data(mel, point.x_t, t, config.least_remaining)
        return Reconstruction((velocity - target).square().mean(), predicted)

    def decode(self, latents: Tensor, noise: Tensor, steps: int | None = None, guidance: float | None = None) -> Tensor:
        """Solves the ODE from noise [B, M, 4N]; see `Decoder`."""
        scale = self.config.guidance if guidance is None else guidance
        times = time_grid(self.config.steps if steps is None else steps, self.config.time_shift).to(latents)
        empty = self.no_condition[:, None].expand_as(latents)
        both = torch.cat((latents, empty))
        first, last = self.config.guided_between

        def velocity(x: Tensor, t: Tensor) -> Tensor:
            if scale == 1.0 or not first <= float(t) <= last:
                return self._velocity(x, latents, t.expand(len(x)))
            conditional, unconditional = self._velocity(x.repeat(2, 1, 1), both, t.expand(2 * len(x))).chunk(2)
            return guided(conditional, unconditional, scale)

        # The last step is Euler's: from any point it ends on the predicted data, and needs no velocity at t = 1.
        x = integrate(velocity, self.config.temperature * noise, times[:-1], self.config.method)
        return integrate(velocity, x, times[-2:], "euler")

    def _velocity(self, x: Tensor, latents: Tensor, t: Tensor) -> Tensor:
        return velocity_from_data(self.network(x, latents, t), x, t, least=1e-4)
