"""What README and docs say is true: commands exist, files exist, code runs, and the tree is the real one."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for language, text in BLOCK.findall(page.read_text(encoding="utf-8")) if language in languages]


def lines(*languages: str) -> list[str]:
    return [line for page in PAGES for block in blocks(page, *languages) for line in block.splitlines() if line]


def targets() -> set[str]:
    return set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_make_targets_exist():
    named = {line.split()[1] for line in lines("bash") if line.startswith("make ")}
    assert named >= {"demo", "check"}
    assert named <= targets()


def test_ci_runs_the_documented_check():
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("make check")
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ncheck:")[1].split("\n\n")[0]
    assert [word for word in ("ruff format --check", "ruff check", "pyright", "pytest") if word not in recipe] == []


def test_msn_commands_exist_and_take_what_is_shown():
    from makesomenoise.cli.main import app

    shown = [shlex.split(line)[1:] for line in lines("bash", "text") if line.startswith("msn ")]
    assert {words[0] for words in shown} >= {"encode", "decode", "info", "train", "evaluate", "bench"}
    for words in shown:
        command = get_command(app)
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context("msn", words, resilient_parsing=False)


def test_every_command_is_documented():
    from makesomenoise.cli.main import app

    text = "".join(page.read_text(encoding="utf-8") for page in PAGES) + (ROOT / "CHANGELOG.md").read_text()
    assert [name for name in get_command(app).commands if f"msn {name}" not in text and f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_and_paths_lead_somewhere(page: Path):
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("http")]
    assert [link for link in links if not (page.parent / link.split("#")[0]).exists()] == []
    paths = re.findall(r"\b(?:configs|demo_clips|tests)/[\w/.-]*\w\.[a-z]+\b", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_tree_in_the_docs_is_the_real_one():
    (tree,) = (
        block
        for block in blocks(ROOT / "docs" / "explanation" / "architecture.md", "text")
        if block.startswith("src/makesomenoise/")
    )
    named = set(re.findall(r"(\w+)/", tree.split("\n", 1)[1])) - {"configs"}
    real = {p.name for p in (ROOT / "src" / "makesomenoise").iterdir() if p.is_dir() and not p.name.startswith("_")}
    assert named == real - {"pretrained"}


def test_the_python_in_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "demo_clips").symlink_to(ROOT / "demo_clips")
    monkeypatch.chdir(tmp_path)
    shapes = {}
    for code in blocks(ROOT / "README.md", "python"):
        names: dict = {}
        exec(compile(code, "README.md", "exec"), names)
        for name, shape in re.findall(r"^(\w+) = .*# \[([\d, ]+)\]", code, re.MULTILINE):
            shapes[name] = [int(n) for n in shape.split(",")]
            assert list(names[name].shape) == shapes[name]
    assert shapes.keys() == {"waveform", "codes", "sound", "sounds"}
    assert (tmp_path / "rain.wav").stat().st_size == 44 + 2 * 120_000
    assert (tmp_path / "made.wav").stat().st_size == 44 + 2 * 48_000


@pytest.mark.parametrize("page", ["getting-started.md", "how-to/encode-and-decode.md"])
def test_the_python_in_the_docs_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "demo_clips").symlink_to(ROOT / "demo_clips")
    monkeypatch.chdir(tmp_path)
    snippets = blocks(ROOT / "docs" / page, "python")
    assert snippets
    for code in snippets:
        exec(compile(code, page, "exec"), {})


def test_demo_clips_are_short_small_and_attributed():
    from makesomenoise.audio import io

    folder = ROOT / "demo_clips"
    clips = sorted(folder.glob("*.flac"))
    attributed = (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert 8 <= len(clips) <= 12
    assert all(f"`{clip.name}`" in attributed for clip in clips)
    assert all(1.0 <= len(io.load(clip)) / io.SAMPLE_RATE <= 6.0 for clip in clips)
    assert sum(clip.stat().st_size for clip in clips) < 1.5e6
