"""From latents to log-mel on arrays, whatever runs the networks: the samplers of both kinds of decoder.

The decoders in `decoders/` are the same in torch, for what trains them.
"""

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from makesomenoise.engine.base import CodecEngine, Condition
from makesomenoise.errors import RequestError
from makesomenoise.flow.ode import Velocity, guided, integrate, integrate_multistep, rescaled, time_grid
from makesomenoise.flow.path import data_from_velocity, gaussian_velocity, velocity_from_data
from makesomenoise.tokenizer.config import FlowConfig, RegressionConfig, TokenizerConfig

Quality = Literal["fast", "best"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)


class DecodingError(RequestError):
    """A decoding that cannot be done; the message is one sentence for the user."""


def as_quality(name: str) -> Quality:
    """The quality of a decoding that a name means.

    Raises:
        DecodingError: if it means none.
    """
    for quality in QUALITIES:
        if quality == name:
            return quality
    raise DecodingError(f"Unknown quality '{name}': give {' or '.join(QUALITIES)}.")


class MelDecoder:
    """Latents to log-mel.

    Args:
        config: settings of the tokenizer.
        weights: arrays by name: at least mean and deviation of the bands, and what stands for no latents.
        engine: runs the networks.
    """

    def __init__(self, config: TokenizerConfig, weights: Mapping[str, np.ndarray], engine: CodecEngine):
        self._config, self._engine = config, engine
        self._mean, self._deviation = weights["decoder.mean"], weights["decoder.deviation"]
        self._no_condition = weights.get("decoder.no_condition")

    def decode(
        self, latents: np.ndarray, noise: np.ndarray, steps: int | None, guidance: float | None, quality: Quality
    ) -> np.ndarray:
        """Decodes; what is none takes the default of the decoder.

        Args:
            latents: [B, N, D].
            noise: [B, 4N, M] standard normal.
            steps: number of steps.
            guidance: scale of the guidance; 1 is off.
            quality: `fast`, or `best` where time does not matter.

        Returns:
            [B, M, 4N].
        """
        match self._config.decoder:
            case FlowConfig() as config:
                frames = self._sampled(config, latents, noise, steps, guidance, quality)
            case RegressionConfig():
                frames = self._pass(np.zeros_like(noise), self._engine.condition(latents), 0.0, 0.0, 1.0)
        mel = frames * self._deviation + self._mean
        return self._config.scale.restore(mel).transpose(0, 2, 1)

    def _sampled(
        self,
        config: FlowConfig,
        latents: np.ndarray,
        noise: np.ndarray,
        steps: int | None,
        guidance: float | None,
        quality: Quality,
    ) -> np.ndarray:
        if quality == "fast":
            times = time_grid(config.steps if steps is None else steps, config.time_shift)
            scale = config.guidance if guidance is None else guidance
            return integrate(self._flow_map(config, latents, scale), noise, times)
        times = time_grid(config.best_steps if steps is None else steps, config.time_shift)
        scale = config.best_guidance if guidance is None else guidance
        return integrate_multistep(self._guided_velocity(config, latents, scale), noise, times)[-1]

    def _flow_map(self, config: FlowConfig, latents: np.ndarray, scale: float) -> Velocity:
        condition = self._engine.condition(latents)
        return lambda x, t, span: self._average_velocity(config, x, condition, t, span, scale)

    def _guided_velocity(self, config: FlowConfig, latents: np.ndarray, scale: float) -> Velocity:
        if scale == 1.0 or self._no_condition is None:  # off: a pass without the latents would change nothing
            plain = self._engine.condition(latents)
            return lambda x, t, _span: self._average_velocity(config, x, plain, t, 0.0, 1.0)
        free_latents = np.broadcast_to(self._no_condition, latents.shape)
        condition = self._engine.condition(np.concatenate((latents, free_latents)))

        def velocity(x: np.ndarray, t: float, _span: float) -> np.ndarray:
            both = self._average_velocity(config, np.concatenate((x, x)), condition, t, 0.0, 1.0)
            given, free = both[: len(x)], both[len(x) :]
            times = _filled(x, t)
            data, unguided = (data_from_velocity(v, x, times) for v in (guided(given, free, scale), given))
            return velocity_from_data(rescaled(data, unguided, config.rescale), x, times)

        return velocity

    def _average_velocity(
        self, config: FlowConfig, x: np.ndarray, condition: Condition, t: float, span: float, scale: float
    ) -> np.ndarray:
        gaussian = gaussian_velocity(x, _filled(x, t), _filled(x, span), config.residual_deviation)
        return gaussian + self._pass(x, condition, t, span, scale)

    def _pass(self, x: np.ndarray, condition: Condition, t: float, span: float, scale: float) -> np.ndarray:
        return self._engine.denoise(x, condition, _filled(x, t), _filled(x, span), _filled(x, scale))


def _filled(x: np.ndarray, value: float) -> np.ndarray:
    return np.full(len(x), value, np.float32)
