"""Train a flow decoder on one GPU for a given time.

    python -m recipes.gpu.train PACK OUT --minutes 9

PACK is what `recipes.gpu.pack` wrote; its `train.sh` calls this. OUT receives `log.txt` and, every minute and at the
end, the averaged weights in pieces below 16 MB. The learning rate follows the clock, which starts when the code is
loaded, so that a run of any length ends annealed. `--objective distill` teaches the decoder to jump
(`training.distillation`).

The experiment that the shipped decoder starts from took 70 ms a step of 128 windows of 5.5 s on an H100, at some 60
TFLOP/s. Here batches are made several at once, by few large kernels, in a stream of their own while the steps before
compute; blocks are compiled with their convolutions fused; optimizer and average are each one fused call; nothing
waits for the device between two looks at the loss. Expected are 25 to 35 ms a step of 128, or 50 to 70 ms of 256: a
count of products and of bytes moved that has NOT been measured, since no GPU was at hand. Weights stay in 32 bits and
are cast by autocast within what is compiled: a copy in bfloat16 would save one pass over 108 MB, 0.1 ms a step.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from makesomenoise import checkpoint, model_folder
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.errors import ConfigError
from makesomenoise.tokenizer.config import FRAMES_PER_CODE, TokenizerConfig
from makesomenoise.tokenizer.decoders.flow import FlowDecoder
from makesomenoise.tokenizer.network import TokenizerNetwork
from makesomenoise.training.initialization import NEW_DECODER, load_start
from recipes.gpu.batches import PLAIN, Batch, Preparation, ahead
from recipes.gpu.blocks import compile_blocks, restore_blocks
from recipes.gpu.config import GpuTrainingConfig
from recipes.gpu.errors import RecipeError, ending
from recipes.gpu.learner import Clock, Learner
from recipes.gpu.objectives import Distilling, FlowMatching, Objective
from recipes.gpu.pieces import save_pieces, split
from recipes.gpu.tape import SAMPLE_RATE, Tape, read_tapes

MODEL_FOLDER = "model"
_LOG_EVERY = 100
_USED = 0.98  # share of the time for steps: the last look and the last checkpoint need some
_BEGUN = time.monotonic()


class Log:
    """Lines for the terminal and a file, each with the seconds since the run began."""

    def __init__(self, path: Path, clock: Clock):
        self._file, self._clock = path.open("a", encoding="utf-8"), clock

    def __call__(self, text: str) -> None:
        """Writes a line."""
        line = f"{self._clock.gone:7.1f} {text}"
        print(line, flush=True)
        print(line, file=self._file, flush=True)


@dataclass(frozen=True)
class Start:
    """What a run starts from.

    Attributes:
        network: the tokenizer, its encoder and quantizer frozen.
        decoder: its decoder.
        new: whether that has random weights.
    """

    network: TokenizerNetwork
    decoder: FlowDecoder
    new: bool


def load(folder: Path, device: torch.device) -> Start:
    """Loads the tokenizer to start from; a folder without a decoder's weights gets a new decoder.

    Raises:
        RecipeError: if its decoder is none for flow matching.
        CheckpointError: if it cannot be read.
    """
    network = TokenizerNetwork(model_folder.load_config(folder, TokenizerConfig))
    new = not any(name.startswith("decoder.") for name in checkpoint.load_state(folder))
    load_start(network, str(folder), NEW_DECODER if new else None)
    decoder = network.decoder
    if not isinstance(decoder, FlowDecoder):
        raise RecipeError(f"{folder} has a decoder of kind {network.config.decoder.kind}; start from one of flow.")
    network.requires_grad_(False).eval().to(device)
    return Start(network, decoder.requires_grad_(True), new)


class Run:
    """A training from a pack to pieces.

    Args:
        pack: what `recipes.gpu.pack` wrote.
        model: folder of the tokenizer to start from.
        out: receives pieces and log.
        config: settings.
        clock: the time there is.
        device: trains.
    """

    def __init__(
        self, pack: Path, model: Path, out: Path, config: GpuTrainingConfig, clock: Clock, device: torch.device
    ):
        out.mkdir(parents=True, exist_ok=True)
        self.out, self.config, self.clock, self.device = out, config, clock, device
        self.log = Log(out / "log.txt", clock)
        self.compiled = device.type == "cuda" if config.compiled is None else config.compiled
        torch.manual_seed(config.seed)
        torch.set_float32_matmul_precision("high")
        tapes = read_tapes(pack, config.dataset_weights, device)
        start = load(model, device)
        self.hop_samples = start.network.config.mel.hop_samples
        split(start.decoder.state_dict(), config.piece_bytes)  # refuses what could not be brought back
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.batches = self._batches(start.network, tapes["train"])
        if start.new:
            start.decoder.fit_bands(next(self.batches).mel)
        distilling = Distilling(config.distill, start.decoder) if config.objective == "distill" else None
        self.objective: Objective = distilling or FlowMatching()
        self.learner = Learner(start.decoder, config, config.rate(start.new))
        self.checked = {name: self._checked(start.network, tape) for name, tape in tapes.items()}
        if self.compiled:
            for decoder in (start.decoder, *([distilling.teacher] if distilling else [])):
                compile_blocks(decoder)
        hours = {name: round(len(tape.samples) / SAMPLE_RATE / 3600, 2) for name, tape in tapes.items()}
        self.log(f"{config.objective}, hours of sound {hours}, {'new decoder' if start.new else 'going on'}")

    def train(self) -> None:
        """Takes steps until the time is over.

        Raises:
            RecipeError: if that is before the first checkpoint, or if the loss is not finite.
        """
        saved, learner, loss = self.clock.gone, self.learner, None
        while self.clock.progress < 1.0:
            loss = self._step()
            if learner.step in (1, 5, 20) or learner.step % _LOG_EVERY == 0:
                self._note(loss)
                if self.clock.gone - saved > self.config.save_seconds:
                    self._save()
                    saved = self.clock.gone
        if loss is None:
            raise RecipeError(
                f"The training ended before its first checkpoint: getting ready took {self.clock.gone:.0f} s "
                f"of the {self.clock.seconds:.0f} s there were; give more --minutes."
            )
        self._note(loss)
        self._save()
        windows = learner.step * self.config.batch_size
        sound = windows * self.config.codes * FRAMES_PER_CODE * self.hop_samples / SAMPLE_RATE / 3600
        self.log(f"{learner.step} steps, {sound:.1f} hours of windows")

    def _step(self) -> torch.Tensor:
        try:
            return self._take()
        except Exception as error:
            if not self.compiled or self.learner.step:
                raise
            # Minutes of a GPU are dear: what a compiler fails at is done without it.
            self.log(f"compiling failed, going on without it: {' '.join(repr(error).split())[:300]}")
            self.compiled = False
            torch.compiler.set_stance("force_eager")
            for decoder in (self.learner.decoder, getattr(self.objective, "teacher", self.learner.decoder)):
                restore_blocks(decoder)
            return self._take()

    def _take(self) -> torch.Tensor:
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = self.objective.loss(self.learner.decoder, self.batches, self.generator)
        self.learner.learn(loss, self.clock.progress)
        return loss.detach()

    def _note(self, loss: torch.Tensor) -> None:
        value = float(loss)  # waits for the device
        if not torch.isfinite(loss):
            raise RecipeError(
                f"The loss of step {self.learner.step} is not finite; give a smaller learning_rate. "
                f"What {self.out} holds, if anything, is from before."
            )
        milliseconds = 1000.0 * self.clock.gone / self.learner.step
        self.log(f"step {self.learner.step} loss {value:.4f}, {milliseconds:.1f} ms a step since the start")

    def _save(self) -> None:
        for name, batch in self.checked.items():
            generator = torch.Generator(self.device).manual_seed(3)
            with torch.autocast(self.device.type, torch.bfloat16):
                figures = self.objective.check(self.learner.average, batch, generator)
            self.log(f"{name} {' '.join(f'{figure:.4f}' for figure in figures)}")
        save_pieces(self.out, self.learner.average.state_dict(), self.learner.step, self.config.piece_bytes)

    def _batches(self, network: TokenizerNetwork, tape: Tape) -> Iterator[Batch]:
        config = self.config
        preparation = Preparation(network, tape, config.codes, config.vary, self.compiled)
        generator = torch.Generator(self.device).manual_seed(config.seed + 1)  # of another stream than the steps'
        count = config.prepared * config.batch_size
        return ahead(lambda: preparation.batch(count, generator), config.batch_size, self.device)

    def _checked(self, network: TokenizerNetwork, tape: Tape) -> Batch:
        preparation = Preparation(network, tape, self.config.codes, PLAIN, compiled=False)
        return preparation.batch(self.config.check_windows, torch.Generator(self.device).manual_seed(7))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, required=True, help="time there is, counted from the start")
    parser.add_argument("--objective", choices=["flow", "distill"], default="flow")
    parser.add_argument("--config", type=Path, help="YAML file with other settings (recipes/gpu/config.py)")
    parser.add_argument("--model", help="tokenizer to start from in place of the pack's: a folder or a bundled name")
    parser.add_argument("--device", default="cuda")
    given = parser.parse_args()
    config = GpuTrainingConfig.from_yaml(given.config) if given.config else GpuTrainingConfig()
    config = config.model_copy(update={"objective": given.objective})
    if given.device == "cuda" and not torch.cuda.is_available():
        raise RecipeError("This machine has no CUDA device; try the recipe with --device cpu and a small --config.")
    clock = Clock(_USED * 60.0 * given.minutes, _BEGUN)
    model = model_folder.resolve(given.model) if given.model else given.pack / MODEL_FOLDER
    Run(given.pack, model, given.out, config, clock, torch.device(given.device)).train()


if __name__ == "__main__":
    ending(main, (CheckpointError, ConfigError))
