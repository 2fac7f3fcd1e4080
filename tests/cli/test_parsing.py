"""What is wrong with a command line is one sentence, told before anything heavy is imported."""

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from typer.main import get_command


def commands() -> dict:
    from makesomenoise.cli.main import app

    found = {}

    def walk(group, path: tuple[str, ...]) -> None:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(command, (*path, name))
            else:
                found[" ".join((*path, name))] = command

    walk(get_command(app), ())
    return found


def refused(result) -> str:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("msn: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_msn_alone_and_a_group_alone_explain_themselves(msn):
    for words in ((), ("data",), ("train",), ("evaluate",)):
        result = msn(*words)
        assert result.exit_code == 0
        assert "Commands:" in result.stdout
        assert result.stderr == ""


def test_the_version_is_that_of_the_package(msn):
    for option in ("--version", "-V"):
        result = msn(option)
        assert (result.exit_code, result.stdout) == (0, f"makesomenoise {metadata.version('makesomenoise')}\n")


def test_help_names_no_python_type_of_flags(msn):
    for path in commands():
        for option in ("--help", "-h"):
            result = msn(*path.split(), option)
            assert result.exit_code == 0
            assert "<bool>" not in result.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("encode", "a.wav"), "Missing argument 'output'"),
        (("encode",), "Missing argument 'inputs'"),
        (("decode", "a.msn"), "Missing argument 'output'"),
        (("decode", "--seed", "3", "a.msn"), "Missing argument 'output'"),
        (("data", "encode", "a.tar"), "Missing argument 'output'"),
        (("merge", "language"), "Missing argument 'output'"),
        (("sing",), "No such command 'sing'"),
        (("data", "sing"), "No such command 'sing'"),
        (("encode", "a.wav", "b.msn", "--sped", "3"), "No such option: --sped"),
        (("decode", "a.msn", "b.wav", "--steps", "many"), "got many"),
        (("decode", "a.msn", "b.wav", "--steps", "0"), "got 0"),
        (("decode", "a.msn", "b.wav", "--seed", str(10**30)), "'--seed'"),
        (("generate", "rain", "--seconds", "0"), "give a length above 0 s"),
        (("encode", "a.wav", "b.msn", "--device", "meta"), "'meta' is not here"),
        (("encode", "a.wav", "b.msn", "--device", "cuda:x"), "'cuda:x' is not here"),
        (("--sped", "encode"), "No such option: --sped"),
    ],
)
def test_what_is_wrong_is_named(msn, words: tuple[str, ...], sentence: str):
    assert sentence in refused(msn(*words))


def test_every_number_that_is_not_finite_is_refused(msn):
    found = 0
    for path, command in commands().items():
        arguments = ["x" for p in command.params if p.param_type_name == "argument"]
        for option in command.params:
            if option.param_type_name == "option" and not option.is_flag and is_number(command, option.name):
                for value in ("nan", "inf", "-inf", "NaN", "Infinity", "1e999"):
                    sentence = refused(msn(*path.split(), *arguments, f"{option.opts[0]}={value}"))
                    assert option.opts[0] in sentence
                    found += 1
    assert found >= 6 * 20


def is_number(command, name: str) -> bool:
    import inspect
    import typing

    given = inspect.get_annotations(command.callback, eval_str=True).get(name)
    kinds = typing.get_args(typing.get_args(given)[0]) or (typing.get_args(given)[0],)
    return bool({int, float} & set(kinds))


def test_neither_help_nor_a_wrong_option_waits_for_torch(tmp_path: Path):
    code = """
import sys
from typer.testing import CliRunner
from makesomenoise.cli.main import app
for path in sys.argv[1:]:
    for wrong in ("--help", "--sped", "--seconds=nan", "--window=nan", "--device=abacus", "--steps=0", "--seed=x"):
        CliRunner().invoke(app, [*path.split(), "a", "b", wrong])
        heavy = [name for name in ("torch", "transformers", "numpy") if name in sys.modules]
        assert not heavy, (path, wrong, heavy)
wrong = ["ask What?", "classify a.wav --labels dog", "classify a.wav", "chat --folder no", "chat --model no"]
wrong += ["encode no.wav out.msn", "encode here.wav out.msn --model no", "decode no.msn out.wav"]
wrong += ["caption no.wav", "caption here.wav --model no", "ask here.wav What? --tokenizer no", "info no.msn"]
wrong += ["generate rain --model no", "generate .", "generate rain --seconds 1e4", "generate rain --best-by x"]
wrong += ["encode here.wav b.wav", "generate rain -o a.xyz", "info here.wav"]
open("here.wav", "w").write("words")
for words in wrong:
    assert CliRunner().invoke(app, words.split()).exit_code == 2
    assert "torch" not in sys.modules, words
"""
    told = [path for path in commands() if path != "demo"]
    done = subprocess.run(
        [sys.executable, "-c", code, *told], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
