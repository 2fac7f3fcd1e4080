"""`AudioLanguageModel`: waveforms and text to text and waveforms. The only place where tokenizer and language meet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from makesomenoise.checkpoint import CheckpointError, resolve
from makesomenoise.language.generation import GREEDY, Sampling, rank, sample_codes, stream_tokens
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.tokenizer.model import AudioTokenizer

DEFAULT = "language"
_CAPTION, _CLASSIFY = "Describe this sound.", "What is this sound? Answer with its name."


class PipelineError(ValueError):
    """A request that cannot be answered; the message is one sentence for the user."""


@dataclass(frozen=True)
class Ranked:
    """How well a label fits a sound.

    Attributes:
        label: as it was given.
        probability: among the labels that were given, in [0, 1].
    """

    label: str
    probability: float


class AudioLanguageModel:
    """One LLM that hears and makes sound.

    Args:
        tokenizer: waveforms to codes and back.
        language: reads and writes the codes.

    Raises:
        PipelineError: if the language model learned the codes of another tokenizer.
    """

    def __init__(self, tokenizer: AudioTokenizer, language: LanguageModel):
        if language.config.codes != tokenizer.fingerprint:
            raise PipelineError(
                f"The language model learned the codes of the tokenizer {language.config.codes}, but the loaded one is "
                f"{tokenizer.fingerprint}: load the tokenizer it was trained with."
            )
        self.tokenizer = tokenizer
        self.language = language

    @classmethod
    def load(
        cls,
        source: str | Path = DEFAULT,
        tokenizer: str | Path = "default",
        vocoder: str | Path = "default",
        device: str = "cpu",
    ) -> Self:
        """Loads a language model and its tokenizer.

        Args:
            source: a model folder, a bundled name or a Hub id.
            tokenizer: see `AudioTokenizer.load`.
            vocoder: see `AudioTokenizer.load`.
            device: where both compute.

        Raises:
            PipelineError: if they do not belong together, or no default ships.
            CheckpointError: if a model is missing or damaged.
        """
        try:
            folder = resolve(source)
        except CheckpointError:
            if source != DEFAULT:
                raise
            raise PipelineError("No trained language model ships yet: name a model folder or a Hub id.") from None
        language = LanguageModel.load(folder, dtype=torch.bfloat16, fused=True).to(device)
        return cls(AudioTokenizer.load(tokenizer, vocoder, device), language)

    def caption(self, waveforms: Tensor) -> list[str]:
        """Describes sounds [B, S], one text each."""
        return self.answer(waveforms, _CAPTION)

    def answer(self, waveforms: Tensor, question: str, most_tokens: int = 64) -> list[str]:
        """Answers a question about each of the sounds.

        Args:
            waveforms: [B, S].
            question: not empty.
            most_tokens: the longest answer.

        Raises:
            PipelineError: if the question is empty.
            LanguageError: if a sound is too long for the context.
        """
        question = _said(question)
        return [self._text(prompt, most_tokens) for prompt in self._prompts(waveforms, question)]

    def classify(self, waveforms: Tensor, labels: Sequence[str]) -> list[list[Ranked]]:
        """Ranks labels for each of the sounds, the likeliest first; what is said without a sound is subtracted.

        Args:
            waveforms: [B, S].
            labels: different names.

        Raises:
            PipelineError: if there is no label, an empty one, or one twice.
            LanguageError: if a sound is too long for the context.
        """
        names = [label.strip() for label in labels]
        if not names or not all(names) or len({name.lower() for name in names}) < len(names):
            raise PipelineError("Give at least one label, none empty and none twice.")
        model = self.language
        answers = [[*model.vocabulary.text(name), model.prompts.end_of_turn] for name in names]
        prior = rank(model, model.prompts.prompt([Turn("user", (_CLASSIFY,))]), answers)
        return [
            _ranked(names, (rank(model, prompt, answers) - prior).softmax(0))
            for prompt in self._prompts(waveforms, _CLASSIFY)
        ]

    def generate(
        self, text: str, seconds: float, seed: int = 0, sampling: Sampling | None = None, candidates: int = 1
    ) -> Tensor:
        """Makes sounds from a text.

        Args:
            text: what is to be heard, not empty.
            seconds: length of each.
            seed: the same seed gives the same sounds.
            sampling: how codes are drawn.
            candidates: number of sounds C.

        Returns:
            [C, S] waveforms of exactly that length.

        Raises:
            PipelineError: if the text is empty or the length is not positive.
            LanguageError: if the sound is too long for the context.
        """
        text, rate = _said(text), self.tokenizer.sample_rate
        if not 0.0 < seconds < float("inf") or round(seconds * rate) < 1:
            raise PipelineError(f"Cannot make {seconds:g} s of sound: give a length above 0 s.")
        samples = round(seconds * rate)
        count = -(-samples // self.tokenizer.samples_per_code)
        length = f"{seconds:.1f}".removesuffix(".0") + (" second" if seconds == 1 else " seconds")
        prompt, unconditional = (
            self.language.prompts.prompt([Turn("user", (said,))])
            for said in (f"Make this sound for {length}: {text.rstrip('.')}.", f"Make a sound for {length}.")
        )
        generator = torch.Generator().manual_seed(seed)
        codes = sample_codes(self.language, prompt, unconditional, count, sampling or Sampling(), generator, candidates)
        return self.tokenizer.decode(codes, seed=seed)[:, :samples]

    def _prompts(self, waveforms: Tensor, question: str) -> list[list[int]]:
        sounds = [Sound(tuple(row.tolist())) for row in self.tokenizer.encode(waveforms)]
        return [self.language.prompts.prompt([Turn("user", (sound, question))]) for sound in sounds]

    def _text(self, prompt: list[int], most: int) -> str:
        tokens = list(stream_tokens(self.language, prompt, most, GREEDY, torch.Generator()))
        return str(self.language.vocabulary.text_tokenizer.decode(tokens, skip_special_tokens=True)).strip()


def _said(text: str) -> str:
    if not text.strip():
        raise PipelineError("The text is empty: say what is asked for.")
    return text.strip()


def _ranked(names: list[str], chances: Tensor) -> list[Ranked]:
    order = chances.argsort(descending=True).tolist()
    return [Ranked(names[place], float(chances[place])) for place in order]
