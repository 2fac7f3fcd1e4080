"""Writes the default base with what was learned as one GGUF file, which llama.cpp runs with no code of ours.

Matrices and rows of words are in 8 bits (Q8_0), the rest in 32. Its tokens are those that the model was trained on.
"""

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

from makesomenoise import checkpoint, model_folder
from makesomenoise.files import atomic_write
from makesomenoise.language.cache import SMOLLM2, gguf_file
from makesomenoise.language.config import LanguageConfig, LanguageError
from makesomenoise.language.gguf import GgufFile
from makesomenoise.language.merged_llama import LINEAR, Learned, MergedLlama, neighbours
from makesomenoise.language.text_tokenizer import TextTokenizer
from makesomenoise.language.vocabulary import AudioVocabulary

_Q8_0 = gguf.GGMLQuantizationType.Q8_0
_TOKENIZER = gguf.Keys.Tokenizer
_LEFT_OUT = {gguf.Keys.General.ARCHITECTURE, gguf.Keys.General.LICENSE}  # the writer's own; that of the base alone
# What of the base's tells another story than the model's.
_REPLACED = {_TOKENIZER.LIST, _TOKENIZER.TOKEN_TYPE, _TOKENIZER.PRE, _TOKENIZER.ADD_BOS}
_REPLACED |= {gguf.Keys.General.NAME, gguf.Keys.General.FILE_TYPE, gguf.Keys.LLM.VOCAB_SIZE.format(arch="llama")}


def merge_gguf(source: str | Path, path: str | Path) -> None:
    """Adds what a language model learned to the default base, and writes both as a GGUF file.

    Args:
        source: a model folder, a bundled name or a Hub id.
        path: of the file, which appears whole or not at all, over whatever was there.

    Raises:
        CheckpointError: if there is no such model.
        LanguageError: if its base is another one than the default, is missing, or is not the one that the weights were
            trained with.
        FileError: if the file cannot be written.
    """
    stored = checkpoint.load_model(model_folder.resolve(source), LanguageConfig)
    if stored.config.base != SMOLLM2:
        raise LanguageError(
            f"A GGUF file is written of the base {SMOLLM2} alone, not of '{stored.config.base}': give `--format hf`, "
            "and llama.cpp converts the folder."
        )
    learned = Learned(stored.fingerprint, stored.config, stored.state)
    base = gguf_file()
    file = GgufFile(base)
    merged = MergedLlama(file, stored.config, learned)
    vocabulary = AudioVocabulary.extend(TextTokenizer.from_gguf(file), stored.config.codebook_size)
    with atomic_write(path) as temporary:
        writer = gguf.GGUFWriter(temporary, "llama")
        _copy_fields(writer, base)
        _write_fields(writer, file, vocabulary, learned)
        for name, array in _tensors(merged):
            blocks = gguf.quants.quantize(array, _Q8_0) if array.ndim > 1 else array
            writer.add_tensor(f"{name}.weight", blocks, raw_dtype=_Q8_0 if array.ndim > 1 else None)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def _copy_fields(writer: gguf.GGUFWriter, base: Path) -> None:
    for name, field in gguf.GGUFReader(base).fields.items():
        if name.startswith("GGUF.") or name in _LEFT_OUT | _REPLACED:
            continue
        inner = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], inner)


def _write_fields(writer: gguf.GGUFWriter, file: GgufFile, vocabulary: AudioVocabulary, learned: Learned) -> None:
    config, known = learned.config, vocabulary.text_tokenizer.get_vocab()
    new = sorted((word for word, token in known.items() if token >= vocabulary.first), key=known.__getitem__)
    writer.add_name("makesomenoise")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_vocab_size(vocabulary.end + 1)
    writer.add_token_list([*file.fields[_TOKENIZER.LIST], *new])
    # Control words are neither read from a text nor printed unless llama.cpp is told to; these are what is said.
    kinds = [gguf.TokenType.USER_DEFINED] * len(new)
    writer.add_token_types([*file.fields[_TOKENIZER.TOKEN_TYPE], *kinds])
    # The base's own pattern cuts numbers into digits, and the model was trained on those of GPT-2.
    writer.add_tokenizer_pre("gpt-2")
    writer.add_add_bos_token(False)  # a prompt begins with that of the template
    writer.add_string("makesomenoise.fingerprint", learned.fingerprint)
    writer.add_string("makesomenoise.tokenizer_fingerprint", config.tokenizer_fingerprint)
    writer.add_uint32("makesomenoise.codebook_size", config.codebook_size)
    writer.add_float32("makesomenoise.code_rate", config.code_rate)
    writer.add_bool("makesomenoise.time_markers", config.time_markers)


def _tensors(merged: MergedLlama) -> Iterator[tuple[str, np.ndarray]]:
    """Tensors by their names without `.weight`; the rows of tokens also score them."""
    yield "token_embd", np.concatenate((merged.plain("token_embd"), merged.rows))
    yield "output_norm", merged.plain("output_norm")
    for number in range(merged.sizes.layers):
        for norm in ("attn_norm", "ffn_norm"):
            yield f"blk.{number}.{norm}", merged.plain(f"blk.{number}.{norm}")
        for name in LINEAR:
            matrix, heads = merged.matrix(number, name), merged.turned_heads(name)
            yield f"blk.{number}.{name}", matrix if heads is None else neighbours(matrix, heads)
    merged.check_all_added()
