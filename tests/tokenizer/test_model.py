"""`AudioTokenizer` keeps its promises: rates, lengths, exact batches and streams, seeds, save and load, errors."""

import numpy as np
import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.errors import ModelError
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.model import PADDING, AudioTokenizer
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.tokenizer.torch import TorchCodec
from makesomenoise.vocoder.loading import load_vocoder


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
        assert (row[len(alone) :] == PADDING).all()


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
    expected = checkpoint.model_fingerprint(network.config, network.state_dict())
    assert AudioTokenizer.load(tmp_path, vocoder="griffin-lim").fingerprint == expected


def test_only_what_decides_on_codes_counts_in_the_fingerprint(network, tmp_path):
    first = checkpoint.model_fingerprint(network.config, network.state_dict())
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
        assert tokenizer.encode(same).tolist() == codes.tolist()
    streamed = np.concatenate(list(tokenizer.stream_encode([(waveform[0] * 32768).short().numpy()])))
    assert streamed.tolist() == codes[0].tolist()
    slow = tokenizer.encode(tone(0.5, 440.0, 8000)[None], sample_rate=8000)
    assert slow.shape == codes.shape
    assert tokenizer.encode(torch.zeros(2, 8000), [8000, 100], 8000).shape == (2, 24)
    np.testing.assert_array_equal(tokenizer.decode(codes.tolist(), 1), tokenizer.decode(torch.from_numpy(codes), 1))


@pytest.fixture(scope="module")
def grouped(folder):
    """The same weights in torch, four windows of which go through the networks together."""
    stored = checkpoint.load_model(folder / "tokenizer", TokenizerConfig)
    codec = TorchCodec(TokenizerNetwork.load(folder / "tokenizer"))
    vocoder = load_vocoder(folder / "vocoder", stored.config.mel, "torch")
    return AudioTokenizer(stored, codec, vocoder, windows_at_once=4)


def test_groups_of_windows_give_what_each_alone_gives(grouped, sound):
    lengths = torch.tensor([72_000, 30_001, 1])
    batch = torch.cat((sound, sound.flip(-1), sound))
    codes = grouped.encode(batch, lengths)
    sounds = grouped.decode(codes, seed=5)
    for clip, length, row, waveform in zip(batch, lengths.tolist(), codes, sounds, strict=True):
        alone = grouped.encode(clip[None, :length])
        assert row[row != PADDING].tolist() == alone[0].tolist()
        heard = grouped.decode(alone, seed=5)[0]
        np.testing.assert_array_equal(waveform[: len(heard)], heard)
        assert not waveform[len(heard) :].any()


@pytest.mark.parametrize("chunk", [700, 9999])
def test_streams_give_what_groups_of_windows_give(grouped, sound, chunk):
    codes = grouped.encode(sound)
    streamed = np.concatenate(list(grouped.stream_encode(sound[0].split(chunk))))
    assert streamed.tolist() == codes[0].tolist()
    made = np.concatenate(list(grouped.stream_decode(pieces(codes[0], 7), seed=3)))
    np.testing.assert_array_equal(made, grouped.decode(codes, seed=3)[0])


def test_windows_that_run_together_give_the_codes_of_one_after_the_other(tokenizer, grouped, sound):
    assert grouped.encode(sound).tolist() == tokenizer.encode(sound).tolist()


@pytest.mark.parametrize(
    ("codes", "wrong"), [([[5, PADDING, 5]], -1), ([[PADDING, PADDING]], -1), ([[-5, PADDING]], -5)]
)
def test_padding_that_is_not_behind_the_last_code_is_refused(tokenizer, codes, wrong):
    with pytest.raises(ValueError, match=rf"Code {wrong} is outside \[0, 1024\)"):
        tokenizer.decode(codes)


def test_mels_are_made_of_whole_rows_alone(tokenizer):
    with pytest.raises(ValueError, match=r"Code -1 is outside \[0, 1024\)"):
        tokenizer.decode_mel([[5, 5], [5, PADDING]])


class Holder(torch.nn.Module):
    """A module with a tokenizer as attribute, as that of a language model or of a training may be."""

    def __init__(self, tokenizer):
        super().__init__()
        self.tokenizer, self.head = tokenizer, torch.nn.Linear(2, 2)


@pytest.mark.parametrize(
    "change", [torch.nn.Module.train, torch.nn.Module.half, torch.nn.Module.bfloat16, torch.nn.Module.double]
)
def test_what_is_done_to_a_module_that_holds_it_changes_nothing(tokenizer, sound, change):
    codes = tokenizer.encode(sound)
    heard = tokenizer.decode(codes)
    holder = Holder(tokenizer)
    change(holder)
    assert len(list(holder.parameters())) == 2
    assert holder.tokenizer.encode(sound).tolist() == codes.tolist()
    np.testing.assert_array_equal(holder.tokenizer.decode(codes), heard)


def test_autocast_around_it_changes_nothing(tokenizer, sound):
    codes = tokenizer.encode(sound)
    heard = tokenizer.decode(codes)
    with torch.autocast("cpu", torch.bfloat16):
        assert tokenizer.encode(sound).tolist() == codes.tolist()
        np.testing.assert_array_equal(tokenizer.decode(codes), heard)


def test_another_sample_rate_is_resampled(tokenizer, sound):
    codes = tokenizer.encode(sound[:, :44_100], sample_rate=44_100)
    assert codes.shape[1] == -(-24_000 // 1024)
    lengths = torch.tensor([22_050])
    assert tokenizer.encode(sound[:, :44_100], lengths, sample_rate=44_100).shape[1] == -(-12_000 // 1024)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_codes_of_a_gpu_do_not_depend_on_the_batch(folder, sound):
    other = AudioTokenizer.load(folder / "tokenizer", folder / "vocoder", device="cuda")
    assert other.device == "cuda"
    together = other.encode(torch.cat((sound, sound.flip(-1))))
    assert together[0].tolist() == other.encode(sound)[0].tolist()
