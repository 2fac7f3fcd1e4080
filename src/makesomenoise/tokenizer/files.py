"""Sound files to `.msn` files and back, in memory that does not grow with their length."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from makesomenoise.audio import io
from makesomenoise.tokenizer import bitstream
from makesomenoise.tokenizer.bitstream import Bitstream, BitstreamError
from makesomenoise.tokenizer.decoding import Quality
from makesomenoise.tokenizer.model import AudioTokenizer

_CODES_AT_A_TIME = 256


def encode_file(
    tokenizer: AudioTokenizer,
    source: io.Source,
    target: str | Path,
    strict: bool = False,
    report: io.Report | None = None,
) -> Bitstream:
    """Encodes a sound file to an `.msn` file, which appears whole or not at all.

    Args:
        tokenizer: makes the codes.
        source: any sound file that `audio.io` reads.
        target: name of the `.msn` file.
        strict: refuse a sound file of which something is missing.
        report: is told how much is done, 0 to 1, where the file says how long it is.

    Returns:
        What was written.

    Raises:
        AudioError: if the sound cannot be read.
        BitstreamError: if the file cannot be written.
    """
    sizes: list[int] = []
    chunks = counted(io.stream(source, tokenizer.sample_rate, strict=strict, report=report), sizes)
    codes = np.concatenate(list(tokenizer.stream_encode(chunks)))
    written = Bitstream(
        codes,
        sum(sizes),
        tokenizer.fingerprint,
        tokenizer.sample_rate,
        tokenizer.samples_per_code,
        tokenizer.bits_per_code,
    )
    bitstream.write(target, written)
    return written


def decode_file(
    tokenizer: AudioTokenizer,
    source: str | Path,
    target: str | Path,
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    quality: Quality = "fast",
    *,
    report: io.Report | None = None,
) -> Bitstream:
    """Decodes an `.msn` file to a sound file, which appears whole or not at all.

    Args:
        tokenizer: must be the one that made the codes.
        source: name of the `.msn` file.
        target: name of the sound file; its suffix names the format.
        steps: see `AudioTokenizer.decode`.
        guidance: see `AudioTokenizer.decode`.
        seed: the same seed gives the same sound.
        quality: see `AudioTokenizer.decode`.
        report: is told how much is done, 0 to 1.

    Returns:
        What was read.

    Raises:
        BitstreamError: if the file cannot be read or is not of this tokenizer.
        AudioError: if the sound cannot be written.
    """
    read = read_codes(tokenizer, source)
    left = read.sample_count
    with io.writer(target, tokenizer.sample_rate) as write:
        for chunk in tokenizer.stream_decode(_pieces(read.codes), steps, guidance, seed, quality):
            write(chunk[:left])
            left -= min(left, len(chunk))
            if report is not None:
                report(1.0 - left / read.sample_count)
    return read


def _pieces(codes: np.ndarray) -> Iterator[np.ndarray]:
    return (codes[start : start + _CODES_AT_A_TIME] for start in range(0, len(codes), _CODES_AT_A_TIME))


def read_codes(tokenizer: AudioTokenizer, source: str | Path) -> Bitstream:
    """Reads an `.msn` file of a tokenizer's own codes.

    Args:
        tokenizer: must be the one that made the codes.
        source: name of the `.msn` file.

    Raises:
        BitstreamError: if the file cannot be read or is not of this tokenizer.
    """
    read = bitstream.read(source)
    if read.fingerprint != tokenizer.fingerprint:
        raise BitstreamError(
            f"{source} was made by the tokenizer {read.fingerprint}, but the loaded one is {tokenizer.fingerprint}; "
            "load the tokenizer it was made with (`--model`)."
        )
    if int(read.codes.max()) >= tokenizer.codebook_size:
        raise BitstreamError(
            f"{source} holds the code {int(read.codes.max())}, outside [0, {tokenizer.codebook_size}) of its tokenizer."
        )
    return read


def counted(chunks: Iterator[np.ndarray], sizes: list[int]) -> Iterator[np.ndarray]:
    """The chunks as they come, each with its number of samples added to `sizes`."""
    for chunk in chunks:
        sizes.append(len(chunk))
        yield chunk
