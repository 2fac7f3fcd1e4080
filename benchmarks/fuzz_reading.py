"""Two thousand damaged sound files and odd options through `msn`: no traceback, nothing overwritten, nothing left.

    python benchmarks/fuzz_reading.py [EXAMPLES]

Files of every container are cut, joined and changed at random, the same ones in each run, and encoded; `.msn` files are
decoded. Every call must end with 0 or 2, leave its input and everything beside it alone, and all of them together must
take less than 1 GB. The tests run a few of the same (`tests/cli/test_fuzz_reading.py`).
"""

import io
import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from makesomenoise.cli.main import app
from makesomenoise.tokenizer.bitstream import Bitstream, to_bytes

Msn = Callable[..., Any]

_FORMATS = (
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("WAV", "IMA_ADPCM"),
    ("RF64", "PCM_16"),
    ("AIFF", "PCM_24"),
    ("CAF", "PCM_16"),
    ("W64", "PCM_16"),
    ("AU", "ULAW"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
)
_MP4 = b"\0\0\0\x18ftypM4A \0\0\0\0M4A isom" + b"\0\0\0\x10moov" + bytes(8) + b"\0\0\0\x10mdat" + bytes(8)
_WEBM = bytes.fromhex(
    "1a45dfa39f4286810142f7810142f2810442f381084282847765626d42878104428581021853806701ffffffffffffff"
)
_SIZES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\1", b"\1\0\0\0")
_NAMES = ("a.wav", "a.mp3", "a.flac", "a.m4a", "a.txt", "a", "a b.ogg", "ä.wav", ".a.wav")
_VALUES = ("0", "1", "-1", "nan", "inf", "1e400", "0.5", "two", "", "99999999999999999999", "9" * 30)
_MOST_BYTES = 1 << 30


def encoded(file_format: str, subtype: str) -> bytes:
    """A fifth of a second of noise as a file."""
    samples, buffer = np.random.default_rng(0).uniform(-0.5, 0.5, 4800).astype("f"), io.BytesIO()
    soundfile.write(buffer, samples, 24_000, format=file_format, subtype=subtype)
    return buffer.getvalue()


def coded() -> bytes:
    """An `.msn` file of any tokenizer."""
    return to_bytes(Bitstream(torch.arange(10), 10_000, "0" * 16))


def files() -> list[bytes]:
    """A good file of each kind."""
    return [*(encoded(*one) for one in _FORMATS), _MP4, _WEBM]


@dataclass(frozen=True)
class Change:
    """One thing that is done to a file: at a share of its length, with some bytes."""

    kind: str
    place: float
    data: bytes

    def of(self, file: bytes) -> bytes:
        """The file after it."""
        # Headers are where it matters: half the changes are among the first hundred bytes.
        reach = min(len(file), 100) if self.place < 0.5 else len(file)  # noqa: PLR2004
        at = int(self.place * 2 % 1 * reach)
        before, after = file[:at], file[at + len(self.data) :]
        return {
            "cut": before,
            "set": before + self.data + after,
            "insert": before + self.data + file[at:],
            "lose": before + after,
            "repeat": before + file,
            "tag": b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + file + b"TAG" + bytes(125),
        }[self.kind]


CHANGES = st.builds(
    Change,
    st.sampled_from(("cut", "set", "set", "set", "insert", "lose", "repeat", "tag")),
    st.floats(0.0, 1.0, exclude_max=True),
    st.one_of(st.sampled_from(_SIZES), st.binary(min_size=1, max_size=6)),
)


@dataclass(frozen=True)
class Case:
    """A call of `msn`.

    Attributes:
        name: of the input.
        content: of the input.
        options: words that follow.
        command: of `msn`.
    """

    name: str
    content: bytes
    options: tuple[str, ...]
    command: str


def _changed(file: bytes, changes: list[Change], joined: bytes) -> bytes:
    for change in changes:
        file = change.of(file)
    return file + joined


def cases() -> st.SearchStrategy[Case]:
    """Calls of `msn encode` on damaged sound, and of `msn decode` and `info` on damaged codes."""
    sounds = st.sampled_from(files())
    sound = st.builds(_changed, sounds, st.lists(CHANGES, min_size=1, max_size=4), st.one_of(st.just(b""), sounds))
    codes = st.builds(_changed, st.just(coded()), st.lists(CHANGES, max_size=2), st.just(b""))
    values = st.sampled_from(_VALUES)
    numbers = st.tuples(st.sampled_from(("--seed", "--steps", "--guidance")), values)
    names = st.sampled_from(_NAMES)
    strict = st.sampled_from(((), (), ("--strict",), ("--device", "meta")))
    encoding = st.builds(Case, names, sound, strict, st.just("encode"))
    decoding = st.builds(Case, names, codes, numbers, st.just("decode"))
    reading = st.builds(Case, names, codes, st.just(()), st.just("info"))
    return st.one_of(encoding, encoding, encoding, encoding, encoding, decoding, reading)


def check(case: Case, msn: Msn, model: Path) -> None:
    """Makes a call and checks what must hold of any.

    Args:
        case: the call.
        msn: calls `msn` and gives typer's result.
        model: folder of a tokenizer.

    Raises:
        AssertionError: if it does not.
    """
    with tempfile.TemporaryDirectory() as folder:
        copies, usual = Path(folder) / "copies", tempfile.tempdir
        copies.mkdir()
        source, target = Path(folder) / case.name, Path(folder) / "out.msn"
        source.write_bytes(case.content)
        target = target.with_suffix(".wav") if case.command == "decode" else target
        words = [source] if case.command == "info" else [source, target, "--model", model]
        tempfile.tempdir = str(copies)
        try:
            result = msn(case.command, *words, *case.options)
        finally:
            tempfile.tempdir = usual
        said = f"{case.command} {case.options} {case.content[:80]!r}: {result.output}"
        assert result.exit_code in {0, 2}, f"{said} {result.exception!r}"
        assert "Traceback" not in result.output, said
        assert source.read_bytes() == case.content, said
        expected = {source, copies, target} if result.exit_code == 0 and case.command != "info" else {source, copies}
        assert set(Path(folder).iterdir()) == expected, said
        assert not list(copies.iterdir()), said


def main() -> None:
    """Runs the cases and says what they took."""
    examples, runner = int(sys.argv[1]) if len(sys.argv) > 1 else 2000, CliRunner()
    ended: dict[int, int] = {}

    def msn(*words: object) -> Any:
        result = runner.invoke(app, [str(word) for word in words])
        ended[result.exit_code] = ended.get(result.exit_code, 0) + 1
        return result

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(cases())
    def run(case: Case) -> None:
        check(case, msn, Path("default"))

    run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{sum(ended.values())} calls, by exit code {ended}; {peak / 2**20:.0f} MB at most")
    if peak > _MOST_BYTES:
        sys.exit(f"More than {_MOST_BYTES / 2**20:.0f} MB.")


if __name__ == "__main__":
    main()
