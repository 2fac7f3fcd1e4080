"""Batches made on the device, from a tape to what a decoder learns from, in few large operations.

Several batches are made at once, and on a CUDA device in a stream of their own while the steps before them compute.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from makesomenoise.config import Config
from makesomenoise.tokenizer.config import FRAMES_PER_CODE
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.training.auxiliary_losses import frame_weights
from recipes.gpu.tape import Tape

_AT_ONCE = 256  # windows that the encoder takes at once, for its memory
_EDGE = 4  # mel frames of sound beyond either side, whose windows reach into the example


class VariationConfig(Config):
    """How windows are varied.

    Attributes:
        gain_db: lowest and highest change of level.
        speed_share: share of the windows that are played faster or slower.
        speed_nepers: by a factor of e to the power of at most so much.
        mix_share: share of the windows to which another one is added.
        mix_db: lowest level of the other one.
        tilt_nepers: largest change of level from the middle to either end of the mel bands.
        start_share: share of the windows of short clips that begin with the clip.
    """

    gain_db: tuple[float, float] = (-8.0, 4.0)
    speed_share: float = 0.4
    speed_nepers: float = 0.15
    mix_share: float = 0.13
    mix_db: float = -12.0
    tilt_nepers: float = 0.3
    start_share: float = 0.3


PLAIN = VariationConfig(gain_db=(0.0, 0.0), speed_share=0.0, mix_share=0.0, tilt_nepers=0.0)


@dataclass(frozen=True)
class Batch:
    """What a decoder learns from.

    Attributes:
        mel: [B, M, 4N] normalised.
        latents: [B, D, N] of its codes.
        weight: [B, 4N] of the frames in the loss.
    """

    mel: Tensor
    latents: Tensor
    weight: Tensor

    def split(self, size: int) -> list["Batch"]:
        """Batches of `size` examples."""
        parts = (self.mel.split(size), self.latents.split(size), self.weight.split(size))
        return [Batch(*part) for part in zip(*parts, strict=True)]


@dataclass(frozen=True)
class Draws:
    """What is drawn for B windows, each [B].

    Attributes:
        start: first sample of the clip on the tape.
        length: its number of samples.
        speed: samples of the clip in a sample of the window.
        offset: place of the window's first sample in the played clip; below 0: silence before it.
        gain: factor.
        mixed: factor of the window before in the batch, 0 adds nothing.
        tilt: change of level at the highest band, nepers.
    """

    start: Tensor
    length: Tensor
    speed: Tensor
    offset: Tensor
    gain: Tensor
    mixed: Tensor
    tilt: Tensor


@dataclass(frozen=True)
class Windows:
    """Sound cut from a tape.

    Attributes:
        waveform: [B, W] in [-1, 1].
        inside: [B, W] bool, whether a clip lies there.
    """

    waveform: Tensor
    inside: Tensor


def draw(tape: Tape, count: int, width: int, edge: int, vary: VariationConfig, generator: torch.Generator) -> Draws:
    """Draws `count` windows of `width` samples, `edge` of which lie before what is learned from."""
    clip = torch.multinomial(tape.chances, count, replacement=True, generator=generator)
    uniform = torch.rand(8, count, generator=generator, device=generator.device, dtype=torch.float64)
    speed = torch.exp((2.0 * uniform[0] - 1.0) * vary.speed_nepers)
    speed = torch.where(uniform[1] < vary.speed_share, speed, 1.0)
    room = ((tape.lengths[clip] - 1) / speed).floor() - width
    offset = (uniform[2] * room).floor()  # of a clip that is shorter than the window, room and offset are below 0
    offset = torch.where((uniform[3] < vary.start_share) & (room <= 0), -float(edge), offset)
    low, high = vary.gain_db
    gain = 10.0 ** ((low + (high - low) * uniform[4]) / 20.0)
    mixed = torch.where(uniform[5] < vary.mix_share, 10.0 ** (vary.mix_db * uniform[6] / 20.0), 0.0)
    tilt = (2.0 * uniform[7] - 1.0) * vary.tilt_nepers
    return Draws(tape.starts[clip], tape.lengths[clip], speed, offset, gain.float(), mixed.float(), tilt.float())


def cut(samples: Tensor, draws: Draws, width: int) -> Windows:
    """Cuts, plays, levels and mixes windows of `width` samples: a gather and one pass over its result, if compiled."""
    speed, start, length = draws.speed[:, None], draws.start[:, None], draws.length[:, None]
    place = torch.arange(width, device=samples.device)[None] + draws.offset[:, None]
    inside = (place >= 0) & (place < ((length - 1) / speed).floor())
    position = (place * speed).clamp_min(0.0)
    first = torch.minimum(position.floor().long(), (length - 2).clamp_min(0))
    share = (position - first).float()
    here, after = samples[start + first].float(), samples[(start + first + 1).clamp_max(len(samples) - 1)].float()
    waveform = torch.where(inside, torch.lerp(here, after, share) / 32768.0, 0.0)
    loudest = waveform.abs().amax(dim=1).clamp_min(1e-4)
    waveform = waveform * torch.minimum(draws.gain, 0.99 / loudest)[:, None]
    mixed = draws.mixed[:, None]
    waveform = (waveform + waveform.roll(1, 0) * mixed).clamp(-1.0, 1.0)
    return Windows(waveform, inside | (inside.roll(1, 0) & (mixed > 0.0)))


class Preparation:
    """From a tape to batches.

    Args:
        network: tokenizer whose encoder and quantizer give the latents, on the device.
        tape: the clips.
        codes: length N of the examples.
        vary: how windows are varied.
        compiled: compile what cuts them.
    """

    def __init__(self, network: TokenizerNetwork, tape: Tape, codes: int, vary: VariationConfig, compiled: bool):
        self.network, self.tape, self.codes, self.vary = network, tape, codes, vary
        self._cut = torch.compile(cut, dynamic=False) if compiled else cut

    @torch.no_grad()
    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """Makes `count` examples."""
        mel_config, scale = self.network.config.mel, self.network.config.scale
        frames, hop = self.codes * FRAMES_PER_CODE, mel_config.hop_samples
        edge = _EDGE * hop
        width = frames * hop + 2 * edge
        draws = draw(self.tape, count, width, edge, self.vary, generator)
        windows = self._cut(self.tape.samples, draws, width)
        slope = torch.linspace(-1.0, 1.0, mel_config.n_mels, device=generator.device)
        mel = self.network.mel(windows.waveform)[..., _EDGE : _EDGE + frames]
        mel = scale.normalise(mel + draws.tilt[:, None, None] * slope[:, None])
        # In 32 bits (products in TensorFloat-32): in bfloat16 some codes would be others than those of the product.
        latents = torch.cat([self.network.forward_frozen_mel(part).quantized.latents for part in mel.split(_AT_ONCE)])
        sounding = windows.inside[:, edge:-edge].unflatten(1, (self.codes, -1)).any(dim=-1)
        return Batch(mel, latents, frame_weights(sounding))


def ahead(
    make: Callable[[], Batch], size: int, device: torch.device, reuse: int = 1, generator: torch.Generator | None = None
) -> Iterator[Batch]:
    """Batches without end, made while those before are in use.

    Args:
        make: makes some batches of `size` at once.
        size: examples of a batch.
        device: a CUDA device makes them in a stream of its own.
        reuse: how often an example is given, mixed anew each time.
        generator: mixes them.
    """
    if device.type != "cuda":
        while True:
            yield from _mixed(make(), size, reuse, generator)
    stream = torch.cuda.Stream(device)

    def started() -> Batch:
        with torch.cuda.stream(stream):
            return make()

    next_ones = started()
    while True:
        torch.cuda.current_stream(device).wait_stream(stream)
        ready = next_ones
        for tensor in (ready.mel, ready.latents, ready.weight):  # so that their memory is not given away too early
            tensor.record_stream(torch.cuda.current_stream(device))
        next_ones = started()
        yield from _mixed(ready, size, reuse, generator)


def _mixed(batch: Batch, size: int, reuse: int, generator: torch.Generator | None) -> Iterator[Batch]:
    yield from batch.split(size)
    for _ in range(reuse - 1):
        order = torch.randperm(len(batch.mel), generator=generator, device=batch.mel.device)
        yield from Batch(batch.mel[order], batch.latents[order], batch.weight[order]).split(size)
