"""Every quantizer keeps the protocol; the variational one also its mathematics."""

import math

import pytest
import torch

from makesomenoise.tokenizer.config import EmaConfig, EncoderConfig, FsqConfig, TokenizerConfig, VariationalConfig
from makesomenoise.tokenizer.network import build_quantizer
from makesomenoise.tokenizer.quantizers.base import on_sphere
from makesomenoise.tokenizer.quantizers.fsq import FsqQuantizer
from makesomenoise.tokenizer.quantizers.variational import VariationalQuantizer

CONFIGS = [VariationalConfig(codebook_size=64), EmaConfig(codebook_size=64), FsqConfig(levels=(4, 4, 4))]


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=CONFIGS, ids=lambda config: config.kind)
def quantizer(request):
    torch.manual_seed(0)
    return build_quantizer(TokenizerConfig(encoder=EncoderConfig(latent_dim=8), quantizer=request.param))


@pytest.fixture
def latents():
    return torch.randn(2, 8, 30, generator=_generator(1))


def test_codes_are_integers_of_the_codebook(quantizer, latents):
    codes = quantizer.eval().encode(latents)
    assert codes.shape == (2, 30)
    assert codes.dtype == torch.int64
    assert codes.min() >= 0
    assert codes.max() < quantizer.codebook_size == 64
    assert len(codes.unique()) > 8


def test_encoding_a_decoded_code_gives_the_code(quantizer):
    if isinstance(quantizer, FsqQuantizer):
        pytest.skip("the projections around the levels are learned and not each other's inverse")
    codes = torch.arange(64)[None]
    assert quantizer.eval().encode(quantizer.decode(codes)).tolist() == codes.tolist()


def test_decode_looks_up_the_codebook(quantizer):
    codes = torch.tensor([[3, 0, 63]])
    torch.testing.assert_close(quantizer.decode(codes)[0].T, quantizer.codebook()[codes[0]])


def test_training_path_yields_latents_of_its_own_codes(quantizer, latents):
    result = quantizer.eval()(latents, 1.0, _generator())  # in eval mode the moving averages stand still
    torch.testing.assert_close(result.latents, quantizer.decode(result.codes), rtol=1e-4, atol=1e-5)
    assert result.loss.shape == ()


def test_gradients_reach_the_latents(quantizer, latents):
    latents.requires_grad_()
    result = quantizer.train()(latents, 0.5, _generator())
    (result.latents.square().sum() + result.latents.sum() + result.loss).backward()
    assert float(latents.grad.abs().sum()) > 0


def test_the_same_generator_gives_the_same_codes(quantizer, latents):
    first = quantizer.eval()(latents, 0.5, _generator(5)).codes
    assert quantizer(latents, 0.5, _generator(5)).codes.tolist() == first.tolist()


def test_inference_changes_no_state(quantizer, latents):
    before = {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}
    quantizer.eval().encode(latents)
    for name, tensor in quantizer.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_ema_codebook_moves_towards_the_latents():
    torch.manual_seed(0)
    quantizer = build_quantizer(
        TokenizerConfig(encoder=EncoderConfig(latent_dim=8), quantizer=EmaConfig(codebook_size=16, decay=0.5))
    ).train()
    latents = on_sphere(torch.randn(1, 12, 8, generator=_generator(2))).transpose(1, 2)

    def distance():
        return float((quantizer.decode(quantizer.encode(latents)) - latents).norm())

    before = distance()
    for step in range(20):
        quantizer(latents, 0.0, _generator(step))
    assert distance() < 0.5 * before


class TestVariational:
    def _quantizer(self, **settings):
        torch.manual_seed(0)
        return VariationalQuantizer(
            VariationalConfig(**{"codebook_size": 32, "kl_weight": 1.0, "usage_weight": 0.0} | settings), 8
        )

    def test_kl_is_that_of_the_written_formula(self, latents):
        quantizer = self._quantizer(precision_start=7.0)
        z = torch.nn.functional.normalize(latents, dim=1).transpose(1, 2)
        e = torch.nn.functional.normalize(quantizer.embeddings, dim=-1)
        energy = 7.0 / 2 * torch.cdist(z, e.expand(2, -1, -1)).square()
        q = torch.softmax(-energy, dim=-1)
        expected = ((q * energy).sum(-1) + (q * q.log()).sum(-1)).mean() + math.log(32)
        torch.testing.assert_close(quantizer(latents, 0.0, _generator()).loss, expected, rtol=1e-4, atol=1e-4)

    def test_samples_follow_the_posterior(self):
        quantizer = self._quantizer(precision_start=3.0)
        z = torch.randn(1, 8, 1, generator=_generator(3))
        codes = quantizer(z.expand(1, 8, 40_000), 0.0, _generator(4)).codes
        unit = torch.nn.functional.normalize(z[0, :, 0], dim=0)
        directions = torch.nn.functional.normalize(quantizer.embeddings, dim=-1)
        posterior = torch.softmax(3.0 * directions @ unit, dim=-1)
        frequency = torch.bincount(codes.flatten(), minlength=32) / 40_000
        torch.testing.assert_close(frequency, posterior.detach(), rtol=0, atol=0.01)

    def test_a_precise_posterior_is_deterministic(self, latents):
        quantizer = self._quantizer(precision_start=1e5)
        assert quantizer(latents, 1.0, _generator()).codes.tolist() == quantizer.encode(latents).tolist()

    def test_temperature_falls_to_its_end(self):
        quantizer = self._quantizer(temperature_start=1.0, temperature_end=0.25)
        temperatures = [quantizer._temperature(p) for p in (0.0, 0.5, 1.0, 2.0)]
        assert temperatures == pytest.approx([1.0, 0.5, 0.25, 0.25])

    def test_codebook_and_precision_learn(self, latents):
        quantizer = self._quantizer()
        quantizer(latents, 0.0, _generator()).loss.backward()
        assert float(quantizer.embeddings.grad.abs().sum()) > 0
        assert float(quantizer.log_precision.grad.abs()) > 0

    def test_usage_term_is_zero_for_even_and_log_k_for_single_use(self):
        quantizer = self._quantizer(kl_weight=0.0, usage_weight=1.0, precision_start=1e4)
        even = quantizer.codebook().detach().T[None]
        single = even[..., :1].expand(1, 8, 32)
        assert quantizer(even, 0.0, _generator()).loss.item() == pytest.approx(0.0, abs=1e-3)
        assert quantizer(single, 0.0, _generator()).loss.item() == pytest.approx(math.log(32), abs=1e-3)
