"""Times are taken in processes of their own, which load what they are told to."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from makesomenoise.evaluation.benchmark import (
    TimedCodec,
    describe_machine,
    measure_codec_speed,
    measure_language_speed,
    noise,
    on_threads,
    public_codecs,
    usable_cores,
)
from makesomenoise.language.config import LanguageConfig
from makesomenoise.language.model import LanguageModel
from makesomenoise.tokenizer.model import AudioTokenizer


def test_a_codec_is_timed_on_the_sound_it_is_given():
    seen = []

    def encode(sound: np.ndarray) -> np.ndarray:
        seen.append(sound.shape[1])
        return sound

    before = torch.get_num_threads()
    speed = measure_codec_speed(
        [TimedCodec("copy", 16.0, encode, np.copy)], seconds=2.0, threads=before + 1, repeats=2
    )[0]
    assert seen == [4800, 48_000, 48_000, 48_000]
    assert (speed.name, speed.bits_per_second) == ("copy", 16.0)
    assert speed.encode_speed > 0
    assert speed.decode_speed > 0
    assert torch.get_num_threads() == before


def test_threads_and_cores_are_those_that_were_asked_for_and_then_as_before():
    before = torch.get_num_threads(), usable_cores()
    with on_threads(1):
        assert (torch.get_num_threads(), usable_cores()) == (1, 1)
    assert (torch.get_num_threads(), usable_cores()) == before


@pytest.mark.slow
def test_public_codecs_run_at_their_rates():
    pytest.importorskip("transformers")
    sound = noise(1.0)
    for codec in public_codecs():
        codes = codec.encode(sound)
        codec.decode(codes)
        bits = 11 if codec.name == "Mimi" else 10
        assert codes.numel() * bits == pytest.approx(codec.bits_per_second, rel=0.05)


def test_memory_is_counted_in_bytes_and_only_grows():
    code = (
        "from makesomenoise.evaluation.benchmark import peak_resident_bytes as peak;"
        "before = peak(); held = bytearray(200 * 2**20); print(before, peak())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 2**20 < before < 400 * 2**20
    assert before + 150 * 2**20 < after < before + 300 * 2**20


def test_the_machine_is_described():
    machine = describe_machine()
    assert machine["torch"] == torch.__version__
    assert machine["cores"] == os.cpu_count()
    assert machine["commit"] == "unknown" or len(str(machine["commit"])) >= 40


@pytest.mark.slow
def test_a_fresh_process_is_timed(base: Path, tmp_path: Path):
    config = LanguageConfig(
        base=str(base), tokenizer_fingerprint=AudioTokenizer.load(vocoder="griffin-lim").fingerprint
    )
    LanguageModel.create(config, torch.randn(1024, 8)).save(tmp_path)
    speed = measure_language_speed(tmp_path, threads=1, seconds=0.5)
    assert (speed.threads, speed.seconds, speed.device, speed.engine) == (1, 0.5, "cpu", "auto")
    assert speed.codes_per_second == pytest.approx(0.5 * 23.4375 / speed.generate_seconds)
    assert 100 * 2**20 < speed.peak_memory_bytes < 3 * 2**30
