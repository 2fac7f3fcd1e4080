"""Files appear whole or not at all, with the modes of the umask; links are followed, streams written into."""

import errno
import multiprocessing
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from makesomenoise.errors import FileError
from makesomenoise.files import (
    atomic_folder,
    atomic_write,
    check_writable,
    is_stream,
    locked,
    make_folder,
    sweep,
    write_bytes,
    write_text,
)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_whole(tmp_path: Path):
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
        assert not (tmp_path / "a.txt").exists()
        assert temporary.parent == tmp_path
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_what_was_there(error: type[BaseException], tmp_path: Path):
    write_text(tmp_path / "a.txt", "old")

    def broken() -> None:
        with atomic_write(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")
            raise error

    with pytest.raises(error):
        broken()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.usefixtures("umask")
def test_modes_are_those_of_the_umask_whatever_made_the_file(tmp_path: Path):
    write_text(tmp_path / "a.txt", "a")
    assert mode(tmp_path / "a.txt") == 0o640
    with atomic_write(tmp_path / "b.txt") as temporary:  # as a library that writes a private file and renames it
        temporary.unlink()
        temporary.touch(0o600)
    assert mode(tmp_path / "b.txt") == 0o640
    assert mode(make_folder(tmp_path / "c")) == 0o750


@pytest.mark.usefixtures("umask")
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path):
    write_text(tmp_path / "a.txt", "old")
    (tmp_path / "a.txt").chmod(0o600)
    write_text(tmp_path / "a.txt", "new")
    assert mode(tmp_path / "a.txt") == 0o600


def test_links_are_followed(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "real").write_text("old")
    (tmp_path / "link").symlink_to(Path("folder") / "real")
    (tmp_path / "dangling").symlink_to(Path("folder") / "made")
    write_text(tmp_path / "link", "new")
    write_text(tmp_path / "dangling", "made")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "real").read_text() == "new"
    assert (tmp_path / "folder" / "made").read_text() == "made"
    assert names(tmp_path / "folder") == ["made", "real"]


def test_a_link_to_itself_is_an_error(tmp_path: Path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(FileError, match="Too many levels of symbolic links"):
        write_text(tmp_path / "loop", "")


def test_a_pipe_is_written_into(tmp_path: Path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_bytes(pipe, b"through")
    reader.join(20)
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert names(tmp_path) == ["pipe"]


def test_a_device_stays_one():
    write_bytes("/dev/null", b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)  # noqa: PTH116
    with pytest.raises(FileError, match="Cannot write /dev/full: No space left on device; make room"):
        write_bytes("/dev/full", b"too much")


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("regular", [True, False])
def test_standard_output_is_written_into(name: str, regular: bool, tmp_path: Path):
    code = "import sys; from makesomenoise.files import write_bytes; write_bytes(sys.argv[1], b'codes')"
    command = f"echo before; '{sys.executable}' -c \"{code}\" {name}; echo after"
    target = tmp_path / "out"
    sink = f"> '{target}'" if regular else f"| cat > '{target}'"
    subprocess.run(["bash", "-c", f"({command}) {sink}"], check=True)
    assert target.read_bytes() == b"before\ncodesafter\n"
    assert names(tmp_path) == ["out"]


def test_what_is_a_stream_is_known(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    assert [is_stream(name) for name in ("/dev/null", tmp_path / "pipe", tmp_path / "link")] == [True] * 3
    write_text(tmp_path / "a", "")
    assert [is_stream(name) for name in (tmp_path / "a", tmp_path / "missing", tmp_path)] == [False] * 3


@pytest.mark.parametrize("name", ["n" * 255, "ö" * 127, os.fsdecode(b"caf\xe9.wav")])
def test_every_name_works(name: str, tmp_path: Path):
    write_text(tmp_path / name, "x")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("no/such/a.txt", "No such file or directory; give a name in an existing folder"),
        (".", "it is a folder; give the name of a file"),
        ("file/a.txt", "Not a directory; give a name in an existing folder"),
        ("n" * 256, "File name too long; give a shorter name"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(name: str, sentence: str, tmp_path: Path):
    (tmp_path / "file").touch()
    for write in (check_writable, lambda path: write_text(path, "x")):
        with pytest.raises(FileError, match=sentence) as caught:
            write(tmp_path / name)
        assert str(caught.value).startswith(f"Cannot write {tmp_path}")
        assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["file"]


def test_writability_is_known_before_the_work(tmp_path: Path):
    check_writable(tmp_path / "a.txt")
    check_writable("/dev/null")
    assert names(tmp_path) == []
    with pytest.raises(FileError, match="/proc/none"):
        check_writable("/proc/none/a.txt")


def test_a_limit_on_sizes_is_told(tmp_path: Path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    try:
        with pytest.raises(FileError, match="File too large; raise the limit"):
            write_bytes(tmp_path / "a", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert names(tmp_path) == []


def test_errors_about_other_files_are_not_taken_for_ours(tmp_path: Path):
    def reads() -> None:
        with atomic_write(tmp_path / "a"):
            (tmp_path / "missing").read_text()

    with pytest.raises(FileNotFoundError):
        reads()
    assert names(tmp_path) == []


def test_bytes_of_names_that_are_no_text_are_escaped(tmp_path: Path):
    write_text(tmp_path / "a", "é " + os.fsdecode(b"\xe9"))
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9 \\udce9"


@pytest.mark.usefixtures("umask")
def test_a_folder_appears_when_it_is_whole_with_modes_of_the_umask(tmp_path: Path):
    with atomic_folder(tmp_path / "deep" / "model") as folder:
        (folder / "weights").touch(0o600)
        (folder / "more").mkdir(0o700)
        (folder / "more" / "words").touch(0o777)
        assert not (tmp_path / "deep" / "model").exists()
    made = tmp_path / "deep" / "model"
    modes = [mode(path) for path in (made, made / "weights", made / "more", made / "more" / "words")]
    assert modes == [0o750, 0o640, 0o750, 0o640]
    assert names(made.parent) == ["model"]


def test_a_broken_folder_leaves_nothing(tmp_path: Path):
    def broken() -> None:
        with atomic_folder(tmp_path / "model") as folder:
            (folder / "weights").touch()
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(FileError, match="model: No space left on device"):
        broken()
    assert names(tmp_path) == []


def test_a_folder_where_a_file_is_cannot_be_made(tmp_path: Path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(FileError, match="Cannot make the folder"):
            make_folder(path)


def _hold(path: Path, began: object, end: object) -> None:
    with locked(path):
        began.set()  # type: ignore[attr-defined]
        end.wait(60)  # type: ignore[attr-defined]


def test_a_lock_is_waited_for_and_returned_by_the_dead(tmp_path: Path):
    context = multiprocessing.get_context("fork")
    began, end = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path / "lock", began, end))
    holder.start()
    assert began.wait(60)
    got = threading.Event()

    def take() -> None:
        with locked(tmp_path / "lock"):
            got.set()

    taker = threading.Thread(target=take)
    taker.start()
    assert not got.wait(0.2)
    os.kill(holder.pid or 0, signal.SIGKILL)
    assert got.wait(60)
    taker.join()
    holder.join()


def test_what_was_left_is_swept(tmp_path: Path):
    with atomic_folder(tmp_path / "a") as one, atomic_write(tmp_path / "b") as two:
        (one / "x").touch()
        left = [tmp_path / (path.name + ".part") for path in (one, two)]
        left[0].mkdir()
        (left[0] / "y").touch()
        left[1].touch()
        (tmp_path / ".makesomenoise.txt").touch()
        sweep(tmp_path)
        assert left[0].exists()  # somebody writes here, and it might be theirs
    sweep(tmp_path)
    assert names(tmp_path) == [".makesomenoise.txt", "a", "b"]


def test_a_write_that_is_killed_leaves_what_was_there_and_is_swept(tmp_path: Path):
    context = multiprocessing.get_context("fork")
    (tmp_path / "a").write_text("before")
    for write in (_write_slowly, _fill_slowly):
        began = context.Event()
        writer = context.Process(target=write, args=(tmp_path / write.__name__, tmp_path / "a", began))
        writer.start()
        assert began.wait(60)
        sweep(tmp_path)
        assert len(names(tmp_path)) == 2  # it is still being written
        os.kill(writer.pid or 0, signal.SIGKILL)
        writer.join()
        assert len(names(tmp_path)) == 2
        sweep(tmp_path)
        assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "before"


def _write_slowly(_: Path, file: Path, began: object) -> None:
    with atomic_write(file) as temporary:
        temporary.write_text("half of wh")
        began.set()  # type: ignore[attr-defined]
        signal.pause()


def _fill_slowly(folder: Path, _: Path, began: object) -> None:
    with atomic_folder(folder) as temporary:
        (temporary / "x").write_text("half of wh")
        began.set()  # type: ignore[attr-defined]
        signal.pause()
