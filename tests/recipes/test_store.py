import subprocess
import sys
from pathlib import Path

import torch

from makesomenoise import checkpoint
from makesomenoise.tokenizer.config import TokenizerConfig
from makesomenoise.tokenizer.network import TokenizerNetwork
from recipes.store import store

BRANCH = {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2}
DECODER = {"frame_dim": 16, "dim": 200, "trunk_layers": 1, "middle_layers": 1, "frame_layers": 1, "kernel": 3}
CONFIG = TokenizerConfig.model_validate(
    {
        "encoder": {"semantic_branch": BRANCH, "frame_dim": 8, "dim": 16, "layers": 1, "heads": 2, "latent_dim": 8},
        "decoder": {"kind": "flow", "network": DECODER},
    }
)


def test_a_model_is_stored_smaller_with_the_same_codes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    checkpoint.save_model(tmp_path / "model", CONFIG, TokenizerNetwork(CONFIG).state_dict(), "float16")
    codes = store(str(tmp_path / "model"), tmp_path / "stored", "int8", "About it.")
    assert codes == store(str(tmp_path / "stored"), tmp_path / "again", "int8")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("model", "stored")]
    assert sizes[1] < 0.8 * sizes[0]
    assert (tmp_path / "stored" / "MODEL_CARD.md").read_text() == "About it."
    before, after = (checkpoint.load_state(tmp_path / name) for name in ("model", "stored"))
    assert all(torch.equal(after[name], t) for name, t in before.items() if not name.startswith("decoder."))


def test_what_is_missing_is_said_in_one_sentence(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "recipes" / "store.py"
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "none"), str(tmp_path / "to")],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "to").exists()
