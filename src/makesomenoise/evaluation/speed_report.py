"""What `msn bench` measures: starts, coding, captions and made sounds on each engine, beside other codecs."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from makesomenoise.audio import io
from makesomenoise.engine.base import chosen_engine
from makesomenoise.evaluation.benchmark import (
    CodecSpeed,
    LanguageSpeed,
    describe_machine,
    measure_codec_speed,
    measure_language_speed,
    noise,
    public_codecs,
    timed_tokenizer,
)
from makesomenoise.evaluation.cold_start import ColdStart, measure_cold_start
from makesomenoise.files import make_folder, write_text
from makesomenoise.tokenizer.model import AudioTokenizer

_START_SECONDS = 5.0
_MEBIBYTE = 2**20


@dataclass(frozen=True)
class SpeedInputs:
    """What is timed, and how.

    Attributes:
        model: tokenizer, as `AudioTokenizer.load` takes it.
        vocoder: as `AudioTokenizer.load` takes it.
        language: language model, as `AudioLanguageModel.load` takes it; none leaves it out.
        engines: `onnx`, `torch`.
        seconds: length of the sound that is coded.
        threads: see `on_threads`.
        others: whether EnCodec, DAC and Mimi are timed too.
        repeats: how many starts the median is of.
    """

    model: str = "default"
    vocoder: str = "default"
    language: str | None = "language"
    engines: tuple[str, ...] = ("onnx", "torch")
    seconds: float = 30.0
    threads: int = 2
    others: bool = False
    repeats: int = 3


@dataclass(frozen=True)
class SpeedReport:
    """How fast everything is on one machine.

    Attributes:
        machine: see `describe_machine`.
        seconds: length of the sound that is coded.
        threads: of each measurement but the starts, which choose their own.
        starts: by engine and command, on 5 s of sound.
        codecs: coding; those of ours are named by model and engine.
        language: by engine, on 10 s of sound.
    """

    machine: dict[str, str | int]
    seconds: float
    threads: int
    starts: dict[str, dict[str, ColdStart]]
    codecs: list[CodecSpeed]
    language: dict[str, LanguageSpeed]


def measure_speed(inputs: SpeedInputs) -> SpeedReport:
    """Measures all of it, one after the other.

    Raises:
        EngineError: if an engine is not installed or cannot run a model.
        CheckpointError: if there is no such model.
        LanguageError: if the base of the language model is missing.
    """
    for engine in inputs.engines:
        chosen_engine(engine)
    tokenizers = [
        timed_tokenizer(f"{inputs.model}, {engine}", AudioTokenizer.load(inputs.model, inputs.vocoder, engine=engine))
        for engine in inputs.engines
    ]
    codecs = tokenizers + (public_codecs() if inputs.others else [])
    return SpeedReport(
        machine=describe_machine(),
        seconds=inputs.seconds,
        threads=inputs.threads,
        codecs=measure_codec_speed(codecs, inputs.seconds, inputs.threads),
        starts={engine: _starts(inputs, engine) for engine in inputs.engines},
        language={engine: _language(inputs, inputs.language, engine) for engine in inputs.engines if inputs.language},
    )


def write_report(report: SpeedReport, folder: str | Path) -> None:
    """Writes `results.json` and `results.md` into a folder, which is made if missing.

    Raises:
        FileError: if they cannot be written.
    """
    folder = make_folder(folder)
    write_text(folder / "results.json", json.dumps(asdict(report), indent=2) + "\n")
    write_text(folder / "results.md", to_markdown(report))


def to_markdown(report: SpeedReport) -> str:
    """A report as a page."""
    machine = report.machine
    parts = [
        "# Speed",
        f"{machine['processor']}, {machine['usable_cores']} of {machine['cores']} cores, onnxruntime "
        f"{machine['onnxruntime']}, torch {machine['torch']}; commit {machine['commit']}.",
        f"## From nothing to the result, {_START_SECONDS:.0f} s of sound",
        _table(("engine", "command", "s", "peak MiB"), _start_rows(report)),
        f"## Coding {report.seconds:.0f} s on {report.threads} threads, times real time",
        _table(
            ("codec", "bit/s", "encode", "decode"),
            [
                (c.name, f"{c.bits_per_second:.0f}", f"{c.encode_speed:.1f}", f"{c.decode_speed:.1f}")
                for c in report.codecs
            ],
        ),
    ]
    if report.language:
        first = next(iter(report.language.values()))
        parts += [
            f"## Language model, {first.seconds:.0f} s of sound on {first.threads} threads",
            _table(("engine", "load s", "caption s", "generate s", "codes/s", "peak MiB"), _language_rows(report)),
        ]
    return "\n\n".join(parts) + "\n"


def _starts(inputs: SpeedInputs, engine: str) -> dict[str, ColdStart]:
    with tempfile.TemporaryDirectory() as folder:
        sound, codes, decoded = (str(Path(folder) / name) for name in ("noise.wav", "noise.msn", "decoded.wav"))
        io.save(sound, noise(_START_SECONDS)[0])
        coder = ["--model", inputs.model, "--engine", engine]
        commands = {
            "encode": ["encode", sound, codes, *coder],
            "decode": ["decode", codes, decoded, *coder, "--vocoder", inputs.vocoder, "--force"],
        }
        if inputs.language:
            heard = ["--model", inputs.language, "--tokenizer", inputs.model, "--engine", engine]
            commands["caption"] = ["caption", sound, *heard]
        return {name: measure_cold_start(words, inputs.repeats) for name, words in commands.items()}


def _language(inputs: SpeedInputs, model: str, engine: str) -> LanguageSpeed:
    return measure_language_speed(model, inputs.model, inputs.vocoder, threads=inputs.threads, engine=engine)


def _start_rows(report: SpeedReport) -> list[Sequence[str]]:
    return [
        (
            engine,
            name,
            f"failed: {start.output}" if start.seconds is None else f"{start.seconds:.2f}",
            _mebibytes(start),
        )
        for engine, starts in report.starts.items()
        for name, start in starts.items()
    ]


def _language_rows(report: SpeedReport) -> list[Sequence[str]]:
    return [
        (
            engine,
            f"{speed.load_seconds:.2f}",
            f"{speed.caption_seconds:.2f}",
            f"{speed.generate_seconds:.2f}",
            f"{speed.codes_per_second:.1f}",
            _mebibytes(speed),
        )
        for engine, speed in report.language.items()
    ]


def _mebibytes(measured: ColdStart | LanguageSpeed) -> str:
    held = measured.peak_memory_bytes
    return "" if held is None else f"{held / _MEBIBYTE:.0f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
