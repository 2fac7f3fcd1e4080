"""Every decoder keeps the protocol and learns what it is shown."""

import pytest
import torch

from makesomenoise.tokenizer.config import EncoderConfig, FlowConfig, NetworkConfig, RegressionConfig, TokenizerConfig
from makesomenoise.tokenizer.decoders.base import BandStandardiser
from makesomenoise.tokenizer.decoding import DecodingError
from makesomenoise.tokenizer.network import build_decoder

NETWORK = NetworkConfig(frame_dim=32, dim=32, trunk_layers=1, middle_layers=1, frame_layers=1)
CONFIGS = [FlowConfig(network=NETWORK), RegressionConfig(network=NETWORK)]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=CONFIGS, ids=lambda config: config.kind)
def decoder(request):
    torch.manual_seed(0)
    config = TokenizerConfig.model_validate({"mel": {"n_mels": 10}, "decoder": request.param.model_dump()})
    made = build_decoder(config.model_copy(update={"encoder": EncoderConfig(latent_dim=8)}))
    torch.nn.init.normal_(made.network.mel_out.weight, std=0.1)
    return made


@pytest.fixture
def latents():
    return torch.randn(2, 8, 5, generator=_generator(1))


@pytest.fixture
def noise():
    return torch.randn(2, 10, 20, generator=_generator(2))


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_four_frames_for_each_code(decoder, latents, noise, quality):
    assert decoder.decode(latents, noise, quality=quality).shape == (2, 10, 20)


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_decoding_depends_on_its_arguments_alone(decoder, latents, noise, quality):
    first = decoder.decode(latents, noise, quality=quality)
    torch.testing.assert_close(decoder.decode(latents, noise, quality=quality), first, rtol=0, atol=0)


@pytest.mark.parametrize("quality", ["fast", "best"])
def test_a_batch_is_each_example_alone(decoder, latents, noise, quality):
    together = decoder.decode(latents, noise, quality=quality)
    for one in (slice(0, 1), slice(1, 2)):
        alone = decoder.decode(latents[one], noise[one], quality=quality)
        torch.testing.assert_close(together[one], alone, rtol=1e-4, atol=1e-5)


def test_an_unknown_quality_is_refused(decoder, latents, noise):
    with pytest.raises(DecodingError, match=r"Unknown quality 'good': give fast or best\."):
        decoder.decode(latents, noise, quality="good")


def test_overfits_one_batch(decoder, latents):
    mel = 2.0 + 3.0 * torch.randn(2, 10, 20, generator=_generator(3))
    decoder.fit_bands(mel)
    optimizer = torch.optim.Adam(decoder.parameters(), lr=3e-3)
    losses = []
    for step in range(300):
        loss = decoder.reconstruct(mel, latents, _generator(step)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-20:]) < 0.3 * sum(losses[:20])
    decoded = decoder.decode(latents, torch.randn(mel.shape, generator=_generator(9)), None, 1.0, "best")
    assert (decoded - mel).abs().mean() < 0.5 * (mel - mel.mean()).abs().mean()


def test_both_kinds_have_the_same_network():
    with torch.device("meta"):
        decoders = [build_decoder(TokenizerConfig(decoder=config)) for config in CONFIGS]
    flow, regression = ({name: t.shape for name, t in decoder.state_dict().items()} for decoder in decoders)
    assert flow.keys() - regression.keys() == {"no_condition"}
    assert regression.items() <= flow.items()


def test_bands_are_standardised_and_restored():
    bands = BandStandardiser(3)
    mel = torch.randn(4, 3, 50, generator=_generator()) * torch.tensor([1.0, 5.0, 0.0])[:, None] + 2.0
    bands.fit_bands(mel)
    frames = bands.standardise(mel)
    assert frames.shape == (4, 50, 3)
    torch.testing.assert_close(frames.mean(dim=(0, 1)), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(frames.std(dim=(0, 1)), torch.tensor([1.0, 1.0, 0.0]), rtol=0, atol=1e-4)
    torch.testing.assert_close(bands.restore(frames), mel)
    assert set(bands.state_dict()) == {"mean", "deviation"}
