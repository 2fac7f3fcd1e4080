"""Every decoder keeps the protocol; the flow decoder also solves its equation."""

import pytest
import torch

from makesomenoise.tokenizer.config import TokenizerConfig, build_decoder
from makesomenoise.tokenizer.decoders.base import NetworkConfig
from makesomenoise.tokenizer.decoders.flow import FlowConfig, FlowDecoder
from makesomenoise.tokenizer.decoders.regression import RegressionConfig
from makesomenoise.tokenizer.encoder import EncoderConfig

NETWORK = NetworkConfig(frame_dim=16, dim=32, layers=1, heads=2)
CONFIGS = [FlowConfig(network=NETWORK), RegressionConfig(network=NETWORK)]


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _flow(**settings) -> FlowDecoder:
    torch.manual_seed(0)
    return FlowDecoder(FlowConfig(network=NETWORK, **settings), n_mels=10, latent_dim=8)


@pytest.fixture(params=CONFIGS, ids=lambda config: config.kind)
def decoder(request):
    torch.manual_seed(0)
    config = TokenizerConfig.model_validate({"mel": {"n_mels": 10}, "decoder": request.param.model_dump()})
    return build_decoder(config.model_copy(update={"encoder": EncoderConfig(latent_dim=8)}))


@pytest.fixture
def latents():
    return torch.randn(2, 8, 5, generator=_generator(1))


@pytest.fixture
def noise():
    return torch.randn(2, 10, 20, generator=_generator(2))


def test_four_frames_for_each_code(decoder, latents, noise):
    assert decoder.decode(latents, noise, None, None).shape == (2, 10, 20)


def test_decoding_depends_on_its_arguments_alone(decoder, latents, noise):
    first = decoder.decode(latents, noise, None, None)
    torch.testing.assert_close(decoder.decode(latents, noise, None, None), first, rtol=0, atol=0)


def test_overfits_one_batch(decoder, latents):
    mel = torch.randn(2, 10, 20, generator=_generator(3))
    optimiser = torch.optim.Adam(decoder.parameters(), lr=5e-3)
    losses = []
    for step in range(150):
        loss = decoder.reconstruct(mel, latents, _generator(step)).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) < 0.3 * sum(losses[:20])
    decoded = decoder.decode(latents, torch.randn(mel.shape, generator=_generator(9)), None, 1.0)
    assert (decoded - mel).abs().mean() < 0.5 * mel.abs().mean()


def test_both_kinds_have_the_same_network():
    configs = [TokenizerConfig(decoder=config) for config in CONFIGS]
    flow, regression = ({n: p.shape for n, p in build_decoder(c).network.named_parameters()} for c in configs)
    assert flow == regression


class _Perfect(torch.nn.Module):
    """A network that always knows the data."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def forward(self, x, *_):
        return self.data.repeat(len(x) // len(self.data), 1, 1)


@pytest.mark.parametrize("method", ["euler", "midpoint", "heun"])
@pytest.mark.parametrize("steps", [1, 3, 8])
def test_a_perfect_network_decodes_the_data_exactly_and_has_no_loss(method, steps, latents, noise):
    decoder, data = _flow(method=method), torch.randn(2, 10, 20, generator=_generator(4))
    decoder.network = _Perfect(data)
    assert float(decoder.reconstruct(data, latents, _generator()).loss) == 0.0
    torch.testing.assert_close(decoder.decode(latents, noise, steps, 2.0), data, rtol=0, atol=1e-5)


def test_guidance_of_one_ignores_the_empty_condition(latents, noise):
    decoder = _flow()
    first = decoder.decode(latents, noise, 4, 1.0)
    with torch.no_grad():
        decoder.no_condition += 1.0
    torch.testing.assert_close(decoder.decode(latents, noise, 4, 1.0), first, rtol=0, atol=0)
    assert not torch.allclose(decoder.decode(latents, noise, 4, 2.0), first)


def test_dropping_every_condition_makes_the_loss_blind_to_it(latents):
    decoder, mel = _flow(drop_condition=1.0), torch.randn(2, 10, 20, generator=_generator(5))
    first, second = (decoder.reconstruct(mel, given, _generator(6)).loss for given in (latents, -latents))
    torch.testing.assert_close(first, second)


def test_steps_outside_the_interval_are_not_guided(latents, noise):
    torch.manual_seed(0)
    nowhere, first_only = _flow(guided_between=(2.0, 3.0)), _flow(guided_between=(0.0, 0.0))
    torch.nn.init.normal_(nowhere.no_condition)
    first_only.load_state_dict(nowhere.state_dict())
    plain = nowhere.decode(latents, noise, 3, 1.0)
    torch.testing.assert_close(nowhere.decode(latents, noise, 3, 2.5), plain)
    assert not torch.allclose(first_only.decode(latents, noise, 3, 2.5), plain)
