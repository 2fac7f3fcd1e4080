"""A GGUF file of a random Llama with the text tokenizer of bytes, and the same network in torch."""

from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM

CHATML = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
)
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = [("a", "u"), ("d", "i"), ("au", "di"), ("audi", "o"), ("Ġ", "r"), ("i", "n")]
WORDS = [*SPECIALS, *sorted(pre_tokenizers.ByteLevel.alphabet()), *(left + right for left, right in MERGES)]
HIDDEN, LAYERS, HEADS, KV_HEADS = 64, 2, 4, 2
_LINEAR = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


def network() -> LlamaForCausalLM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(WORDS),
                hidden_size=HIDDEN,
                intermediate_size=96,
                num_hidden_layers=LAYERS,
                num_attention_heads=HEADS,
                num_key_value_heads=KV_HEADS,
                max_position_embeddings=512,
                initializer_range=0.2,
                tie_word_embeddings=True,
                rope_theta=100_000.0,
            )
        )
    return made.eval()


def write(path: Path, made: LlamaForCausalLM) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(96)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(made.config.rms_norm_eps)
    writer.add_rope_freq_base(100_000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(WORDS)
    writer.add_token_types([3 if word in SPECIALS else 1 for word in WORDS])
    writer.add_token_merges([" ".join(pair) for pair in MERGES])
    for number, role in enumerate(("unk", "bos", "eos")):
        getattr(writer, f"add_{role}_token_id")(number)
    writer.add_pad_token_id(2)
    writer.add_chat_template(CHATML)
    for name, tensor in _tensors(made).items():
        writer.add_tensor(f"{name}.weight", tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(made: LlamaForCausalLM) -> dict[str, np.ndarray]:
    state = {name.removesuffix(".weight"): tensor.detach().numpy() for name, tensor in made.state_dict().items()}
    found = {"token_embd": state["model.embed_tokens"], "output_norm": state["model.norm"]}
    for number in range(LAYERS):
        for name, theirs in (_LINEAR | _NORMS).items():
            matrix = state[f"model.layers.{number}.{theirs}"]
            heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(name)
            found[f"blk.{number}.{name}"] = matrix if heads is None else _neighbours(matrix, heads)
    return found


def _neighbours(matrix: np.ndarray, heads: int) -> np.ndarray:
    """Halves of a head, which transformers turns together, next to each other, as llama.cpp has them."""
    rows, width = matrix.shape
    return matrix.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)
