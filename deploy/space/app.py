"""The page of `msn serve` as a Hugging Face Space, which runs this file and expects a server on port 7860."""

from makesomenoise.pipeline import AudioLanguageModel
from makesomenoise.serving.app import create_app
from makesomenoise.serving.logs import log_to_stderr
from makesomenoise.serving.server import serve
from makesomenoise.serving.settings import Settings
from makesomenoise.serving.worker import Worker

if __name__ == "__main__":
    log_to_stderr(20)
    worker = Worker(AudioLanguageModel.load, queue=32)
    worker.start()
    settings = Settings(max_seconds=60.0, max_body=16 << 20, page=True)
    serve(create_app(worker, settings), worker, "0.0.0.0", 7860, grace_seconds=20)
