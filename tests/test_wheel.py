"""What `pip install` brings works where it was put: built, installed beside the tests' packages, and used."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from makesomenoise.audio import io

ROOT = Path(__file__).parents[1]
LICENCES = {"apache-2.0": "Apache-2.0", "cc-by-nc-4.0": "CC-BY-NC-4.0"}  # as the Hub writes them, as SPDX does


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the wheel was installed into; what it needs lies in the environment of the tests."""
    wheels, folder = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = wheels.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    return folder


@pytest.fixture
def msn(installed: Path, tmp_path: Path):
    """Runs the installed `msn` in an empty folder."""

    def run(*words: object) -> str:
        start = f"import sys; sys.path.insert(0, {str(installed)!r}); from makesomenoise.cli.main import app; app()"
        done = subprocess.run(
            [sys.executable, "-c", start, *map(str, words)], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_sound_is_encoded_and_decoded(msn, installed: Path, tmp_path: Path, tone):
    io.save(tmp_path / "tone.wav", tone(0.5))
    assert "12 codes" in msn("encode", "tone.wav", "tone.msn")
    msn("decode", "tone.msn", "back.wav", "--steps", 1)
    assert len(io.load(tmp_path / "back.wav")) == 12_000
    assert not (installed / "makesomenoise" / "pretrained" / "vqvae").exists()


@pytest.mark.slow
def test_the_demo_needs_nothing_that_is_left_out(msn, tmp_path: Path, tone):
    (tmp_path / "clips").mkdir()
    io.save(tmp_path / "clips" / "tone.wav", tone(0.2))
    msn("demo", "page", "--clips", "clips", "--language", "none")
    assert "tone-makesomenoise.wav" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8")


def test_the_licence_names_that_of_the_weights():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    told = set(project["license"].split(" AND "))
    wanted = {"Apache-2.0"}
    for card in (ROOT / "src" / "makesomenoise" / "pretrained").glob("*/MODEL_CARD.md"):
        found = re.match(r"---\n(.*?)\n---\n", card.read_text(encoding="utf-8"), re.DOTALL)
        assert found, card
        wanted.add(LICENCES[yaml.safe_load(found[1])["license"]])
    assert told == wanted
