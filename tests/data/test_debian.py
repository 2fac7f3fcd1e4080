"""Sounds of packages become labelled shards; nothing is fetched where the packages lie there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from makesomenoise.audio import io
from makesomenoise.data import debian
from makesomenoise.data.debian import DebianError, Packages, prepare_debian
from makesomenoise.data.manifest import read_clips
from makesomenoise.data.tar_shards import Held

needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="packages are built and read by dpkg-deb")
TABLE = "package\tlicense\tpath\tlabel\nnoises\tCC0-1.0\t/dog_bark\tdog\nnoises\tCC0-1.0\t/rain\train\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "packages.tsv").write_text(TABLE)
    return tmp_path / "packages.tsv"


@pytest.fixture
def downloads(tmp_path: Path, tone) -> Path:
    root = tmp_path / "root"
    sounds = root / "usr" / "share" / "noises"
    sounds.mkdir(parents=True)
    for name in ("dog_bark01", "rain_02", "menu_click"):
        io.save(sounds / f"{name}.wav", tone(0.1))
    (sounds / "dog_bark.txt").write_text("no sound")
    (root / "DEBIAN").mkdir()
    control = "Package: noises\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <a@b.c>\nDescription: noises\n"
    (root / "DEBIAN" / "control").write_text(control)
    (tmp_path / "debs").mkdir()
    command = ["dpkg-deb", "--root-owner-group", "--build", root, tmp_path / "debs" / "noises_1.0_all.deb"]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path / "debs"


@needs_dpkg
def test_rules_name_the_sounds_and_the_rest_is_left_out(downloads: Path, table: Path, tmp_path: Path):
    done = prepare_debian(tmp_path / "out", downloads, Packages.read(table))
    assert done.clips == {"train": 2}
    clips = {clip.label: clip for clip in read_clips([tmp_path / "out"])}
    assert set(clips) == {"dog", "rain"}
    assert (clips["dog"].dataset, clips["dog"].license, clips["dog"].trust) == ("debian", "CC0-1.0", "claimed")
    assert clips["dog"].read() == (tmp_path / "root/usr/share/noises/dog_bark01.wav").read_bytes()
    before = (tmp_path / "out" / "train-00000.tar").stat().st_mtime_ns
    assert prepare_debian(tmp_path / "out", downloads, Packages.read(table)).clips == {"train": 2}
    assert (tmp_path / "out" / "train-00000.tar").stat().st_mtime_ns == before


@needs_dpkg
def test_a_package_is_held_back_whole(downloads: Path, table: Path, tmp_path: Path):
    done = prepare_debian(tmp_path / "out", downloads, Packages.read(table), held=Held(share=0.99999))
    assert done.clips == {"valid": 2}


@needs_dpkg
def test_half_a_package_is_one_sentence(downloads: Path, table: Path, tmp_path: Path):
    package = downloads / "noises_1.0_all.deb"
    package.write_bytes(package.read_bytes()[: package.stat().st_size // 2])
    with pytest.raises(DebianError, match="dpkg-deb --fsys-tarfile failed for noises"):
        prepare_debian(tmp_path / "out", downloads, Packages.read(table))


def test_a_package_that_cannot_be_fetched_is_one_sentence(table: Path, tmp_path: Path, monkeypatch):
    def fails(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 100, b"", b"E: Unable to locate package noises\n")

    monkeypatch.setattr(debian.subprocess, "run", fails)
    monkeypatch.setattr(debian.shutil, "which", lambda name: name)
    with pytest.raises(DebianError, match="apt-get download failed for noises: E: Unable to locate package noises"):
        prepare_debian(tmp_path / "out", tmp_path / "debs", Packages.read(table))
    with pytest.raises(DebianError, match="no package 'nothing': it has noises"):
        prepare_debian(tmp_path / "out", tmp_path / "debs", Packages.read(table), ["nothing"])


def test_the_table_that_ships_can_be_read_and_wrong_ones_are_refused(tmp_path: Path):
    rules = Packages.read().rules
    assert len(rules) >= 4
    assert all(rule.license and rule.label for some in rules.values() for rule in some)
    for text, told in (
        (TABLE.replace("/rain", "(rain"), "line 3: '(rain' is no regular expression"),
        (TABLE.replace("\train\n", "\t\n"), "line 3: a row has package, license, path, label"),
        (TABLE.replace("path", "where"), "has other columns than package, license, path, label"),
        (TABLE.splitlines()[0], "names none"),
    ):
        (tmp_path / "wrong.tsv").write_text(text)
        with pytest.raises(DebianError) as caught:
            Packages.read(tmp_path / "wrong.tsv")
        assert told in str(caught.value)
    with pytest.raises(DebianError, match="cannot be read"):
        Packages.read(tmp_path / "missing.tsv")
