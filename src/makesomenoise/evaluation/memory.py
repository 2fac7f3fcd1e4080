"""How much memory coding a long file takes, measured in a fresh process that does nothing else."""

import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from makesomenoise.audio import io
from makesomenoise.evaluation.resident import peak_resident_bytes
from makesomenoise.tokenizer.files import decode_file, encode_file
from makesomenoise.tokenizer.model import AudioTokenizer


def peak_memory(source: str | Path, vocoder: str | Path = "default", minutes: float = 60.0, threads: int = 2) -> int:
    """Highest resident memory of a process that encodes and decodes a long file, bytes.

    Args:
        source: tokenizer, as `AudioTokenizer.load` takes it.
        vocoder: vocoder, as `AudioTokenizer.load` takes it.
        minutes: length of the file, which is made of noise.
        threads: for torch.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_coded, str(source), str(vocoder), minutes, threads, folder).result()


def _coded(source: str, vocoder: str, minutes: float, threads: int, folder: str) -> int:
    torch.set_num_threads(threads)
    tokenizer = AudioTokenizer.load(source, vocoder)
    original, coded, decoded = (Path(folder) / name for name in ("in.wav", "coded.msn", "out.wav"))
    generator = torch.Generator().manual_seed(0)
    with io.writer(original, tokenizer.sample_rate) as write:
        for _ in range(max(1, round(minutes * 60))):
            write(0.1 * torch.randn(tokenizer.sample_rate, generator=generator))
    encode_file(tokenizer, original, coded)
    decode_file(tokenizer, coded, decoded)
    return peak_resident_bytes()
