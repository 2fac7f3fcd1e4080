"""The flow decoder: exact for Gaussian data in any number of jumps, guided, and blind to what is dropped."""

import pytest
import torch

from makesomenoise.flow.path import velocity_from_data
from makesomenoise.tokenizer.config import FlowConfig, NetworkConfig
from makesomenoise.tokenizer.decoders.flow import FlowDecoder

NETWORK = NetworkConfig(frame_dim=16, dim=32, trunk_layers=1, middle_layers=1, frame_layers=1)
QUALITIES = ["fast", "best"]
STARTING_AT_ZERO = ("mel_out.weight", "jump.weight", "project.weight", "no_condition")


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _flow(trained: bool = True, **settings) -> FlowDecoder:
    """A decoder with random weights, or with an output of zero as before a training."""
    torch.manual_seed(0)
    decoder = FlowDecoder(FlowConfig(network=NETWORK, **settings), n_mels=10, latent_dim=8)
    if trained:
        for name, parameter in decoder.named_parameters():
            if name.endswith(STARTING_AT_ZERO):
                torch.nn.init.normal_(parameter, std=0.1)
    return decoder


LATENTS = torch.randn(2, 8, 5, generator=_generator(1))
NOISE = torch.randn(2, 10, 20, generator=_generator(2))


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_before_training_any_number_of_jumps_is_the_flow_of_gaussian_data(steps: int):
    decoder = _flow(trained=False, time_shift=2.0)
    decoder.fit_bands(1.0 + 4.0 * torch.randn(3, 10, 40, generator=_generator(3)))
    expected = decoder.restore(0.5 * NOISE.transpose(1, 2))
    torch.testing.assert_close(decoder.decode(LATENTS, NOISE, steps), expected)


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_a_perfect_velocity_decodes_the_data_exactly_and_has_no_loss(steps: int, monkeypatch: pytest.MonkeyPatch):
    decoder, data = _flow(rescale=0.0), torch.randn(2, 10, 20, generator=_generator(4))
    frames = data.transpose(1, 2)

    def perfect(x, _condition, t, *_):
        return velocity_from_data(frames.repeat(len(x) // 2, 1, 1), x, t)

    monkeypatch.setattr(decoder, "average_velocity", perfect)
    reconstruction = decoder.reconstruct(data, LATENTS, _generator())
    assert float(reconstruction.loss) < 1e-8
    torch.testing.assert_close(reconstruction.mel, data, rtol=0, atol=1e-4)
    for quality in QUALITIES:
        torch.testing.assert_close(decoder.decode(LATENTS, NOISE, steps, 2.0, quality), data, rtol=0, atol=1e-5)


def test_the_trunk_is_read_once_a_decoding(monkeypatch: pytest.MonkeyPatch):
    decoder, read = _flow(), []
    condition = decoder.network.condition
    monkeypatch.setattr(decoder.network, "condition", lambda z: read.append(len(z)) or condition(z))
    decoder.decode(LATENTS, NOISE, 5)
    decoder.decode(LATENTS, NOISE, 5, quality="best")
    assert read == [2, 4]


@pytest.mark.parametrize(("quality", "passes"), [("fast", [2] * 4), ("best", [4] * 12)])
def test_a_quality_costs_what_it_says(quality, passes, monkeypatch: pytest.MonkeyPatch):
    decoder, asked = _flow(), []
    forward = decoder.network.forward
    monkeypatch.setattr(decoder.network, "forward", lambda x, *args: asked.append(len(x)) or forward(x, *args))
    decoder.decode(LATENTS, NOISE, quality=quality)
    assert asked == passes


def test_defaults_are_those_of_the_configuration():
    decoder = _flow(steps=3, guidance=1.5, best_steps=2, best_guidance=3.0)
    fast, best = (decoder.decode(LATENTS, NOISE, quality=quality) for quality in QUALITIES)
    torch.testing.assert_close(fast, decoder.decode(LATENTS, NOISE, 3, 1.5), rtol=0, atol=0)
    torch.testing.assert_close(best, decoder.decode(LATENTS, NOISE, 2, 3.0, "best"), rtol=0, atol=0)
    assert not torch.allclose(fast, best)


@pytest.mark.parametrize("quality", QUALITIES)
def test_steps_and_guidance_matter(quality):
    decoder = _flow()
    plain = decoder.decode(LATENTS, NOISE, quality=quality)
    assert not torch.allclose(decoder.decode(LATENTS, NOISE, 7, quality=quality), plain)
    assert not torch.allclose(decoder.decode(LATENTS, NOISE, None, 3.0, quality), plain)


@pytest.mark.parametrize("quality", QUALITIES)
def test_no_steps_are_refused(quality):
    with pytest.raises(ValueError, match="at least 1, got 0"):
        _flow().decode(LATENTS, NOISE, 0, None, quality)


def test_guidance_of_one_ignores_the_empty_condition():
    decoder = _flow()
    first = decoder.decode(LATENTS, NOISE, 4, 1.0, "best")
    with torch.no_grad():
        decoder.no_condition += 1.0
    torch.testing.assert_close(decoder.decode(LATENTS, NOISE, 4, 1.0, "best"), first)
    assert not torch.allclose(decoder.decode(LATENTS, NOISE, 4, 2.0, "best"), first)


def test_unguided_small_steps_are_the_same_in_both_qualities():
    decoder = _flow()
    torch.nn.init.zeros_(decoder.network.step.jump.weight)
    fast, best = (decoder.decode(LATENTS, NOISE, 500, 1.0, quality) for quality in QUALITIES)
    torch.testing.assert_close(fast, best, rtol=0, atol=0.01)


def test_rescaling_bounds_the_deviation_of_strong_guidance():
    loud, set_back = (_flow(rescale=share).decode(LATENTS, NOISE, 8, 30.0, "best").std() for share in (0.0, 1.0))
    plain = _flow().decode(LATENTS, NOISE, 8, 1.0, "best").std()
    assert loud > 1.2 * plain
    assert set_back < 1.1 * plain


def test_dropping_every_condition_makes_the_loss_blind_to_it():
    decoder, mel = _flow(drop_condition=1.0), torch.randn(2, 10, 20, generator=_generator(5))
    first, second = (decoder.reconstruct(mel, given, _generator(6)).loss for given in (LATENTS, -LATENTS))
    torch.testing.assert_close(first, second)
