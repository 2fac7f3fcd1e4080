"""`msn evaluate`: mistakes are one sentence, made before anything is loaded."""

from pathlib import Path


def test_it_explains_itself(msn):
    result = msn("evaluate", "language", "--help")
    assert result.exit_code == 0
    assert "evaluate language [OPTIONS]" in result.stdout
    assert "guidance=3" in result.stdout


def test_settings_that_do_not_exist_are_named(msn, tmp_path: Path):
    result = msn("evaluate", "language", tmp_path, tmp_path / "out", "--set", "guidence=3")
    assert result.exit_code == 2
    assert "msn: Unknown key 'guidence' in the settings; valid keys there: ask, limit" in result.stderr
    assert not (tmp_path / "out").exists()


def test_missing_models_and_codes_are_one_sentence(msn, tmp_path: Path):
    result = msn("evaluate", "language", tmp_path, tmp_path / "out", "--model", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert result.stderr.startswith("msn: ")
    assert "Traceback" not in result.stderr
    assert msn("evaluate", "language", tmp_path).exit_code == 2
