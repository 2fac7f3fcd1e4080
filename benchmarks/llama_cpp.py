"""Holds llama.cpp to what we say: the greedy tokens of a merged language model after a few prompts.

    msn merge language sound.gguf --format gguf
    llama-server -m sound.gguf --port 8080 -ctk f32 -ctv f32 &
    python benchmarks/llama_cpp.py http://127.0.0.1:8080

Says whether llama.cpp cuts a prompt into the same tokens, with no second start token, and in how many of the next 200
places ours would take the same token after the same ones. Both round to 8 bits, each in its own way: where they differ,
the two tokens should be all but equally likely, which the largest gap between their scores tells.
"""

import argparse
import json
import urllib.request
from collections.abc import Sequence

import numpy as np

from makesomenoise import AudioTokenizer
from makesomenoise.language.prompts import Sound, Turn
from makesomenoise.language.speaker import Speaker, load_speaker

COUNT = 200
ENDS = ("<|im_end|>", "<|endoftext|>", "<repo_name>", "<file_sep>", "<reponame>")  # what llama.cpp takes for an end
TEXT = "<|im_start|>user\nHello <|a17|> there<|im_end|>\n"


def posted(url: str, document: dict) -> dict:
    """What llama.cpp's server answers."""
    request = urllib.request.Request(url, json.dumps(document).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as answer:
        return json.load(answer)


def prompts(speaker: Speaker) -> dict[str, list[int]]:
    """Tokens of a caption that is asked for, of talk, and of a sound that has begun."""
    rng = np.random.default_rng(0)
    waveform = (0.1 * rng.standard_normal(120_000)).astype(np.float32)
    codes = AudioTokenizer.load("default", "griffin-lim").encode(waveform[None])[0]
    asked = {
        "caption": (Sound(tuple(map(int, codes))), "Describe the sound."),
        "talk": ("Tell me a long story about a dog and a storm.",),
        "sound": ("Make the sound of rain.",),
    }
    found = {name: [*map(int, speaker.prompts.prompt([Turn("user", parts)]))] for name, parts in asked.items()}
    found["sound"].append(speaker.vocabulary.start)
    return found


def compare(speaker: Speaker, prompt: Sequence[int], tokens: Sequence[int]) -> str:
    """How many of the tokens ours would take, each after those before it."""
    engine, known = speaker.engine, speaker.vocabulary.text_tokenizer.get_vocab()
    state = engine.begin(1)
    hidden = engine.read(state, [prompt])
    hidden = np.concatenate([hidden, engine.read_branches(state, [tokens[:-1]])])
    scores = np.concatenate([engine.text_scores(hidden), engine.audio_scores(hidden)], axis=1)
    scores[:, [known[word] for word in ENDS if word in known]] = -np.inf
    gaps = scores.max(axis=1) - scores[np.arange(len(tokens)), tokens]
    return f"{int((gaps == 0).sum())} of {len(tokens)} the same, largest gap {gaps.max():.3f}"


def main() -> None:
    """Reads the command line and prints a line for each prompt."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of llama-server")
    url = parser.parse_args().url
    speaker = load_speaker("language")
    cut = posted(f"{url}/tokenize", {"content": TEXT, "add_special": True, "parse_special": True})["tokens"]
    same = cut == list(speaker.vocabulary.text_tokenizer.encode(TEXT))
    print(f"tokens of a prompt: {'the same' if same else cut}")
    for name, prompt in prompts(speaker).items():
        settings = {"temperature": 0.0, "top_k": 1, "repeat_penalty": 1.0, "ignore_eos": True, "cache_prompt": False}
        document = {"prompt": prompt, "n_predict": COUNT, "return_tokens": True, **settings}
        print(f"{name}: {compare(speaker, prompt, posted(f'{url}/completion', document)['tokens'])}")


if __name__ == "__main__":
    main()
