"""Prompts differ and depend on their seed; chats are read as they were written, or refused in one sentence."""

import re
from pathlib import Path

import pytest

from makesomenoise.data.instructions.text_only import Chat, ChatError, prompts, read_chat, write_chat


def test_prompts_differ_and_are_many():
    made = prompts(3000, seed=0)
    assert len(set(made)) == 3000
    assert all(text[0].isupper() and text[-1] in ".?" for text in made)
    assert not any(re.search(r"[{}]|  |<\|", text) for text in made)
    assert len({text.split()[0] for text in made}) > 15


def test_prompts_depend_on_the_seed_alone():
    assert prompts(50, seed=3) == prompts(80, seed=3)[:50]
    assert prompts(50, seed=3) != prompts(50, seed=4)
    assert prompts(0, seed=0) == []


def test_sums_can_be_done():
    for text in prompts(2000, seed=1):
        if found := re.fullmatch(r"What is (\d+) minus (\d+)\?", text):
            assert int(found[1]) > int(found[2]) > 0


@pytest.mark.parametrize("count", [-1, 10_001])
def test_more_prompts_than_there_are_cannot_be_had(count: int):
    with pytest.raises(ChatError, match=f"make {count} different prompts"):
        prompts(count, seed=0)


def test_chats_are_read_as_they_were_written(tmp_path: Path):
    chats = [Chat("Two\nlines?", 'A "café",\u2028\n\nnothing more.'), Chat("And <|a5|>?", "That is text.")]
    write_chat(tmp_path / "chat.jsonl", chats)
    assert read_chat(tmp_path / "chat.jsonl") == chats
    assert [path.name for path in tmp_path.iterdir()] == ["chat.jsonl"]
    write_chat(tmp_path / "chat.jsonl", [])
    assert read_chat(tmp_path / "chat.jsonl") == []


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        '{"question": "What?"}',
        '{"question": "What?", "answer": 3}',
        '{"question": "What?", "answer": " "}',
        '{"question": "What?", "answer": "This.", "more": 1}',
    ],
)
def test_a_line_that_is_no_chat_is_named(line: str, tmp_path: Path):
    path = tmp_path / "chat.jsonl"
    path.write_text(f'{{"question": "What?", "answer": "This."}}\n{line}\n', encoding="utf-8")
    with pytest.raises(ChatError, match=r"chat\.jsonl, line 2 is not a chat"):
        read_chat(path)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path):
    (tmp_path / "latin").write_bytes(b"\xe9\xff")
    for name in ("missing", "latin", "."):
        with pytest.raises(ChatError, match="Cannot read chats from"):
            read_chat(tmp_path / name)
