"""Outside ears: embedding networks trained elsewhere, from waveforms to vectors; knows nothing of what they are asked.

`evaluation.ear_judge` asks them how decoded sound sounds, `data.teaching` what the codes of a clip should tell.
"""

import hashlib
import importlib
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import soxr
from pydantic import Field

from makesomenoise.config import Config
from makesomenoise.engine.onnx import load_onnxruntime
from makesomenoise.errors import ModelError

_SMALLEST_EMBEDDING = 2


@dataclass(frozen=True, slots=True)
class Heard:
    """What a network makes of windows.

    Attributes:
        embeddings: [F, E] float32.
        scores: [F, K] float32, how likely each of its own classes is, 0 to 1; K is 0 where it tells none.
    """

    embeddings: np.ndarray
    scores: np.ndarray


Network = Callable[[np.ndarray], Heard]  # a window [W] in float32 to what is heard there, F = 1


class EarError(ModelError):
    """An ear that cannot be asked; the message is one sentence for the user."""


class EarSettings(Config):
    """How a network listens.

    Attributes:
        sample_rate: of the waveform that it takes, Hz.
        window_samples: W, samples that it takes at once.
        hop_samples: samples from one window to the next.
        tensor: where the embedding is; none takes the first output. In TFLite the index of any tensor, or, negative,
            counted back from the first output; in ONNX the number of an output.
        scores: number of the output where the probabilities of its own classes are; none: it tells none.
    """

    sample_rate: int = Field(ge=1000)
    window_samples: int = Field(ge=1)
    hop_samples: int = Field(ge=1)
    tensor: int | None = None
    scores: int | None = None


# TFLite files with one of these words in their name: YAMNet as converted by Google (AudioSet), and BirdNET 2.4, whose
# embedding is the tensor before the output.
_PRESETS = {
    "yamnet": {"sample_rate": 16_000, "window_samples": 15_600, "hop_samples": 7_800, "tensor": 121, "scores": 0},
    "birdnet": {"sample_rate": 48_000, "window_samples": 144_000, "hop_samples": 96_000, "tensor": -1},
}


@dataclass(frozen=True, slots=True)
class Ear:
    """An embedding network, ready to listen.

    Attributes:
        name: of its file, without the suffix.
        sha256: of its file.
        settings: how it listens.
        network: what listens.
    """

    name: str
    sha256: str
    settings: EarSettings
    network: Network

    @classmethod
    def open(cls, source: str | Path) -> Self:
        """Opens a network and has it listen to a window of noise, so that what does not fit is found at once.

        Args:
            source: a `.tflite` or `.onnx` file, from one waveform to vectors. Its settings follow after commas
                (`net.onnx,sample_rate=16000,window_samples=16000`), stand in a YAML file of its name (`net.yaml`), or
                are known (YAMNet, BirdNET); the first that has a setting decides.

        Raises:
            EarError: if there is no such file, if it is no such network, if its settings are not known, or if the
                extra `ears` is not installed.
            ConfigError: if a setting is unknown or does not fit.
        """
        path, given = _split(str(source))
        if not path.is_file():
            raise EarError(f"No ear at {path}: give a .tflite or .onnx file that turns a waveform into vectors.")
        if path.suffix not in _RUNTIMES:
            raise EarError(f"Cannot use {path} as an ear: its name ends in '{path.suffix}', not in .tflite or .onnx.")
        settings = _settings(path, given)
        _module("sklearn", "scikit-learn")  # its judge will need it
        network = _opened(path, settings)
        with path.open("rb") as file:
            return cls(path.stem, hashlib.file_digest(file, "sha256").hexdigest(), settings, network)

    @property
    def identity(self) -> list:
        """What its embeddings depend on, as JSON takes it."""
        return [self.sha256, self.settings.model_dump(exclude={"scores"})]

    def listen(self, waveform: np.ndarray, sample_rate: int) -> Heard:
        """What is heard in the windows of a waveform [S], S > 0; what is shorter than one is padded.

        Args:
            waveform: mono.
            sample_rate: of it, Hz.

        Raises:
            EarError: if a value is not finite.
        """
        window, hop = self.settings.window_samples, self.settings.hop_samples
        x = soxr.resample(waveform, sample_rate, self.settings.sample_rate).astype(np.float32)
        x = np.pad(x, (0, max(0, window - len(x))))
        last = len(x) - window
        starts = [*range(0, last + 1, hop)]
        if last - starts[-1] > hop // 2:  # else the end has been heard well enough
            starts.append(last)
        frames = [self.network(x[start : start + window]) for start in starts]
        heard = Heard(*(np.concatenate([getattr(one, name) for one in frames]) for name in ("embeddings", "scores")))
        if not (np.isfinite(heard.embeddings).all() and np.isfinite(heard.scores).all()):
            raise EarError(f"The ear {self.name} makes values that are not finite numbers of some sound; use another.")
        return heard


def open_ears(sources: Iterable[str | Path]) -> list[Ear]:
    """Opens ears, each as `Ear.open` does.

    Raises:
        EarError: also if two have one name.
        ConfigError: as `Ear.open`.
    """
    ears: dict[str, Ear] = {}
    for source in sources:
        ear = Ear.open(source)
        if ear.name in ears:
            raise EarError(f"Two ears are called '{ear.name}', and the report could not tell them apart: rename one.")
        ears[ear.name] = ear
    return list(ears.values())


def _split(source: str) -> tuple[Path, dict[str, str]]:
    """A path, and the settings that follow it."""
    if Path(source).is_file():
        return Path(source), {}
    path, *settings = source.split(",")
    return Path(path), {name: value for name, _, value in (setting.partition("=") for setting in settings)}


def _settings(path: Path, given: Mapping[str, str]) -> EarSettings:
    beside = path.with_suffix(".yaml")
    preset = next((values for word, values in _PRESETS.items() if word in path.stem.lower()), None)
    if beside.is_file():
        known: Mapping[str, object] = EarSettings.from_yaml(beside).model_dump()
    else:
        known = preset if preset and path.suffix == ".tflite" else {}
    if not known and not given:
        raise EarError(
            f"Nothing says how {path} listens: write sample_rate, window_samples and hop_samples into {beside}, or "
            f"after its name as in {path.name},sample_rate=16000,window_samples=16000,hop_samples=8000."
        )
    return EarSettings.from_dict({**known, **given}, origin=f"the settings of {path.name}")


def _tflite(path: Path, settings: EarSettings) -> Network:
    runtime = _module("ai_edge_litert.interpreter", "ai-edge-litert")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it takes who asks for inner tensors to be debugging
        network = runtime.Interpreter(
            str(path), experimental_preserve_all_tensors=settings.tensor is not None, num_threads=1
        )
    inputs, outputs = network.get_input_details(), [one["index"] for one in network.get_output_details()]
    kinds = [(one["shape_signature"].tolist(), one["dtype"] is np.float32) for one in inputs]
    shape, index = _input_shape(path, kinds, settings.window_samples), inputs[0]["index"]
    network.resize_tensor_input(index, shape)
    network.allocate_tensors()
    tensor = settings.tensor if settings.tensor is not None else outputs[0]
    places = [tensor if tensor >= 0 else outputs[0] + tensor]
    if settings.scores is not None:
        places.append(outputs[_checked(path, settings.scores, len(outputs))])

    def hear(window: np.ndarray) -> Heard:
        network.set_tensor(index, window.reshape(shape))
        network.invoke()
        return _heard(*(network.get_tensor(place) for place in places))

    return hear


def _onnx(path: Path, settings: EarSettings) -> Network:
    runtime = load_onnxruntime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    network = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = network.get_inputs()
    kinds = [([n if isinstance(n, int) else -1 for n in one.shape], one.type == "tensor(float)") for one in inputs]
    shape = _input_shape(path, kinds, settings.window_samples)
    names = [one.name for one in network.get_outputs()]
    numbers = [settings.tensor or 0, *([] if settings.scores is None else [settings.scores])]
    asked = [names[_checked(path, number, len(names))] for number in numbers]

    def hear(window: np.ndarray) -> Heard:
        return _heard(*network.run(asked, {inputs[0].name: window.reshape(shape)}))

    return hear


def _checked(path: Path, number: int, outputs: int) -> int:
    if not -outputs <= number < outputs:
        raise EarError(f"The network {path} has {outputs} output(s), and its settings name {number}; count from 0.")
    return number


def _heard(embedding: np.ndarray, scores: np.ndarray | None = None) -> Heard:
    return Heard(embedding.reshape(1, -1), np.zeros((1, 0), np.float32) if scores is None else scores.reshape(1, -1))


_RUNTIMES: Mapping[str, Callable[[Path, EarSettings], Network]] = {".tflite": _tflite, ".onnx": _onnx}


def _input_shape(path: Path, inputs: Sequence[tuple[list[int], bool]], window: int) -> list[int]:
    """The shape in which a network takes a window; inputs are given as shape, -1 where it is free, and "is float"."""
    (shape, is_float), *others = inputs or [([], False)]
    fixed, free = math.prod(n for n in shape if n != -1), [place for place, n in enumerate(shape) if n == -1]
    # With a fixed length what is free is the batch; else the last free place is the length: [B, S] or [B, 1, S].
    lengths = dict.fromkeys(free, 1) | ({free[-1]: window} if free and fixed == 1 else {})
    found = [lengths.get(place, n) for place, n in enumerate(shape)]
    if others or not is_float or max(found, default=0) != window or math.prod(found) != window:
        kind = "float" if is_float else "not float"
        raise EarError(
            f"The network {path} takes {len(inputs)} input(s), the first {shape} in {kind}, and not one waveform of "
            f"{window} samples in float: name another network, or its own window_samples."
        )
    return found


def _opened(path: Path, settings: EarSettings) -> Network:
    """The network, after it has heard a window of noise."""
    try:
        network = _RUNTIMES[path.suffix](path, settings)
        noise = np.random.default_rng(0).normal(0, 0.1, settings.window_samples).astype(np.float32)
        width = network(noise).embeddings.size
    except EarError:
        raise
    except Exception as error:  # each runtime has errors of its own, without a common base
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise EarError(f"Cannot use {path} as an ear, it is no network that runs: {reason}.") from None
    if width < _SMALLEST_EMBEDDING:
        raise EarError(
            f"The network {path} gives {width} value(s) a window where tensor is {settings.tensor}, no vector."
        )
    return network


def _module(name: str, package: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise EarError(f"An ear needs {package}, which is not here: pip install 'makesomenoise[ears]'.") from None
