"""The loss of a language model on its answers, with scores computed only where there is loss.

Between the start and the end of a sound, generation draws among codes alone. Loss does the same in most places, which
saves two thirds of the work of scoring there; in every eighth, codes compete with all words, so that a merged model
keeps to codes where nothing constrains it.
"""

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from makesomenoise.config import Config
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import IGNORED

_ALL_WORDS_EVERY = 8


class AnswersConfig(Config):
    """What loss is asked.

    Attributes:
        audio_weight: weight of a token of a sound; one of text has 1.
        z_loss: weight of the squared logarithm of the sum of exponentials of scores, which keeps them from drifting.
    """

    audio_weight: float = Field(default=1.0, ge=0.0)
    z_loss: float = Field(default=1e-4, ge=0.0)


class Answers(nn.Module):
    """A language model and the loss on what it answers.

    Args:
        language: learns.
        config: what loss is asked.
    """

    def __init__(self, language: LanguageModel, config: AnswersConfig):
        super().__init__()
        self.language = language
        self.asked = config

    def forward(self, tokens: Tensor, labels: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """The loss of a batch.

        Args:
            tokens: [B, L], padded at the end.
            labels: [B, L] the token itself where loss is asked, else -100.
            attention_mask: [B, L] 1 where there is a token, else 0.

        Returns:
            Scalars: `loss`; and, without gradient, the mean cross-entropies `text` and `audio`, in nats a token, with
            the numbers of tokens `texts` and `audios`.
        """
        asked = labels[:, 1:] != IGNORED
        hidden = self.language.hidden(tokens, attention_mask)[:, :-1][asked]
        targets = labels[:, 1:][asked]
        spell = self.language.vocabulary
        within = spell.is_audio(targets) & (targets != spell.start)
        everywhere = ~within | (torch.arange(len(targets), device=targets.device) % _ALL_WORDS_EVERY == 0)
        surprise, spread = targets.new_zeros(len(targets), dtype=torch.float32), 0.0
        for chosen, first in ((everywhere, 0), (~everywhere, spell.first)):
            scores = self._scores(hidden[chosen], first).float()
            surprise = surprise.masked_scatter(
                chosen, F.cross_entropy(scores, targets[chosen] - first, reduction="none")
            )
            spread = spread + scores.logsumexp(-1).square().sum()
        weights = torch.where(within, self.asked.audio_weight, 1.0)
        total = weights.sum().clamp_min(1e-8)
        loss = (weights * surprise).sum() / total + self.asked.z_loss * spread / max(len(targets), 1)
        told = surprise.detach()
        texts, audios = (~within).sum(), within.sum()
        return {
            "loss": loss,
            "text": told[~within].sum() / texts.clamp_min(1),
            "audio": told[within].sum() / audios.clamp_min(1),
            "texts": texts,
            "audios": audios,
        }

    def _scores(self, hidden: Tensor, first: int) -> Tensor:
        """Scores of the tokens from `first` to the end of a sound, from [P, H]."""
        spell, table = self.language.vocabulary, self.language.output_text_rows
        rows = self.language.output_rows.to(hidden.dtype)
        scores = F.linear(hidden, rows)
        if first == spell.first:
            return scores
        return torch.cat((F.linear(hidden, table[: spell.first].to(hidden.dtype)), scores), dim=-1)
