"""A text tokenizer without transformers: the same calls as far as words and prompts need them, the same tokens.

It does what transformers makes of a GGUF file of the tokenizer of GPT-2: bytes to letters, words by GPT-2's pattern.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Self

from jinja2 import Environment, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from makesomenoise.language.config import LanguageError
from makesomenoise.language.gguf import GgufFile

_CONTROL = 3  # a token of a GGUF that is no text
_TOKENS = "tokenizer.ggml."


class TextTokenizer:
    """Text to tokens and back.

    Args:
        backend: does the work.
        chat_template: a template of Jinja; none where the base has none.
        specials: its special tokens by role: `bos_token`, `eos_token`, ...

    Attributes:
        chat_template: see above.
    """

    def __init__(self, backend: Tokenizer, chat_template: str | None, specials: Mapping[str, str]):
        self._backend, self._specials = backend, dict(specials)
        self.chat_template = chat_template

    @classmethod
    def from_gguf(cls, file: GgufFile) -> Self:
        """Makes that of a GGUF file.

        Raises:
            LanguageError: if the file has another kind of tokenizer.
        """
        fields = {name.removeprefix(_TOKENS): value for name, value in file.fields.items()}
        if fields.get("model") != "gpt2":
            raise LanguageError(f"The text tokenizer of kind '{fields.get('model')}' cannot be read without torch.")
        words = fields["tokens"]
        merges = [tuple(merge.split(" ")) for merge in fields["merges"]]
        backend = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, merges))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # pyright: ignore
        backend.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
        control = [word for word, kind in zip(words, fields["token_type"], strict=True) if kind == _CONTROL]
        backend.add_special_tokens([AddedToken(word, normalized=False, special=True) for word in control])
        roles = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
        numbers = {role: fields.get(f"{name}_token_id") for name, role in roles.items()}
        specials = {f"{role}_token": words[number] for role, number in numbers.items() if number is not None}
        return cls(backend, fields.get("chat_template", file.fields.get("tokenizer.chat_template")), specials)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` has written.

        Raises:
            LanguageError: if it cannot be read.
        """
        try:
            settings = json.loads(path.with_suffix(".settings.json").read_text(encoding="utf-8"))
            return cls(Tokenizer.from_file(str(path)), settings["chat_template"], settings["specials"])
        except Exception as error:  # tokenizers raises plain exceptions
            raise LanguageError(f"Cannot read the text tokenizer {path} ({error}).") from None

    def save(self, path: Path) -> None:
        """Writes it, with its settings beside it."""
        self._backend.save(str(path), pretty=False)
        settings = {"chat_template": self.chat_template, "specials": self._specials}
        path.with_suffix(".settings.json").write_text(json.dumps(settings), encoding="utf-8")

    @property
    def bos_token(self) -> str | None:
        """The token that begins a text, as text."""
        return self._specials.get("bos_token")

    @property
    def all_special_ids(self) -> list[int]:
        """The tokens that have a role."""
        found = [self._backend.token_to_id(word) for word in dict.fromkeys(self._specials.values())]
        return [token for token in found if token is not None]

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Tokens that were added to those of text."""
        return self._backend.get_added_tokens_decoder()

    def get_vocab(self) -> dict[str, int]:
        """All tokens, by their text."""
        return self._backend.get_vocab()

    def add_tokens(self, tokens: Sequence[AddedToken]) -> int:
        """Adds tokens that are not known yet: how many."""
        return self._backend.add_tokens(list(tokens))

    def encode(self, text: str, add_special_tokens: bool = False, split_special_tokens: bool = False) -> list[int]:
        """Text to tokens.

        Args:
            text: any.
            add_special_tokens: allow the tokenizer to write tokens around it.
            split_special_tokens: take what spells a special token as text.
        """
        self._backend.encode_special_tokens = split_special_tokens
        return self._backend.encode(text, add_special_tokens=add_special_tokens).ids

    def decode(
        self, tokens: Sequence[int], skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool = False
    ) -> str:
        """Tokens to text; spaces stay as they are, whatever is asked."""
        del clean_up_tokenization_spaces
        return self._backend.decode(list(tokens), skip_special_tokens=skip_special_tokens)

    def apply_chat_template(self, messages: Sequence[Mapping[str, str]], tokenize: bool = False) -> str:
        """A conversation as the template writes it.

        Raises:
            TemplateError: if the template refuses it.
        """
        del tokenize
        template = _environment().from_string(self.chat_template or "")
        return template.render(messages=messages, add_generation_prompt=False, **self._specials)


@cache
def _environment() -> Environment:
    """As transformers has it: a template is part of a model, and may do nothing but write."""
    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    made.globals["raise_exception"] = _refuse
    return made


def _refuse(message: str) -> None:
    raise TemplateError(message)
