"""`AudioTokenizer` keeps its promises: rates, lengths, exact batches and streams, seeds, save and load, errors."""

import numpy as np
import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.errors import ModelError
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.tokenizer.network import TokenizerNetwork


def pieces(array, size):
    return [array[start : start + size] for start in range(0, len(array), size)]


def test_rates(tokenizer):
    assert tokenizer.code_rate == 23.4375
    assert tokenizer.bits_per_code == 10
    assert tokenizer.bits_per_second == 234.375


@pytest.mark.parametrize("samples", [1, 1023, 1024, 1025, 12_288, 12_289, 40_000])
def test_a_code_for_every_1024_samples_and_back(tokenizer, sound, samples):
    codes = tokenizer.encode(sound[:, :samples])
    assert codes.shape == (1, -(-samples // 1024))
    assert codes.dtype == np.int64
    assert tokenizer.decode(codes).shape == (1, codes.shape[1] * 1024)


def test_codes_of_a_batch_are_those_of_each_clip_alone(tokenizer, sound):
    lengths = torch.tensor([72_000, 30_001, 1])
    batch = sound.repeat(3, 1)
    codes = tokenizer.encode(batch, lengths)
    for row, length in zip(codes, lengths.tolist(), strict=True):
        alone = tokenizer.encode(sound[:, :length])[0]
        assert row[: len(alone)].tolist() == alone.tolist()
        assert not row[len(alone) :].any()


@pytest.mark.parametrize("chunk", [700, 1024, 9999, 50_000])
def test_streamed_codes_are_those_of_the_whole(tokenizer, sound, chunk):
    whole = tokenizer.encode(sound)[0]
    streamed = np.concatenate(list(tokenizer.stream_encode(sound[0].split(chunk))))
    assert streamed.tolist() == whole.tolist()


@pytest.mark.parametrize("chunk", [1, 5, 12, 40])
def test_streamed_waveform_is_that_of_the_whole(tokenizer, sound, chunk):
    codes = tokenizer.encode(sound)
    whole = tokenizer.decode(codes, seed=3)[0]
    streamed = np.concatenate(list(tokenizer.stream_decode(pieces(codes[0], chunk), seed=3)))
    np.testing.assert_allclose(streamed, whole, rtol=0, atol=0)


def test_a_sound_begins_the_same_whatever_follows(tokenizer, sound):
    codes = tokenizer.encode(sound)
    window = tokenizer.config.window
    settled = window.codes * (codes.shape[1] // window.codes - 1)
    longer = torch.cat((sound, sound.flip(-1)), dim=-1)
    assert tokenizer.encode(longer)[0, :settled].tolist() == codes[0, :settled].tolist()


def test_seeds_reproduce_and_differ(tokenizer, sound):
    codes = tokenizer.encode(sound[:, :20_000])
    first = tokenizer.decode(codes, seed=1)
    np.testing.assert_allclose(tokenizer.decode(codes, seed=1), first, rtol=0, atol=0)
    assert not np.allclose(tokenizer.decode(codes, seed=2), first)


def test_steps_and_guidance_reach_the_decoder(tokenizer, sound):
    codes = tokenizer.encode(sound[:, :20_000])
    plain = tokenizer.decode_mel(codes)
    assert plain.shape == (1, 100, 80)
    assert not np.allclose(tokenizer.decode_mel(codes, steps=5), plain)
    assert not np.allclose(tokenizer.decode_mel(codes, guidance=1.0), plain)


def test_the_quality_reaches_the_decoder(tokenizer, sound):
    codes = tokenizer.encode(sound[:, :20_000])
    best = tokenizer.decode_mel(codes, quality="best")
    assert not np.allclose(tokenizer.decode_mel(codes), best)
    np.testing.assert_allclose(tokenizer.decode_mel(codes, quality="best"), best, rtol=0, atol=0)


@pytest.mark.parametrize("chunk", [1, 40])
def test_the_best_quality_streams_too(tokenizer, sound, chunk):
    codes = tokenizer.encode(sound[:, :40_000])
    streamed = np.concatenate(list(tokenizer.stream_decode(pieces(codes[0], chunk), seed=3, quality="best")))
    np.testing.assert_allclose(streamed, tokenizer.decode(codes, seed=3, quality="best")[0], rtol=0, atol=0)


def test_waveforms_of_a_batch_are_those_of_each_alone(tokenizer, sound):
    codes = tokenizer.encode(torch.cat((sound, sound.flip(-1))))
    together = tokenizer.decode(codes, seed=5)
    for row, waveform in zip(codes, together, strict=True):
        np.testing.assert_allclose(tokenizer.decode(row[None], seed=5)[0], waveform, rtol=0, atol=0)


@pytest.mark.parametrize("decode", ["decode", "decode_mel"])
def test_an_unknown_quality_is_refused(tokenizer, decode):
    with pytest.raises(ValueError, match=r"^Unknown quality 'good': give fast or best\.$"):
        getattr(tokenizer, decode)([[0, 0, 0]], quality="good")


def test_steps_below_one_are_refused(tokenizer):
    with pytest.raises(ValueError, match="at least 1, got 0"):
        tokenizer.decode([[0, 0, 0]], steps=0)


@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_storage_keeps_the_fingerprint(network, tmp_path, storage):
    checkpoint.save_model(tmp_path, network.config, network.state_dict(), storage=storage)
    expected = checkpoint.fingerprint(network.config, network.state_dict(), without="decoder")
    assert AudioTokenizer.load(tmp_path, vocoder="griffin-lim").fingerprint == expected


def test_only_what_decides_on_codes_counts_in_the_fingerprint(network, tmp_path):
    first = checkpoint.fingerprint(network.config, network.state_dict(), without="decoder")
    for part, same in (("decoder", True), ("encoder", False), ("quantizer", False)):
        state = {name: t + 0.5 if name.startswith(part) else t for name, t in network.state_dict().items()}
        checkpoint.save_model(tmp_path / part, network.config, state)
        other = AudioTokenizer.load(tmp_path / part, vocoder="griffin-lim").fingerprint
        assert (other == first) is same


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_weights_that_do_not_match_the_config_are_refused(network, tmp_path, engine):
    config = network.config.model_dump()
    config["encoder"]["latent_dim"] = 16
    checkpoint.save_model(tmp_path, TokenizerConfig.model_validate(config), network.state_dict())
    with pytest.raises(ModelError, match=r"do not match its config\.yaml.*another shape"):
        AudioTokenizer.load(tmp_path, vocoder="griffin-lim", engine=engine)


def test_both_engines_give_the_same_codes_and_nearly_the_same_sound(folder, sound):
    loaded = (AudioTokenizer.load(folder / "tokenizer", folder / "vocoder", engine=name) for name in ("onnx", "torch"))
    onnx, torch_one = loaded
    codes = onnx.encode(sound)
    assert torch_one.encode(sound).tolist() == codes.tolist()
    np.testing.assert_allclose(torch_one.codebook, onnx.codebook)
    for quality in ("fast", "best"):
        waveforms = (each.decode(codes, seed=3, quality=quality) for each in (onnx, torch_one))
        np.testing.assert_allclose(*waveforms, atol=1e-3)


@pytest.mark.parametrize("quantizer", [{"kind": "ema"}, {"kind": "fsq"}, {"kind": "variational"}])
def test_every_quantizer_decodes_with_its_codebook(network, quantizer, tmp_path):
    config = TokenizerConfig.from_dict(network.config.model_dump(mode="json") | {"quantizer": quantizer})
    other = TokenizerNetwork(config)
    checkpoint.save_model(tmp_path, config, other.state_dict())
    loaded = AudioTokenizer.load(tmp_path, vocoder="griffin-lim")
    np.testing.assert_allclose(loaded.codebook, other.quantizer.codebook().detach().numpy(), atol=1e-5)


def test_an_engine_that_cannot_run_a_model_says_so(network, tmp_path):
    config = TokenizerConfig.from_dict(network.config.model_dump(mode="json") | {"quantizer": {"kind": "fsq"}})
    checkpoint.save_model(tmp_path, config, TokenizerNetwork(config).state_dict())
    with pytest.raises(ModelError, match="kind fsq"):
        AudioTokenizer.load(tmp_path, vocoder="griffin-lim", engine="onnx")


def test_the_codes_of_the_shipped_models_stay():
    for name, fingerprint in (("default", "2d10c63ee1855924"), ("vqvae", "3949cc2ff0235346")):
        assert AudioTokenizer.load(name, vocoder="griffin-lim").fingerprint == fingerprint


@pytest.mark.parametrize("code", [-1, 1024])
def test_a_code_outside_the_codebook_is_refused(tokenizer, code):
    with pytest.raises(ValueError, match=rf"Code {code} is outside \[0, 1024\)"):
        tokenizer.decode([[0, code, 5]])


@pytest.mark.parametrize("codes", [torch.zeros(1, 0, dtype=torch.int64), torch.zeros(1, 3), torch.zeros(3).long()])
def test_codes_of_another_form_are_refused(tokenizer, codes):
    with pytest.raises(ValueError, match="Expected integer codes"):
        tokenizer.decode(codes)


@pytest.mark.parametrize("shape", [(1, 0), (0,), (1, 1, 2, 3), (1, 9, 5)])
def test_waveforms_of_another_form_are_refused(tokenizer, shape):
    with pytest.raises(ValueError, match=r"Expected a waveform \[B, S\]"):
        tokenizer.encode(torch.zeros(shape))


@pytest.mark.parametrize("lengths", [[0], [5], [3, 3]])
def test_lengths_that_do_not_fit_are_refused(tokenizer, lengths):
    with pytest.raises(ValueError, match="lengths"):
        tokenizer.encode(torch.zeros(1, 4), torch.tensor(lengths))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_samples_that_are_not_finite_are_refused(tokenizer, value):
    waveform = torch.zeros(1, 5000)
    waveform[0, 4000] = value
    with pytest.raises(ValueError, match="not finite"):
        tokenizer.encode(waveform)


def test_arrays_of_other_types_and_rates_give_the_codes_of_their_sound(tokenizer, tone):
    waveform = (tone(0.5)[None] * 32767).round() / 32768
    codes = tokenizer.encode(waveform)
    for same in (waveform.numpy(), waveform.tolist(), waveform.double(), (waveform * 32768).short(), waveform[0]):
        assert torch.equal(tokenizer.encode(same), codes)
    assert torch.equal(torch.cat(list(tokenizer.stream_encode([(waveform[0] * 32768).short().numpy()]))), codes[0])
    slow = tokenizer.encode(tone(0.5, 440.0, 8000)[None], sample_rate=8000)
    assert slow.shape == codes.shape
    assert tokenizer.encode(torch.zeros(2, 8000), [8000, 100], 8000).shape == (2, 24)
    assert torch.equal(tokenizer.decode(codes.tolist(), 1), tokenizer.decode(codes.numpy(), 1))
