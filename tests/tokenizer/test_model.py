"""`AudioTokenizer` keeps its promises: rates, lengths, exact batches and streams, seeds, save and load, errors."""

import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.model import PADDING, AudioTokenizer
from makesomenoise.tokenizer.network import TokenizerNetwork


def test_rates(tokenizer):
    assert tokenizer.code_rate == 23.4375
    assert tokenizer.bits_per_code == 10
    assert tokenizer.bits_per_second == 234.375


@pytest.mark.parametrize("samples", [1, 1023, 1024, 1025, 12_288, 12_289, 40_000])
def test_a_code_for_every_1024_samples_and_back(tokenizer, sound, samples):
    codes = tokenizer.encode(sound[:, :samples])
    assert codes.shape == (1, -(-samples // 1024))
    assert codes.dtype == torch.int64
    assert tokenizer.decode(codes).shape == (1, codes.shape[1] * 1024)


def test_codes_of_a_batch_are_those_of_each_clip_alone(tokenizer, sound):
    lengths = torch.tensor([72_000, 30_001, 1])
    batch = sound.repeat(3, 1)
    codes = tokenizer.encode(batch, lengths)
    for row, length in zip(codes, lengths.tolist(), strict=True):
        alone = tokenizer.encode(sound[:, :length])[0]
        assert row[: len(alone)].tolist() == alone.tolist()
        assert row[len(alone) :].eq(PADDING).all()


@pytest.mark.parametrize("chunk", [700, 1024, 9999, 50_000])
def test_streamed_codes_are_those_of_the_whole(tokenizer, sound, chunk):
    whole = tokenizer.encode(sound)[0]
    streamed = torch.cat(list(tokenizer.stream_encode(sound[0].split(chunk))))
    assert streamed.tolist() == whole.tolist()


@pytest.mark.parametrize("chunk", [1, 5, 12, 40])
def test_streamed_waveform_is_that_of_the_whole(tokenizer, sound, chunk):
    codes = tokenizer.encode(sound)
    whole = tokenizer.decode(codes, seed=3)[0]
    streamed = torch.cat(list(tokenizer.stream_decode(codes[0].split(chunk), seed=3)))
    torch.testing.assert_close(streamed, whole, rtol=0, atol=0)


def test_a_sound_begins_the_same_whatever_follows(tokenizer, sound):
    codes = tokenizer.encode(sound)
    window = tokenizer.config.window
    settled = window.codes * (codes.shape[1] // window.codes - 1)
    longer = torch.cat((sound, sound.flip(-1)), dim=-1)
    assert tokenizer.encode(longer)[0, :settled].tolist() == codes[0, :settled].tolist()


def test_seeds_reproduce_and_differ(tokenizer, sound):
    codes = tokenizer.encode(sound[:, :20_000])
    first = tokenizer.decode(codes, seed=1)
    torch.testing.assert_close(tokenizer.decode(codes, seed=1), first, rtol=0, atol=0)
    assert not torch.allclose(tokenizer.decode(codes, seed=2), first)


def test_steps_and_guidance_reach_the_decoder(tokenizer, sound):
    codes = tokenizer.encode(sound[:, :20_000])
    plain = tokenizer.decode_mel(codes)
    assert plain.shape == (1, 100, 80)
    assert not torch.allclose(tokenizer.decode_mel(codes, steps=5), plain)
    assert not torch.allclose(tokenizer.decode_mel(codes, guidance=1.0), plain)


def test_the_quality_reaches_the_decoder(tokenizer, sound):
    codes = tokenizer.encode(sound[:, :20_000])
    best = tokenizer.decode_mel(codes, quality="best")
    assert not torch.allclose(tokenizer.decode_mel(codes), best)
    torch.testing.assert_close(tokenizer.decode_mel(codes, quality="best"), best, rtol=0, atol=0)


@pytest.mark.parametrize("chunk", [1, 40])
def test_the_best_quality_streams_too(tokenizer, sound, chunk):
    codes = tokenizer.encode(sound[:, :40_000])
    streamed = torch.cat(list(tokenizer.stream_decode(codes[0].split(chunk), seed=3, quality="best")))
    torch.testing.assert_close(streamed, tokenizer.decode(codes, seed=3, quality="best")[0], rtol=0, atol=0)


def test_waveforms_of_a_batch_are_those_of_each_alone(tokenizer, sound):
    codes = tokenizer.encode(torch.cat((sound, sound.flip(-1))))
    together = tokenizer.decode(codes, seed=5)
    for row, waveform in zip(codes, together, strict=True):
        torch.testing.assert_close(tokenizer.decode(row[None], seed=5)[0], waveform, rtol=0, atol=0)


@pytest.mark.parametrize("decode", ["decode", "decode_mel"])
def test_an_unknown_quality_is_refused(tokenizer, decode):
    with pytest.raises(ValueError, match=r"^Unknown quality 'good': give fast or best\.$"):
        getattr(tokenizer, decode)(torch.zeros(1, 3, dtype=torch.int64), quality="good")


def test_steps_below_one_are_refused(tokenizer):
    with pytest.raises(ValueError, match="at least 1, got 0"):
        tokenizer.decode(torch.zeros(1, 3, dtype=torch.int64), steps=0)


def test_save_and_load_change_nothing(tokenizer, sound, tmp_path):
    tokenizer.save(tmp_path)
    loaded = AudioTokenizer.load(tmp_path, vocoder="griffin-lim")
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.encode(sound).tolist() == tokenizer.encode(sound).tolist()


@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_storage_keeps_the_fingerprint(tokenizer, tmp_path, storage):
    checkpoint.save_model(tmp_path, tokenizer.config, tokenizer.network.state_dict(), storage=storage)
    assert AudioTokenizer.load(tmp_path, vocoder="griffin-lim").fingerprint == tokenizer.fingerprint


def test_other_weights_have_another_fingerprint(tokenizer):
    torch.manual_seed(9)
    other = AudioTokenizer(TokenizerNetwork(tokenizer.config), tokenizer.vocoder)
    assert other.fingerprint != tokenizer.fingerprint


def test_only_what_decides_on_codes_counts_in_the_fingerprint(tokenizer):
    for part, same in (("decoder", True), ("encoder", False), ("quantizer", False)):
        network = TokenizerNetwork(tokenizer.config)
        network.load_state_dict(tokenizer.network.state_dict())
        with torch.no_grad():
            next(network.get_submodule(part).parameters()).add_(0.5)
        assert (AudioTokenizer(network, tokenizer.vocoder).fingerprint == tokenizer.fingerprint) is same


def test_weights_that_do_not_match_the_config_are_refused(tokenizer, tmp_path):
    config = tokenizer.config.model_dump()
    config["encoder"]["latent_dim"] = 16
    checkpoint.save_model(tmp_path, TokenizerConfig.model_validate(config), tokenizer.network.state_dict())
    with pytest.raises(checkpoint.CheckpointError, match=r"do not match its config\.yaml.*another shape"):
        AudioTokenizer.load(tmp_path, vocoder="griffin-lim")


@pytest.mark.parametrize("code", [-1, 1024])
def test_a_code_outside_the_codebook_is_refused(tokenizer, code):
    with pytest.raises(ValueError, match=rf"Code {code} is outside \[0, 1024\)"):
        tokenizer.decode(torch.tensor([[0, code, 5]]))


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


@pytest.fixture
def grouped(tokenizer):
    """The same weights, four windows of which go through the network together."""
    network = TokenizerNetwork(tokenizer.config)
    network.load_state_dict(tokenizer.network.state_dict())
    return AudioTokenizer(network, tokenizer.vocoder, windows_at_once=4)


def test_groups_of_windows_give_what_each_alone_gives(grouped, sound):
    lengths = torch.tensor([72_000, 30_001, 1])
    batch = torch.cat((sound, sound.flip(-1), sound))
    codes = grouped.encode(batch, lengths)
    sounds = grouped.decode(codes, seed=5)
    for clip, length, row, waveform in zip(batch, lengths.tolist(), codes, sounds, strict=True):
        alone = grouped.encode(clip[None, :length])
        assert row[row != PADDING].tolist() == alone[0].tolist()
        heard = grouped.decode(alone, seed=5)[0]
        torch.testing.assert_close(waveform[: len(heard)], heard, rtol=0, atol=0)
        assert waveform[len(heard) :].eq(0).all()


@pytest.mark.parametrize("chunk", [700, 9999])
def test_streams_give_what_groups_of_windows_give(grouped, sound, chunk):
    codes = grouped.encode(sound)
    streamed = torch.cat(list(grouped.stream_encode(sound[0].split(chunk))))
    assert streamed.tolist() == codes[0].tolist()
    pieces = grouped.stream_decode(codes[0].split(7), seed=3)
    torch.testing.assert_close(torch.cat(list(pieces)), grouped.decode(codes, seed=3)[0], rtol=0, atol=0)


def test_padding_between_codes_is_refused(tokenizer):
    with pytest.raises(ValueError, match=r"Code -1 is outside \[0, 1024\)"):
        tokenizer.decode(torch.tensor([[5, PADDING, 5]]))


def test_a_part_of_a_module_that_is_trained_stays_what_it_is(tokenizer, sound):
    codes, state = tokenizer.encode(sound), {k: v.clone() for k, v in tokenizer.network.state_dict().items()}
    outer = torch.nn.ModuleDict({"ears": tokenizer, "head": torch.nn.Linear(2, 2)}).train()
    assert outer["head"].training
    assert not any(module.training for module in tokenizer.modules())
    assert tokenizer.encode(sound).tolist() == codes.tolist()
    torch.testing.assert_close(dict(tokenizer.network.state_dict()), state, rtol=0, atol=0)
    assert not any(parameter.requires_grad for parameter in tokenizer.network.parameters())


@pytest.mark.parametrize("convert", [torch.nn.Module.half, torch.nn.Module.bfloat16, torch.nn.Module.double])
def test_another_precision_is_refused(tokenizer, sound, convert):
    codes = tokenizer.encode(sound)
    for module in (tokenizer, torch.nn.Sequential(tokenizer)):
        with pytest.raises(ValueError, match="computes in float32 and cannot be made") as caught:
            convert(module)
        assert "\n" not in str(caught.value)
    assert tokenizer.to("cpu").encode(sound).tolist() == codes.tolist()


def test_autocast_around_it_changes_nothing(tokenizer, sound):
    codes = tokenizer.encode(sound)
    heard = tokenizer.decode(codes)
    with torch.autocast("cpu", torch.bfloat16):
        assert tokenizer.encode(sound).tolist() == codes.tolist()
        torch.testing.assert_close(tokenizer.decode(codes), heard, rtol=0, atol=0)


def test_the_fingerprint_follows_weights_that_are_changed_in_place(tokenizer):
    network = TokenizerNetwork(tokenizer.config)
    network.load_state_dict(tokenizer.network.state_dict())
    other = AudioTokenizer(network, tokenizer.vocoder)
    assert other.fingerprint == tokenizer.fingerprint
    with torch.no_grad():
        next(network.encoder.parameters()).add_(0.5)
    assert other.fingerprint != tokenizer.fingerprint


def test_another_sample_rate_is_resampled(tokenizer, sound):
    codes = tokenizer.encode(sound[:, :44_100], sample_rate=44_100)
    assert codes.shape[1] == -(-24_000 // 1024)
    lengths = torch.tensor([22_050])
    assert tokenizer.encode(sound[:, :44_100], lengths, sample_rate=44_100).shape[1] == -(-12_000 // 1024)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_codes_of_a_gpu_do_not_depend_on_the_batch(tokenizer, sound):
    network = TokenizerNetwork(tokenizer.config)
    network.load_state_dict(tokenizer.network.state_dict())
    other = AudioTokenizer(network, tokenizer.vocoder).to("cuda")
    together = other.encode(torch.cat((sound, sound.flip(-1))))
    assert other.device.type == together.device.type == "cuda"
    assert together[0].tolist() == other.encode(sound)[0].tolist()
