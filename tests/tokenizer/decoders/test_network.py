"""The shared network: the trunk is read once for all steps, and jumps add nothing until they are learned."""

import torch

from makesomenoise.tokenizer.config import NetworkConfig
from makesomenoise.tokenizer.decoders.network import Condition, DecoderNetwork

CONFIG = NetworkConfig(frame_dim=16, dim=32, trunk_layers=2, middle_layers=1, frame_layers=2)
T = torch.tensor([0.2, 0.9])


def _network() -> DecoderNetwork:
    torch.manual_seed(0)
    network = DecoderNetwork(CONFIG, n_mels=10, latent_dim=8)
    for name, parameter in network.named_parameters():
        if not name.startswith("step.jump"):
            torch.nn.init.normal_(parameter, std=0.2)
    return network.eval()


def _inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 20, 10, generator=generator), torch.randn(2, 5, 8, generator=generator)


def test_an_untrained_network_says_nothing():
    x, latents = _inputs()
    network = DecoderNetwork(CONFIG, n_mels=10, latent_dim=8)
    assert network(x, network.condition(latents), T).eq(0).all()


def test_the_default_is_of_the_promised_size():
    with torch.device("meta"):
        count = sum(p.numel() for p in DecoderNetwork(NetworkConfig(), n_mels=100, latent_dim=32).parameters())
    assert 27.0e6 < count < 27.3e6


def test_frames_and_latents_both_matter():
    network, (x, latents) = _network(), _inputs()
    plain = network(x, network.condition(latents), T)
    assert plain.shape == x.shape
    assert not torch.allclose(network(x + 0.1, network.condition(latents), T), plain)
    assert not torch.allclose(network(x, network.condition(latents + 0.1), T), plain)


def test_the_trunk_once_is_the_trunk_each_time():
    network, (x, latents) = _network(), _inputs()
    once = network.condition(latents)
    for t in (0.1, 0.5, 0.9):
        again = network(x, network.condition(latents), torch.full((2,), t))
        torch.testing.assert_close(network(x, once, torch.full((2,), t)), again, rtol=0, atol=0)


def test_a_batch_is_each_example_alone():
    network, (x, latents) = _network(), _inputs()
    together = network(x, network.condition(latents), T)
    for i in range(2):
        one = slice(i, i + 1)
        alone = network(x[one], network.condition(latents[one]), T[one])
        torch.testing.assert_close(together[one], alone)


def test_span_and_guidance_change_nothing_before_they_are_learned():
    network, (x, latents) = _network(), _inputs()
    condition = network.condition(latents)
    jump = network(x, condition, T, torch.tensor([0.3, 0.1]), torch.tensor([2.0, 3.0]))
    torch.testing.assert_close(jump, network(x, condition, T), rtol=0, atol=0)


def test_learned_jumps_leave_velocities_alone():
    network, (x, latents) = _network(), _inputs()
    condition = network.condition(latents)
    before = network(x, condition, T)
    torch.nn.init.normal_(network.step.jump.weight)
    torch.testing.assert_close(network(x, condition, T), before, rtol=0, atol=0)
    assert not torch.allclose(network(x, condition, T, span=torch.tensor([0.3, 0.1])), before)
    assert not torch.allclose(network(x, condition, T, guidance=torch.tensor([2.0, 2.0])), before)


def test_the_four_frames_of_a_code_line_up_with_it():
    """Without any convolution a frame sees its own code alone."""
    torch.manual_seed(0)
    config = NetworkConfig(frame_dim=16, dim=32, trunk_layers=0, middle_layers=0, frame_layers=0)
    network = DecoderNetwork(config, n_mels=10, latent_dim=8)
    torch.nn.init.normal_(network.mel_out.weight)
    x, latents = _inputs()
    changed = latents.clone()
    changed[:, 2] += 1.0
    first, second = (network(x, network.condition(given), T) for given in (latents, changed))
    moved = (first - second).abs().sum(-1)[0] > 0
    assert moved.tolist() == [8 <= frame < 12 for frame in range(20)]
    assert isinstance(network.condition(latents), Condition)
