"""Blocks and joins: whatever the chunking, the same blocks; joining what was cut gives the stream back."""

import pytest
import torch

from makesomenoise.tokenizer.streaming import blocks, joined, padded


def _chunked(stream, size):
    return list(stream.split(size, dim=-1))


@pytest.mark.parametrize("length", [1, 5, 10, 11, 29, 30, 31, 64])
@pytest.mark.parametrize("chunk", [1, 3, 10, 100])
@pytest.mark.parametrize("filled", [False, True])
def test_blocks_do_not_depend_on_the_chunking(length, chunk, filled):
    stream = torch.arange(length)
    whole, cut = list(blocks([stream], 10, 4, filled)), list(blocks(_chunked(stream, chunk), 10, 4, filled))
    assert [(b.number, b.left, b.size, b.right, b.content.tolist()) for b in cut] == [
        (b.number, b.left, b.size, b.right, b.content.tolist()) for b in whole
    ]


@pytest.mark.parametrize("length", [1, 9, 10, 12, 37])
def test_pieces_without_their_context_are_the_stream(length):
    stream = torch.arange(length)
    pieces = [b.content[b.left : b.left + b.size] for b in blocks(_chunked(stream, 7), 10, 4)]
    assert torch.cat(pieces).tolist() == stream.tolist()


def test_context_is_as_long_as_the_stream_allows():
    sizes = [(b.left, b.size, b.right) for b in blocks([torch.arange(23)], 10, 4)]
    assert sizes == [(0, 10, 4), (4, 10, 3), (4, 3, 0)]


def test_filled_blocks_reach_back_to_be_as_long_as_the_others():
    found = list(blocks([torch.arange(33)], 10, 4, filled=True))
    assert [(b.left, b.size, b.right) for b in found] == [(0, 10, 4), (4, 10, 4), (5, 10, 3), (15, 3, 0)]
    assert [b.content.tolist() for b in found[2:]] == [list(range(15, 33)), list(range(15, 33))]


def test_no_chunks_give_no_blocks():
    assert list(blocks([], 10, 4)) == []


@pytest.mark.parametrize("length", [1, 10, 11, 13, 30, 47])
def test_joining_equal_pieces_gives_the_stream(length):
    stream = torch.randn(2, length)
    pieces = ((b.content, b.left, b.right) for b in blocks([stream], 10, 4))
    torch.testing.assert_close(torch.cat(list(joined(pieces, fade=6)), dim=-1), stream)


def test_a_seam_fades_from_one_piece_to_the_next():
    pieces = [(torch.zeros(14), 0, 4), (torch.ones(14), 4, 0)]
    faded = torch.cat(list(joined(pieces, fade=4)))
    torch.testing.assert_close(faded[8:12], torch.tensor([0.125, 0.375, 0.625, 0.875]))
    assert faded[:8].eq(0).all()
    assert faded[12:].eq(1).all()


def test_padding_ends_on_the_multiple():
    assert torch.cat(list(padded([torch.ones(3), torch.ones(2)], 4))).tolist() == [1, 1, 1, 1, 1, 0, 0, 0]
    assert torch.cat(list(padded([torch.ones(4)], 4))).tolist() == [1] * 4
