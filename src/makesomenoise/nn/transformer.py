"""Transformer layers over [B, N, C] with rotary positions; no project knowledge."""

import torch
from torch import Tensor, nn


def rotary_angles(length: int, head_dim: int, device: torch.device, base: float = 1000.0) -> Tensor:
    """Rotation angles [length, head_dim // 2] of rotary position embedding (Su et al. 2021, eq. 15)."""
    rates = base ** -(torch.arange(0, head_dim, 2, device=device, dtype=torch.float32) / head_dim)
    return torch.arange(length, device=device, dtype=torch.float32)[:, None] * rates


def rotate(x: Tensor, angles: Tensor) -> Tensor:
    """Turns the pairs (x[..., i], x[..., i + half]) of [B, H, N, head_dim] by the angles."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class RotaryAttention(nn.Module):
    """Full self-attention with rotary positions and normalised queries and keys (steadier training)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.query_norm = nn.RMSNorm(dim // heads, eps=1e-6)
        self.key_norm = nn.RMSNorm(dim // heads, eps=1e-6)
        self.out = nn.Linear(dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, C] to [B, N, C]."""
        batch, length, dim = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        angles = rotary_angles(length, dim // self.heads, x.device)
        q, k = rotate(self.query_norm(q), angles), rotate(self.key_norm(k), angles)
        # Windows are short, and for bfloat16 gradients on a CPU torch's fused attention takes thrice this time.
        scores = q @ k.transpose(-1, -2) * (dim // self.heads) ** -0.5
        y = scores.float().softmax(-1).to(v.dtype) @ v
        return self.out(y.transpose(1, 2).reshape(batch, length, dim))


class TransformerBlock(nn.Module):
    """Attention, then a gated local mix, then a feed-forward layer, each normalised before and added back.

    The depthwise convolution gives neighbours a path of their own, which attention over few training examples learns
    slowly.
    """

    def __init__(self, dim: int, heads: int, hidden: int, kernel: int = 5):
        super().__init__()
        self.attention_norm = nn.LayerNorm(dim, eps=1e-6)
        self.attention = RotaryAttention(dim, heads)
        self.local = nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.feed_norm = nn.LayerNorm(dim, eps=1e-6)
        self.feed = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, C] to [B, N, C]."""
        x = x + self.attention(self.attention_norm(x))
        x = x + self.local(x.transpose(1, 2)).transpose(1, 2)
        return x + self.feed(self.feed_norm(x))
