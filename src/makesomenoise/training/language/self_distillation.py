"""What the base says to plain prompts, to train on, so that an LLM that learns sound does not forget language."""

import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from makesomenoise.data.instructions.text_only import Chat
from makesomenoise.language.generation import sample_texts
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Turn
from makesomenoise.language.sampling import Sampling

_DRAWN = Sampling(temperature=0.7)
_WHOLE_SENTENCES = re.compile(r".*[^\s\d][.!?][\"')*]*(?=\s|$)", re.DOTALL)


@torch.inference_mode()
def base_answers(
    model: LanguageModel, prompts: Sequence[str], most_tokens: int = 96, batch_size: int = 16, seed: int = 0
) -> list[Chat]:
    """SFTTask of the base in words alone.

    An answer that grew too long keeps its whole sentences; a prompt whose answer has none, or is empty, is left out.

    Args:
        model: whose base answers; what was learned is set aside meanwhile, unless it is fused.
        prompts: each of them at most as long as the context allows.
        most_tokens: the longest answer.
        batch_size: how many are answered at once.
        seed: the same seed gives the same answers.

    Returns:
        At most one for each prompt, in their order.

    Raises:
        LanguageError: if the chat template does not allow for a question alone.
    """
    generator = np.random.default_rng(seed)
    batches = [prompts[first : first + batch_size] for first in range(0, len(prompts), batch_size)]
    network: Any = model.network
    with nullcontext() if model.fused else network.disable_adapter():
        answers = [answer for batch in batches for answer in _answers(model, batch, most_tokens, generator)]
    return [Chat(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True) if answer]


def _answers(model: LanguageModel, batch: Sequence[str], most: int, generator: np.random.Generator) -> Iterator[str]:
    questions = [model.prompts.prompt([Turn("user", (text,))]) for text in batch]
    for tokens in sample_texts(model, questions, most, _DRAWN, generator):
        text = str(model.vocabulary.text_tokenizer.decode(tokens, skip_special_tokens=True))
        ended = len(tokens) < most
        yield (text if ended else _whole_sentences(text)).strip()


def _whole_sentences(text: str) -> str:
    """The text up to the end of its last whole sentence; nothing where there is none."""
    found = _WHOLE_SENTENCES.match(text)
    return found.group() if found else ""
