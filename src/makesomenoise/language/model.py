"""An LLM whose vocabulary has the codes: base, low-rank matrices beside its linear layers, and rows for the new words.

Only the matrices and the rows are learned and kept; the base, its embeddings of text included, stays as it is.
"""

import math
import tempfile
from pathlib import Path
from typing import Self

import peft
import torch
from torch import Tensor, nn
from transformers import Cache, PreTrainedModel

from makesomenoise import checkpoint
from makesomenoise.language.base import load_base
from makesomenoise.language.config import LanguageConfig, LanguageError
from makesomenoise.language.prompts import Prompts
from makesomenoise.language.vocabulary import AudioVocabulary, initial_rows

_ADAPTER = "default"


class LanguageModel(nn.Module):
    """Tokens of text and sound to what comes next.

    Attributes:
        config: what it was made from.
        network: the causal LM of transformers, wrapped by PEFT until `fuse`.
        vocabulary: its tokens.
        prompts: how conversations become tokens.
    """

    def __init__(self, config: LanguageConfig, network: peft.PeftModel | PreTrainedModel, vocabulary: AudioVocabulary):
        super().__init__()
        self.config = config
        self.network = network
        self.vocabulary = vocabulary
        self.prompts = Prompts(vocabulary)

    @classmethod
    def create(
        cls, config: LanguageConfig, codebook: Tensor, seed: int = 0, dtype: torch.dtype = torch.float32
    ) -> Self:
        """Makes an untrained model: it says what the base says, and knows nothing of sound.

        Args:
            config: what to make.
            codebook: [K, D] the vector of every code.
            seed: of the new rows and matrices.
            dtype: of the base's weights; what is learned is float32.

        Raises:
            LanguageError: if the base cannot be loaded, or the codebook is not of K codes.
        """
        raise NotImplementedError

    @classmethod
    def load(cls, folder: str | Path, dtype: torch.dtype = torch.float32) -> Self:
        """Loads a model that `save` has written, ready to be trained further; `fuse` makes it fast.

        Args:
            folder: a model folder, a bundled name or a Hub id.
            dtype: of the base's weights; what is learned is float32.

        Raises:
            CheckpointError: if there is no such model.
            LanguageError: if the base cannot be loaded, or is not the one that the weights were trained with.
        """
        raise NotImplementedError

    def save(self, folder: str | Path, card: str | None = None) -> None:
        """Writes what was learned as a model folder, in 16 bits.

        Args:
            folder: made if missing.
            card: text of the model card.
        """
        raise NotImplementedError

    def fuse(self) -> Self:
        """Adds what was learned to the base's own weights: faster, but no longer to be trained or saved.

        Returns:
            The model itself; `network` is then a plain causal LM.
        """
        raise NotImplementedError

    def merge(self, folder: str | Path) -> None:
        """Fuses the model and writes it as a plain folder, which transformers loads with no code of ours.

        Args:
            folder: must not exist, or be empty; appears whole or not at all.

        Raises:
            LanguageError: if there is something in the folder.
        """
        raise NotImplementedError

    @property
    def rows(self) -> Tensor:
        """[K + 2, H] the rows of codes, start and end that tokens are read by; learned."""
        raise NotImplementedError

    @property
    def output_rows(self) -> Tensor:
        """[K + 2, H] the rows that score codes, start and end; the same tensor as `rows` where the base ties them."""
        raise NotImplementedError

    def set_rows(self, rows: Tensor, output_rows: Tensor | None = None) -> None:
        """Replaces the rows of the new words.

        Args:
            rows: [K + 2, H] codes, start, end.
            output_rows: [K + 2, H] the rows that score them, where the base does not tie them; else they stay.
        """
        raise NotImplementedError

    def hidden(
        self,
        tokens: Tensor,
        attention_mask: Tensor | None = None,
        cache: Cache | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Tokens to what the LLM makes of them, before scores are computed.

        Args:
            tokens: [B, L].
            attention_mask: [B, past + L] 1 where there is a token, 0 where there is padding; none means all are tokens.
            cache: keys and values of what came before; extended by these tokens.
            positions: [B, L] of the tokens; none means that they follow the cache.

        Returns:
            [B, L, H].
        """
        raise NotImplementedError

    forward = hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores [..., V] of every token to come next, from what `hidden` gave [..., H]."""
        raise NotImplementedError
