"""Runs graphs by ONNX Runtime on a CPU: how many threads, and how they wait."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from makesomenoise.engine.base import EngineError
from makesomenoise.engine.graph import GraphBuilder

_MOST_THREADS = 8  # networks this small gain nothing from more


def load_onnxruntime() -> Any:
    """The module `onnxruntime`, which takes a quarter of a second, for those who run a network alone.

    Its official builds tell Microsoft of the machine and of every network unless they are told not to before they are
    loaded, which makes them also leave a device id behind. Whoever wants that sets ORT_DISABLE_TELEMETRY=0.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: PLC0415

    return onnxruntime


class OnnxSession:
    """A graph that is ready to run.

    Args:
        graph: the network.
        folder: where the safetensors file lies that the graph was built on.
        threads: number of threads; none is one for each core that this process may use.

    Raises:
        EngineError: if the installed ONNX Runtime cannot load it.
    """

    def __init__(self, graph: GraphBuilder, folder: Path, threads: int | None = None):
        onnxruntime = load_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usual_threads() if threads is None else threads
        options.log_severity_level = 3
        # A thread that waits in a loop for the next product keeps a neighbour's from being computed, and is then kept
        # waiting itself: on shared cores that costs far more than waking up does.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder.resolve()))
        try:
            self._session = onnxruntime.InferenceSession(graph.to_bytes({}), options, ["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has an exception class for every code, and no common base
            reason = " ".join(str(error).split())[:200]
            version = onnxruntime.__version__
            raise EngineError(f"ONNX Runtime {version} cannot load the network of {folder} ({reason}).") from None

    def bind(self, memory: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]) -> "Binding":
        """Arrays that inputs are read from and outputs written into at every run, without a copy."""
        return Binding(self._session, memory, outputs)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Runs the graph once: its outputs in their order."""
        return [np.asarray(value) for value in self._session.run(None, dict(inputs))]


class Binding:
    """Runs a graph on memory that stays where it is from run to run; see `OnnxSession.bind`.

    Args:
        session: of onnxruntime.
        memory: inputs that are the same arrays at every run, whatever was written into them.
        outputs: those that are written into arrays; the first of all others is what a run gives.
    """

    def __init__(self, session: Any, memory: Mapping[str, np.ndarray], outputs: Mapping[str, np.ndarray]):
        onnxruntime = load_onnxruntime()
        self._session, self._binding = session, session.io_binding()
        self._given = next(one.name for one in session.get_outputs() if one.name not in outputs)
        self._binding.bind_output(self._given)  # first, so that it comes first
        bound = [(memory, self._binding.bind_ortvalue_input), (outputs, self._binding.bind_ortvalue_output)]
        for arrays, bind in bound:
            for name, array in arrays.items():
                bind(name, onnxruntime.OrtValue.ortvalue_from_numpy(array))

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Runs the graph once with the inputs that are not bound: its output that is not bound."""
        for name, array in inputs.items():
            self._binding.bind_cpu_input(name, np.ascontiguousarray(array))
        self._binding.bind_output(self._given)  # anew, since its shape may be another one than before
        self._session.run_with_iobinding(self._binding)
        return self._binding.get_outputs()[0].numpy()


def usual_threads(processes: int = 1) -> int:
    """One thread for each core that this process may use, which it shares with others like it, up to eight."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(max(available // processes, 1), _MOST_THREADS)
