"""An LLM whose vocabulary has the codes: base, low-rank matrices beside its linear layers, and rows for the new words.

Only the matrices and the rows are learned and kept; the base, its embeddings of text included, stays as it is.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from transformers import Cache, PreTrainedModel
from transformers.initialization import no_init_weights

from makesomenoise import checkpoint, model_folder
from makesomenoise.files import atomic_folder, check_free
from makesomenoise.language import adapter
from makesomenoise.language.base import Base, load_base, save_plain, usual_dtype
from makesomenoise.language.config import LanguageConfig, LanguageError
from makesomenoise.language.initialization import initial_rows
from makesomenoise.language.prompts import Prompts
from makesomenoise.language.torch import TorchLanguage
from makesomenoise.language.vocabulary import AudioVocabulary

if TYPE_CHECKING:
    from peft import PeftModel

_PEFT_BASE = "base"


class LanguageModel(nn.Module):
    """Tokens of text and sound to what comes next.

    Attributes:
        config: what it was made from.
        network: the causal LM of transformers, wrapped by PEFT while it can be trained.
        vocabulary: its tokens.
        prompts: how conversations become tokens.
        fused: whether what was learned is part of the base's own weights: fast, not to be trained or saved.
    """

    def __init__(
        self,
        config: LanguageConfig,
        network: "PeftModel | PreTrainedModel",
        vocabulary: AudioVocabulary,
    ):
        super().__init__()
        self.config = config
        self.network = network
        self.vocabulary = vocabulary
        self.tell_time(config.time_markers)
        self.fused = isinstance(network, PreTrainedModel)
        self.eval()

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
        if codebook.shape[:-1] != (config.codebook_size,):
            raise LanguageError(f"Expected a codebook [{config.codebook_size}, D]; got {list(codebook.shape)}.")
        base, vocabulary = _extended(config, dtype)
        rows = [
            initial_rows(codebook, _weight(table)[: vocabulary.first], torch.Generator().manual_seed(seed))
            for table in adapter.tables_of(base.network)
        ]
        model = cls(config, adapter.wrap(base.network, config.lora, vocabulary.token_ids, seed), vocabulary)
        model.set_rows(*rows)
        return model

    @classmethod
    def load(cls, folder: str | Path, dtype: torch.dtype = torch.float32, fused: bool = False) -> Self:
        """Loads a model that `save` has written.

        Args:
            folder: a model folder, a bundled name or a Hub id.
            dtype: of the base's weights; what is learned is float32.
            fused: add what was learned to the base's weights, for all but training.

        Raises:
            CheckpointError: if there is no such model.
            LanguageError: if the base cannot be loaded, or is not the one that the weights were trained with.
        """
        folder = model_folder.resolve(folder)
        stored = checkpoint.load_model(folder, LanguageConfig)
        config, state = stored.config, stored.tensors()
        base, vocabulary = _extended(config, dtype)
        if fused:
            adapter.add(base.network, config.lora, state, vocabulary.first)
            return cls(config, base.network.requires_grad_(False), vocabulary)
        wrapped = adapter.wrap(base.network, config.lora, vocabulary.token_ids, seed=0)
        adapter.set_learned(wrapped, state)
        return cls(config, wrapped, vocabulary)

    @classmethod
    def load_to_answer(cls, folder: str | Path, device: str | torch.device = "cpu") -> Self:
        """Loads a model to be asked: fused, on a device and in what that computes fastest; errors as `load`."""
        return cls.load(folder, usual_dtype(device), fused=True).to(device)

    def base_alone(self) -> Self:
        """The base without what was learned, which takes its memory a second time; errors as `load`."""
        base, vocabulary = _extended(self.config, self.rows.dtype)
        return type(self)(self.config, base.network.requires_grad_(False), vocabulary).to(self.rows.device)

    def tell_time(self, time_markers: bool) -> None:
        """Decides whether sounds that the model hears tell the time; it must be trained as it is used."""
        self.config = self.config.model_copy(update={"time_markers": time_markers})
        self.prompts = Prompts(self.vocabulary, self.config.code_rate if time_markers else None)

    def take_codes_of(self, fingerprint: str, codebook_size: int) -> None:
        """Makes the codes of another tokenizer the model's own; their rows are those of the same numbers as yet.

        Raises:
            LanguageError: if there are more or fewer of them.
        """
        if codebook_size != self.config.codebook_size:
            raise LanguageError(
                f"The model knows {self.config.codebook_size} codes, and the tokenizer has {codebook_size}: it cannot "
                "learn them in place of its own."
            )
        self.config = self.config.model_copy(update={"tokenizer_fingerprint": fingerprint})

    def learned(self) -> dict[str, Tensor]:
        """The matrices and rows, by the names PEFT gives, sharing memory with the model.

        Raises:
            LanguageError: if the model is fused.
        """
        return adapter.learned(self._wrapped())

    def set_learned(self, state: dict[str, Tensor]) -> None:
        """Takes matrices and rows, by the names of `learned`.

        Raises:
            LanguageError: if the model is fused.
        """
        adapter.set_learned(self._wrapped(), state)

    def save(self, folder: str | Path, card: str | None = None) -> None:
        """Writes what was learned as a model folder, in 16 bits.

        Args:
            folder: made if missing.
            card: text of the model card.

        Raises:
            LanguageError: if the model is fused.
        """
        checkpoint.save_model(folder, self.config, self.learned(), storage="float16", card=card)

    def fuse(self) -> Self:
        """Adds what was learned to the base's own weights: faster, but no longer to be trained or saved.

        Returns:
            The model itself; `network` is then a plain causal LM.
        """
        if not self.fused:
            state, network = self.learned(), self._wrapped().unload()
            adapter.add(network, self.config.lora, state, self.vocabulary.first)
            self.network, self.fused = network.requires_grad_(False).eval(), True
        return self

    def merge(self, folder: str | Path) -> None:
        """Fuses the model and writes it as a plain folder, which transformers loads with no code of ours.

        Args:
            folder: must not exist, or be empty; appears whole or not at all.

        Raises:
            FileError: if there is something in the folder, or it cannot be written.
        """
        check_free(folder)
        with atomic_folder(folder) as whole:
            self.fuse()
            # Here it is always that of transformers.
            save_plain(Base(self.causal, self.vocabulary.text_tokenizer), whole)  # pyright: ignore[reportArgumentType]

    def write_peft(self, folder: str | Path) -> None:
        """Writes what was learned in PEFT's own layout, and in `base` the base that it belongs to.

        The base has rows for the new words, which mean nothing before `peft.PeftModel.from_pretrained(base, folder)`;
        the text tokenizer that knows them is in both.

        Args:
            folder: must not exist, or be empty; appears whole or not at all.

        Raises:
            FileError: if there is something in the folder, or it cannot be written.
            LanguageError: if the model is fused, or the base cannot be loaded again.
        """
        check_free(folder)
        network, alone = self._wrapped(), self.base_alone()
        text_tokenizer: Any = self.vocabulary.text_tokenizer  # here it is always that of transformers
        with atomic_folder(folder) as whole:
            network.save_pretrained(str(whole), save_embedding_layers=False)
            (whole / "README.md").unlink(missing_ok=True)  # PEFT's empty form of a card
            text_tokenizer.save_pretrained(whole)
            (whole / _PEFT_BASE).mkdir()
            save_plain(Base(alone.causal, text_tokenizer), whole / _PEFT_BASE)

    @property
    def engine(self) -> TorchLanguage:
        """What runs the network on arrays."""
        return TorchLanguage(self)

    @property
    def causal(self) -> Any:
        """The causal LM of transformers itself, also while PEFT is around it."""
        return self.network if self.fused else self._wrapped().get_base_model()

    @property
    def rows(self) -> Tensor:
        """[K + 2, H] the rows of codes, start and end that tokens are read by; learned."""
        return self._rows_of(self.causal.get_input_embeddings())

    @property
    def output_rows(self) -> Tensor:
        """[K + 2, H] the rows that score codes, start and end; those of `rows` where the base is `tied`."""
        return self._rows_of(self.causal.get_output_embeddings())

    @property
    def text_rows(self) -> Tensor:
        """[V, H] the base's own rows that tokens are read by, never learned; those of codes mean nothing here."""
        return self._own_rows_of(self.causal.get_input_embeddings())

    @property
    def output_text_rows(self) -> Tensor:
        """[V, H] the base's own rows that score tokens; those of `text_rows` where the base is `tied`."""
        return self._own_rows_of(self.causal.get_output_embeddings())

    @property
    def tied(self) -> bool:
        """Whether the base reads and scores tokens by the same rows."""
        return self.rows.data_ptr() == self.output_rows.data_ptr()

    def set_rows(self, rows: Tensor, output_rows: Tensor | None = None) -> None:
        """Replaces the rows of the new words.

        Args:
            rows: [K + 2, H] codes, start, end.
            output_rows: [K + 2, H] the rows that score them, where the base is not `tied`; none leaves them.

        Raises:
            LanguageError: if there are more or fewer rows, or longer or shorter ones.
        """
        targets = [(self.rows, rows)] + ([(self.output_rows, output_rows)] if output_rows is not None else [])
        for own, new in targets[: 1 if self.tied else 2]:
            if new.shape != own.shape:
                raise LanguageError(f"Expected rows {list(own.shape)}; got {list(new.shape)}.")
            own.detach().copy_(new.detach())

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
            attention_mask: [B, past + L] 1 where there is a token, 0 where there is padding; none: there is no padding.
            cache: keys and values of what came before; extended by these tokens.
            positions: [B, L] of the tokens; none means that they follow the cache.

        Returns:
            [B, L, H].
        """
        made = self.causal.base_model(
            input_ids=tokens,
            attention_mask=attention_mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        return made.last_hidden_state

    forward = hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores [..., V] of every token to come next, from what `hidden` gave [..., H]."""
        return self.causal.get_output_embeddings()(hidden)

    def _wrapped(self) -> "PeftModel":
        if self.fused:
            raise LanguageError("A fused language model can neither be trained nor saved: load it again.")
        return self.network  # pyright: ignore[reportReturnType]

    def _rows_of(self, table: nn.Module) -> Tensor:
        if self.fused:
            return _weight(table)[self.vocabulary.first : self.vocabulary.end + 1]
        token_adapter: Any = table.token_adapter
        return token_adapter.trainable_tokens_delta[token_adapter.active_adapters[0]]

    def _own_rows_of(self, table: Any) -> Tensor:
        return _weight(table if self.fused else table.token_adapter.base_layer).detach()


def _extended(config: LanguageConfig, dtype: torch.dtype) -> tuple[Base, AudioVocabulary]:
    """The base with room for the words of the codes."""
    base = load_base(config.base, dtype)
    vocabulary = AudioVocabulary.extend(base.text_tokenizer, config.codebook_size)
    if vocabulary.end >= len(_weight(base.network.get_input_embeddings())):
        known = len(_weight(base.network.get_input_embeddings()))
        with no_init_weights():  # which would draw every row, and then copy all that there were
            base.network.resize_token_embeddings(vocabulary.end + 1, mean_resizing=False)
        with torch.no_grad():
            for table in adapter.tables_of(base.network):
                _weight(table)[known:] = 0.0
    return base, vocabulary


def _weight(table: nn.Module) -> Tensor:
    return table.get_parameter("weight")
