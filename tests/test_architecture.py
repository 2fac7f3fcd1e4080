"""The import rules: packages stand on floors and import downwards only; no cycles; small files; light imports."""

import ast
import graphlib
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import makesomenoise

FLOORS = [  # ground floor first; names on one floor do not know each other
    {"errors"},
    {"files"},
    {"config"},  # below the rest of the ground floor, since a mel has settings too
    {"audio", "engine", "model_folder"},
    {"nn", "flow"},
    {"checkpoint"},
    {"vocoder"},
    {"tokenizer", "language", "metrics"},
    {"data", "pipeline"},
    {"training", "evaluation", "demo", "serving"},
    {"cli"},
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
ROOT = Path(makesomenoise.__file__).parent
FILES = {
    ".".join(("makesomenoise", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}
INNER = sorted(m for m in FILES if m not in {"makesomenoise", "makesomenoise.__main__"})
HEAVY = ["torch", "pytorch_lightning", "matplotlib", "scipy", "transformers", "tensorboard", "huggingface_hub"]
HEAVY += ["ai_edge_litert", "onnxruntime", "sklearn"]
RUNTIMES = {"ai_edge_litert", "onnxruntime", "onnx", "tflite_runtime", "tensorflow", "sklearn"}
CORE = ["audio", "engine", "nn", "flow", "vocoder", "tokenizer", "metrics"]
CORE += ["checkpoint", "config", "errors", "files", "model_folder"]
NOT_IN_CORE = {"pytorch_lightning", "matplotlib", "scipy", "transformers", "tensorboard", "typer", "rich", "tqdm"}


def imported(module: str) -> set[str]:
    """Every dotted name that `module` imports anywhere, functions included."""
    names = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in {module}"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imports(module: str) -> set[str]:
    """Our own modules among them."""
    found = {name if name in FILES else name.rpartition(".")[0] for name in imported(module)}
    return {name for name in found if name in FILES and name != module}


def package(module: str) -> str:
    return module.split(".")[1]


def test_every_package_has_a_floor():
    assert {package(m) for m in INNER} <= set(FLOOR_OF)


def test_imports_point_down():
    wrong = [
        f"{module} -> {target}"
        for module in INNER
        for target in imports(module)
        if target == "makesomenoise"
        or (package(target) != package(module) and FLOOR_OF[package(target)] >= FLOOR_OF[package(module)])
    ]
    assert not wrong


def test_no_module_imports_the_package_it_lives_in():
    assert [f"{m} -> {t}" for m in INNER for t in imports(m) if m.startswith(f"{t}.")] == []


def test_no_cycles():
    graphlib.TopologicalSorter({m: imports(m) for m in INNER}).prepare()  # raises CycleError


def test_files_stay_small():
    lengths = {m: len(path.read_text(encoding="utf-8").splitlines()) for m, path in FILES.items()}
    assert {m: n for m, n in lengths.items() if n > 450} == {}


def test_the_core_needs_only_core_packages():
    wrong = [
        f"{module} -> {name}"
        for module in INNER
        if package(module) in CORE
        for name in imported(module)
        if name.split(".")[0] in NOT_IN_CORE
    ]
    assert not wrong


def test_no_gradient_of_an_ear_can_reach_what_is_trained():
    """What trains knows no ear and no judge, by any road, and has nothing that could run one."""
    reached, waiting = set(), {m for m in INNER if package(m) == "training"}
    while waiting:
        reached |= waiting
        waiting = {target for module in waiting for target in imports(module)} - reached
    assert {package(module) for module in reached} >= {"training", "tokenizer", "nn"}
    assert [module for module in reached if package(module) == "evaluation"] == []
    trains = [module for module in INNER if package(module) in {"training", "flow", "nn"}]
    assert {name.split(".")[0] for module in trains for name in imported(module)} & RUNTIMES == set()


def test_every_module_says_what_it_is():
    silent = [
        m for m, path in FILES.items() if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_ears_are_opened_late():
    code = "import sys, makesomenoise.evaluation.tokenizer.report; print([n for n in sys.argv[1:] if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *RUNTIMES], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["makesomenoise", "makesomenoise.cli.main"])
def test_the_import_is_light(module: str):
    code = f"import sys, {module}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_these():
    assert makesomenoise.__all__ == ["AudioLanguageModel", "AudioTokenizer", "Generation", "MakeSomeNoiseError"]
    assert dir(makesomenoise) == makesomenoise.__all__
    from makesomenoise.errors import MakeSomeNoiseError
    from makesomenoise.pipeline import AudioLanguageModel, Generation
    from makesomenoise.tokenizer.model import AudioTokenizer

    assert makesomenoise.AudioLanguageModel is AudioLanguageModel
    assert makesomenoise.AudioTokenizer is AudioTokenizer
    assert makesomenoise.Generation is Generation
    assert makesomenoise.MakeSomeNoiseError is MakeSomeNoiseError
    assert makesomenoise.__version__ == metadata.version("makesomenoise")
    with pytest.raises(AttributeError, match="no attribute 'Tokenizer'"):
        makesomenoise.Tokenizer  # noqa: B018 - reading it is the test
