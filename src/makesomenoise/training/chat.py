"""What the base says to plain prompts, to train on, so that an LLM that learns sound does not forget language."""

import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from makesomenoise.data.chat import Chat
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Turn

_TEMPERATURE = 0.7
_WHOLE_SENTENCES = re.compile(r".*[^\s\d][.!?][\"')*]*(?=\s|$)", re.DOTALL)


@torch.inference_mode()
def base_answers(
    model: LanguageModel, prompts: Sequence[str], most_tokens: int = 64, batch_size: int = 16, seed: int = 0
) -> list[Chat]:
    """Answers of the base in words alone.

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
    generator = torch.Generator().manual_seed(seed)
    batches = [prompts[first : first + batch_size] for first in range(0, len(prompts), batch_size)]
    network: Any = model.network
    with nullcontext() if model.fused else network.disable_adapter():
        answers = [answer for batch in batches for answer in _answers(model, batch, most_tokens, generator)]
    return [Chat(prompt, answer) for prompt, answer in zip(prompts, answers, strict=True) if answer]


def _answers(model: LanguageModel, batch: Sequence[str], most: int, generator: torch.Generator) -> Iterator[str]:
    end, text_tokenizer = model.prompts.end_of_turn, model.vocabulary.text_tokenizer
    drawn = _drawn(model, [model.prompts.prompt([Turn("user", (text,))]) for text in batch], most, generator)
    for tokens in drawn:
        ended = end in tokens
        said = tokens[: tokens.index(end)] if ended else tokens
        text = str(text_tokenizer.decode(said, skip_special_tokens=True))
        whole = text if ended else _whole_sentences(text)
        yield whole.strip()


def _drawn(model: LanguageModel, questions: list[list[int]], most: int, generator: torch.Generator) -> list[list[int]]:
    """Up to `most` tokens for each question; after the first that ends the turn they mean nothing."""
    device = model.rows.device
    longest = max(map(len, questions))
    tokens = torch.tensor([[*[0] * (longest - len(question)), *question] for question in questions], device=device)
    mask = torch.tensor([[0] * (longest - len(q)) + [1] * len(q) for q in questions], device=device)
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    cache, drawn = DynamicCache(), []
    over = torch.zeros(len(questions), dtype=torch.bool, device=device)
    for _ in range(most):
        scores = _words_only(model, model.logits(model.hidden(tokens, mask, cache, positions)[:, -1]).float())
        chances = (scores / _TEMPERATURE).softmax(-1).cpu()
        tokens = torch.multinomial(chances, 1, generator=generator).to(device)
        drawn.append(tokens)
        over |= tokens[:, 0] == model.prompts.end_of_turn
        if over.all():
            break
        mask, positions = F.pad(mask, (0, 1), value=1), positions[:, -1:] + 1
    return torch.cat(drawn, dim=1).tolist()


def _words_only(model: LanguageModel, scores: Tensor) -> Tensor:
    """Scores [B, V] that leave text and the end of the turn: no sound, no other special token, no spare row."""
    special = [token for token in model.vocabulary.text_tokenizer.all_special_ids if token != model.prompts.end_of_turn]
    scores[:, special] = -torch.inf
    scores[:, model.vocabulary.first :] = -torch.inf
    return scores


def _whole_sentences(text: str) -> str:
    """The text up to the end of its last whole sentence; nothing where there is none."""
    found = _WHOLE_SENTENCES.match(text)
    return found.group() if found else ""
