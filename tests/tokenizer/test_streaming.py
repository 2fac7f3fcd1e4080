"""Blocks and joins: whatever the chunking, the same blocks; joining what was cut gives the stream back."""

import numpy as np
import pytest

from makesomenoise.tokenizer.streaming import blocks, joined, padded


def _chunked(stream, size):
    return [stream[..., start : start + size] for start in range(0, stream.shape[-1], size)]


@pytest.mark.parametrize("length", [1, 5, 10, 11, 29, 30, 31, 64])
@pytest.mark.parametrize("chunk", [1, 3, 10, 100])
@pytest.mark.parametrize("filled", [False, True])
def test_blocks_do_not_depend_on_the_chunking(length, chunk, filled):
    stream = np.arange(length)
    whole, cut = list(blocks([stream], 10, 4, filled)), list(blocks(_chunked(stream, chunk), 10, 4, filled))
    assert [(b.number, b.left, b.size, b.right, b.content.tolist()) for b in cut] == [
        (b.number, b.left, b.size, b.right, b.content.tolist()) for b in whole
    ]


@pytest.mark.parametrize("length", [1, 9, 10, 12, 37])
def test_pieces_without_their_context_are_the_stream(length):
    stream = np.arange(length)
    pieces = [b.content[b.left : b.left + b.size] for b in blocks(_chunked(stream, 7), 10, 4)]
    assert np.concatenate(pieces).tolist() == stream.tolist()


def test_context_is_as_long_as_the_stream_allows():
    sizes = [(b.left, b.size, b.right) for b in blocks([np.arange(23)], 10, 4)]
    assert sizes == [(0, 10, 4), (4, 10, 3), (4, 3, 0)]


def test_filled_blocks_reach_back_to_be_as_long_as_the_others():
    found = list(blocks([np.arange(33)], 10, 4, filled=True))
    assert [(b.left, b.size, b.right) for b in found] == [(0, 10, 4), (4, 10, 4), (5, 10, 3), (15, 3, 0)]
    assert [b.content.tolist() for b in found[2:]] == [list(range(15, 33)), list(range(15, 33))]


def test_no_chunks_give_no_blocks():
    assert list(blocks([], 10, 4)) == []


@pytest.mark.parametrize("length", [1, 10, 11, 13, 30, 47])
def test_joining_equal_pieces_gives_the_stream(length):
    stream = np.random.default_rng(0).standard_normal((2, length), np.float32)
    pieces = ((b.content, b.left, b.right) for b in blocks([stream], 10, 4))
    np.testing.assert_allclose(np.concatenate(list(joined(pieces, fade=6)), axis=-1), stream, atol=1e-6)


def test_a_seam_fades_from_one_piece_to_the_next():
    pieces = [(np.zeros(14), 0, 4), (np.ones(14), 4, 0)]
    faded = np.concatenate(list(joined(pieces, fade=4)))
    np.testing.assert_allclose(faded[8:12], np.array([0.125, 0.375, 0.625, 0.875]))
    assert faded[:8].max() == 0
    assert faded[12:].min() == 1


def test_padding_ends_on_the_multiple():
    assert np.concatenate(list(padded([np.ones(3), np.ones(2)], 4))).tolist() == [1, 1, 1, 1, 1, 0, 0, 0]
    assert np.concatenate(list(padded([np.ones(4)], 4))).tolist() == [1] * 4
