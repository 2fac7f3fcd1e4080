"""The flow decoder: from noise to log-mel in few guided jumps, or in many small steps.

Conditional flow matching on the optimal-transport path (Lipman et al. 2023, eq. 23), conditioned on quantized latents
that are dropped at times so that the decoding can be guided (Ho and Salimans 2022). The network also takes the span of
a step and the scale of the guidance, and then gives the average velocity over that span, already guided: a flow map
(Boffi et al. 2024), which is learned from the small steps and makes few of them do.

What is predicted is the deviation from Gaussian data (`flow.path.gaussian_velocity`), so that an untrained network
already turns noise into texture of about the right size, in steps of any span.
"""

from functools import partial

import torch
from torch import Tensor, nn

from makesomenoise.flow.ode import Velocity, guided, integrate, integrate_multistep, rescaled, time_grid
from makesomenoise.flow.path import data_from_velocity, gaussian_velocity, sample_path, velocity_from_data
from makesomenoise.flow.times import sample_times
from makesomenoise.nn.across import own_rows
from makesomenoise.tokenizer.config import FlowConfig
from makesomenoise.tokenizer.decoders.base import BandStandardiser, Reconstruction, weighted_mean
from makesomenoise.tokenizer.decoders.network import Condition, DecoderNetwork
from makesomenoise.tokenizer.decoding import Quality, as_quality


class FlowDecoder(BandStandardiser):
    """See the module's text.

    Args:
        config: settings.
        n_mels: mel bands M.
        latent_dim: latent channels D.
    """

    def __init__(self, config: FlowConfig, n_mels: int, latent_dim: int):
        super().__init__(n_mels)
        self.config = config
        self.network = DecoderNetwork(config.network, n_mels, latent_dim)
        self.no_condition = nn.Parameter(torch.zeros(latent_dim))

    def reconstruct(
        self, mel: Tensor, latents: Tensor, generator: torch.Generator, weight: Tensor | None = None
    ) -> Reconstruction:
        """The flow-matching loss: mean squared error of the velocity, at one time for each example; see `Decoder`."""
        config, x_1 = self.config, self.standardise(mel)
        t = own_rows(partial(self._times, generator=generator), len(mel))
        noise = own_rows(lambda n: torch.randn((n, *x_1.shape[1:]), generator=generator, device=mel.device), len(mel))
        chance = own_rows(lambda n: torch.rand(n, generator=generator, device=mel.device), len(mel))
        dropped = chance < config.drop_condition
        point = sample_path(noise, x_1, t)
        condition = self.condition(torch.where(dropped[:, None, None], self.no_condition[:, None], latents))
        velocity = self.average_velocity(point.x_t, condition, t)
        predicted = self.restore(data_from_velocity(velocity, point.x_t, t))
        return Reconstruction(weighted_mean((velocity - point.dx_t).square(), weight), predicted)

    def _times(self, count: int, generator: torch.Generator) -> Tensor:
        config = self.config
        return sample_times(count, config.time_mean, config.time_deviation, generator, config.uniform_share)

    def decode(
        self,
        latents: Tensor,
        noise: Tensor,
        steps: int | None = None,
        guidance: float | None = None,
        quality: Quality = "fast",
    ) -> Tensor:
        """Goes from noise to mel; see `Decoder`."""
        fast, config, x_0 = as_quality(quality) == "fast", self.config, noise.transpose(1, 2)
        usual = config.steps if fast else config.best_steps
        times = torch.from_numpy(time_grid(usual if steps is None else steps, config.time_shift)).to(noise)
        if fast:
            return self.restore(integrate(self.flow_map(latents, guidance), x_0, times))
        return self.restore(integrate_multistep(self.guided_velocity(latents, guidance), x_0, times)[-1])

    def flow_map(self, latents: Tensor, guidance: float | None = None) -> Velocity:
        """The average velocity of quality `fast`: one pass, guided within.

        Args:
            latents: [B, D, N].
            guidance: scale; none is the trained one.

        Returns:
            A velocity of standardised frames [B, 4N, M] for `flow.ode.integrate`.
        """
        condition = self.condition(latents)
        scale = latents.new_full((len(latents),), self.config.guidance if guidance is None else guidance)

        def velocity(x: Tensor, t: Tensor, span: Tensor) -> Tensor:
            return self.average_velocity(x, condition, t.expand(len(x)), span.expand(len(x)), scale)

        return velocity

    def guided_velocity(self, latents: Tensor, guidance: float | None = None) -> Velocity:
        """The velocity of quality `best`: with and without the latents, rescaled; `flow_map` is trained to follow it.

        Args:
            latents: [B, D, N].
            guidance: scale; none is that of the configuration.

        Returns:
            A velocity of standardised frames [B, 4N, M] for `flow.ode.integrate`.
        """
        scale = self.config.best_guidance if guidance is None else guidance
        if scale == 1.0:  # off: a pass without the latents would change nothing
            plain = self.condition(latents)
            return lambda x, t, _span: self.average_velocity(x, plain, t.expand(len(x)))
        condition = self.condition(torch.cat((latents, self.no_condition[:, None].expand_as(latents))))

        def velocity(x: Tensor, t: Tensor, span: Tensor) -> Tensor:
            del span  # the velocity is that of an instant
            t = t.expand(len(x))
            given, free = self.average_velocity(x.repeat(2, 1, 1), condition, t.repeat(2)).chunk(2)
            data, unguided = (data_from_velocity(v, x, t) for v in (guided(given, free, scale), given))
            return velocity_from_data(rescaled(data, unguided, self.config.rescale), x, t)

        return velocity

    def condition(self, latents: Tensor) -> Condition:
        """What the network's trunk reads in latents [B, D, N]."""
        return self.network.condition(latents.transpose(1, 2))

    def average_velocity(
        self, x: Tensor, condition: Condition, t: Tensor, span: Tensor | None = None, guidance: Tensor | None = None
    ) -> Tensor:
        """The average velocity over [t, t + span]; arguments are those of `DecoderNetwork.forward`.

        Args:
            x: standardised frames [B, 4N, M] at time t.
            condition: what `condition` gave.
            t: [B].
            span: [B]; none is 0, which gives the velocity at t.
            guidance: [B]; none is 1.
        """
        length = torch.zeros_like(t) if span is None else span
        gaussian = gaussian_velocity(x, t, length, self.config.residual_deviation)
        return gaussian + self.network(x, condition, t, span, guidance)
