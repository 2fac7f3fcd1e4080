"""What comes next: codes of an exact number, text and sounds as a stream, and how likely given answers are.

Keys and values of what came before are kept in a growing cache: a static one measured no faster on the CPU, and the
scores of code rows alone cost 1 % of a step, where those of the whole vocabulary cost 11 to 26 %.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from makesomenoise.language.config import LanguageError
from makesomenoise.language.model import LanguageModel


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    Attributes:
        temperature: 0 takes the likeliest; 1 draws as the model says.
        top_k: draw among so many of the likeliest; 0 draws among all.
        guidance: scale of the difference that the condition makes; 1 is off.
    """

    temperature: float = 1.0
    top_k: int = 0
    guidance: float = 1.0

    def __post_init__(self):
        if self.temperature < 0 or self.top_k < 0:
            raise LanguageError(f"Temperature and top-k must not be negative; got {self.temperature}, {self.top_k}.")


GREEDY = Sampling(temperature=0.0)


@torch.inference_mode()
def sample_codes(
    model: LanguageModel,
    prompt: Sequence[int],
    unconditional: Sequence[int],
    count: int,
    sampling: Sampling,
    generator: torch.Generator,
    candidates: int = 1,
) -> Tensor:
    """Draws sounds of exactly `count` codes.

    Args:
        model: makes them.
        prompt: tokens up to where the assistant is to speak.
        unconditional: the same without what was asked for; used where guidance is not 1.
        count: number of codes N.
        sampling: how they are drawn.
        generator: source of randomness, on the CPU.
        candidates: number of sounds C, drawn in one batch.

    Returns:
        [C, N] in [0, K).

    Raises:
        LanguageError: if there is nothing to make, or the context is too short for it.
    """
    if count < 1 or candidates < 1:
        raise LanguageError(f"Ask for at least one code and one candidate; got {count} and {candidates}.")
    guided = sampling.guidance != 1.0
    branches = [prompt, unconditional] if guided else [prompt]
    _check_fits(model, max(map(len, branches)) + 1 + count)
    device = model.rows.device
    tokens, mask = _left_padded([[*branch, model.vocabulary.start] for branch in branches], candidates, device)
    rows = model.output_rows[: model.vocabulary.codebook_size].contiguous()
    cache, codes = DynamicCache(), []
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    for _ in range(count):
        hidden = model.hidden(tokens, mask, cache, positions)[:, -1]
        scores = F.linear(hidden, rows.to(hidden.dtype)).float()
        if guided:
            asked, free = scores.log_softmax(-1).chunk(2)
            scores = free + sampling.guidance * (asked - free)
        codes.append(_draw(scores, sampling, generator))
        tokens = (model.vocabulary.first + codes[-1]).repeat(len(branches))[:, None]
        mask = F.pad(mask, (0, 1), value=1)
        positions = positions[:, -1:] + 1
    return torch.stack(codes, dim=1)


@torch.inference_mode()
def stream_tokens(
    model: LanguageModel,
    prompt: Sequence[int],
    most: int,
    sampling: Sampling,
    generator: torch.Generator,
    sounds: bool = False,
) -> Iterator[int]:
    """Draws an answer token by token, without the token that ends it.

    Args:
        model: answers.
        prompt: tokens up to where the assistant is to speak.
        most: the most tokens; a sound that is open then is closed with one more.
        sampling: how they are drawn; guidance is not used.
        generator: source of randomness, on the CPU.
        sounds: whether sounds may come; each then holds codes only, at least one, and is closed.

    Raises:
        LanguageError: if the context is too short.
    """
    _check_fits(model, len(prompt) + most + 1)
    spell, cache, within, last = model.vocabulary, DynamicCache(), False, -1
    tokens = torch.tensor([list(prompt)], device=model.rows.device)
    for _ in range(most):
        scores = model.logits(model.hidden(tokens, cache=cache)[:, -1:])[0].float()
        allowed = torch.zeros_like(scores, dtype=torch.bool)
        if within:
            allowed[:, spell.first : spell.start] = True
            allowed[:, spell.end] = last != spell.start
        else:
            allowed[:] = True
            allowed[:, spell.first : spell.end + 1] = False
            allowed[:, spell.start] = sounds
        last = int(_draw(scores.masked_fill(~allowed, -torch.inf), sampling, generator))
        if last == model.prompts.end_of_turn:
            return
        within = last == spell.start or (within and last != spell.end)
        yield last
        tokens = torch.tensor([[last]], device=tokens.device)
    if within:
        yield spell.end


@torch.inference_mode()
def rank(
    model: LanguageModel,
    prompt: Sequence[int],
    answers: Sequence[Sequence[int]],
    prior: Sequence[int] | None = None,
    at_once: int = 64,
) -> Tensor:
    """Mean log-likelihood of the tokens of each answer; the prompt is read once.

    Args:
        model: judges.
        prompt: tokens up to where the assistant is to speak.
        answers: tokens of each, none empty.
        prior: a prompt without the sound, whose scores are subtracted.
        at_once: how many answers are read in one batch.

    Returns:
        [n] float32; higher fits better.

    Raises:
        LanguageError: if there is no answer, an empty one, or one too long for the context.
    """
    if not answers or not all(len(answer) for answer in answers):
        raise LanguageError("Give at least one answer to rank, and no empty one.")
    _check_fits(model, max(len(prompt), len(prior or ())) + max(map(len, answers)))
    batches = [answers[start : start + at_once] for start in range(0, len(answers), at_once)]
    scores = torch.cat([_likelihood(model, prompt, batch) for batch in batches])
    return scores - rank(model, prior, answers, at_once=at_once) if prior is not None else scores


def _likelihood(model: LanguageModel, prompt: Sequence[int], answers: Sequence[Sequence[int]]) -> Tensor:
    device, cache = model.rows.device, DynamicCache()
    last = model.hidden(torch.tensor([list(prompt)], device=device), cache=cache)[:, -1:]
    cache.batch_repeat_interleave(len(answers))
    longest = max(map(len, answers))
    # Padding comes after what counts, which therefore never sees it.
    tokens = torch.tensor([[*answer, *[0] * (longest - len(answer))] for answer in answers], device=device)
    hidden = last.expand(len(answers), -1, -1)
    if longest > 1:
        hidden = torch.cat((hidden, model.hidden(tokens[:, :-1], cache=cache)), dim=1)
    real = torch.arange(longest, device=device) < torch.tensor([[len(answer)] for answer in answers], device=device)
    found = model.logits(hidden[real]).float().log_softmax(-1).gather(1, tokens[real][:, None])[:, 0]
    sums = torch.zeros(real.shape, device=device).masked_scatter(real, found).sum(1)
    return sums / real.sum(1)


def _check_fits(model: LanguageModel, tokens: int) -> None:
    most = model.config.context_tokens
    if tokens > most:
        raise LanguageError(
            f"This takes {tokens} tokens, and the context has {most} (about {most / model.config.code_rate:.0f} s of "
            "sound): give a shorter sound or text, or ask for less."
        )


def _left_padded(branches: Sequence[Sequence[int]], times: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Tokens and mask [branches * times, L], each branch `times` times in a row."""
    longest = max(map(len, branches))
    tokens = torch.tensor([[*[0] * (longest - len(b)), *b] for b in branches], device=device)
    mask = torch.tensor([[0] * (longest - len(b)) + [1] * len(b) for b in branches], device=device)
    return tokens.repeat_interleave(times, 0), mask.repeat_interleave(times, 0)


def _draw(scores: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """Scores [B, V] to one index each [B]."""
    if sampling.temperature == 0:
        return scores.argmax(-1)
    if 0 < sampling.top_k < scores.shape[-1]:
        least = scores.topk(sampling.top_k).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    chances = (scores / sampling.temperature).softmax(-1).cpu()
    return torch.multinomial(chances, 1, generator=generator)[:, 0].to(scores.device)
