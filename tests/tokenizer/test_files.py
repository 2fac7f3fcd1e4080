"""Files go round through the library too: an hour in constant memory, wrong files refused, nothing half-written."""

from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise import checkpoint
from makesomenoise.audio import io
from makesomenoise.tokenizer import bitstream
from makesomenoise.tokenizer.bitstream import BitstreamError
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.files import decode_file, encode_file
from makesomenoise.tokenizer.model import AudioTokenizer
from makesomenoise.tokenizer.network import TokenizerNetwork

BRANCH = {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2}
SIZES = {"frame_dim": 4, "frame_layers": 1, "dim": 8, "layers": 1, "heads": 1}
DECODER = {"frame_dim": 4, "dim": 8, "trunk_layers": 1, "middle_layers": 1, "frame_layers": 1}
SMALLEST = {
    "encoder": {"semantic_branch": BRANCH, **SIZES, "latent_dim": 4},
    "decoder": {"kind": "regression", "network": DECODER},
    "window": {"codes": 1024, "context": 4, "seam_frames": 8},
}


@pytest.fixture
def smallest(tmp_path_factory: pytest.TempPathFactory) -> AudioTokenizer:
    """The least network there can be, with long windows."""
    folder = tmp_path_factory.mktemp("smallest")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = TokenizerNetwork(TokenizerConfig.from_dict(SMALLEST))
    checkpoint.save_model(folder, network.config, network.state_dict())
    return AudioTokenizer.load(folder, "griffin-lim")


def test_files_and_tensors_agree(tokenizer, sound, tmp_path: Path):
    io.save(tmp_path / "in.flac", sound[0, :50_001])
    written = encode_file(tokenizer, tmp_path / "in.flac", tmp_path / "a.msn")
    assert np.array_equal(written.codes, tokenizer.encode(io.load(tmp_path / "in.flac")[None])[0])
    read = decode_file(tokenizer, tmp_path / "a.msn", tmp_path / "out.wav", steps=1, guidance=1.5, seed=7)
    assert read.sample_count == 50_001
    io.save(tmp_path / "expected.wav", tokenizer.decode(read.codes[None], 1, 1.5, 7)[0, :50_001])
    assert (tmp_path / "out.wav").read_bytes() == (tmp_path / "expected.wav").read_bytes()


def test_sound_may_come_as_bytes(tokenizer, sound, tmp_path: Path):
    io.save(tmp_path / "in.wav", sound[0, :5000])
    assert encode_file(tokenizer, (tmp_path / "in.wav").read_bytes(), tmp_path / "a.msn").sample_count == 5000


@pytest.mark.slow
def test_an_hour_of_silence_becomes_codes(smallest, tmp_path: Path):
    with io.writer(tmp_path / "hour.flac", 8000) as write:
        for _ in range(60):
            write(torch.zeros(60 * 8000))
    written = encode_file(smallest, tmp_path / "hour.flac", tmp_path / "hour.msn")
    assert written.sample_count == 3600 * 24_000
    assert len(bitstream.read(tmp_path / "hour.msn").codes) == 84_375
    assert (tmp_path / "hour.msn").stat().st_size == 105_469 + 32


def test_an_error_late_in_the_sound_leaves_no_file(tokenizer, tmp_path: Path, tone):
    samples = tone(30.0)
    samples[-100] = torch.inf
    import soundfile

    soundfile.write(tmp_path / "in.wav", samples.numpy(), 24_000, subtype="FLOAT")
    with pytest.raises(io.AudioError, match="not finite"):
        encode_file(tokenizer, tmp_path / "in.wav", tmp_path / "a.msn")
    assert [path.name for path in tmp_path.iterdir()] == ["in.wav"]


def test_an_error_late_in_decoding_leaves_no_file(tokenizer, sound, tmp_path: Path, monkeypatch):
    io.save(tmp_path / "in.wav", sound[0])
    encode_file(tokenizer, tmp_path / "in.wav", tmp_path / "a.msn")
    whole = tokenizer.stream_decode

    def failing(*arguments: object):
        yield next(whole(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(tokenizer, "stream_decode", failing)
    with pytest.raises(KeyboardInterrupt):
        decode_file(tokenizer, tmp_path / "a.msn", tmp_path / "out.wav")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.msn", "in.wav"]


def test_another_tokenizer_is_named(tokenizer, smallest, sound, tmp_path: Path):
    io.save(tmp_path / "in.wav", sound[0, :5000])
    encode_file(tokenizer, tmp_path / "in.wav", tmp_path / "a.msn")
    with pytest.raises(BitstreamError, match=f"{tokenizer.fingerprint}, but the loaded one is {smallest.fingerprint}"):
        decode_file(smallest, tmp_path / "a.msn", tmp_path / "out.wav")
