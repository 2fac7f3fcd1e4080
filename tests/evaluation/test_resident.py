import subprocess
import sys


def test_memory_is_counted_in_bytes_and_only_grows():
    code = (
        "from makesomenoise.evaluation.resident import peak_resident_bytes as peak;"
        "before = peak(); held = bytearray(200 * 2**20); print(before, peak())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 2**20 < before < 400 * 2**20
    assert before + 150 * 2**20 < after < before + 300 * 2**20
