"""The page in `web/`: in a browser it finds the codes and the sound that Python does, and asks nobody else."""

import base64
import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from makesomenoise.audio import io
from makesomenoise.tokenizer.model import AudioTokenizer
from tools import web

selenium = pytest.importorskip("selenium.webdriver", reason="needs the group dev")
if not all((web.FOLDER / "vendor" / name).is_file() for name in web.FILES):
    pytest.skip("onnxruntime-web was not fetched: run make web", allow_module_level=True)
if not (shutil.which("chromium") and shutil.which("chromedriver")):
    pytest.skip("needs chromium and chromedriver", allow_module_level=True)

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream"""
SECONDS = 5.0  # two windows
COMPUTE = """
const [samples, codes, noise, done] = arguments;
const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const text = (array) => btoa(Array.from(new Uint8Array(array.buffer), (byte) => String.fromCharCode(byte)).join(""));
(async () => {
  const found = await makesomenoise.ask("encode", floats(samples));
  const sound = await makesomenoise.ask("decode", Int32Array.from(codes), 0, floats(noise));
  return [Array.from(found), text(sound)];
})().then(done, (error) => done(error.message));
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[str]:
    """The page with the default tokenizer, on an address of its own."""
    folder = tmp_path_factory.mktemp("site") / "web"
    shutil.copytree(web.FOLDER, folder, ignore=shutil.ignore_patterns("model"))
    web.model(folder / "model", "default", "vocoder")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()


@pytest.fixture(scope="module")
def browser(site: str) -> Iterator[selenium.Chrome]:
    options = selenium.ChromeOptions()
    for flag in FLAGS.split():
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = selenium.Chrome(options=options, service=selenium.ChromeService(shutil.which("chromedriver")))
    driver.set_script_timeout(300)
    driver.get(site)
    said(driver, "Ready")
    yield driver
    driver.quit()


def said(driver: selenium.Chrome, text: str) -> str:
    """What the page says once it says this."""
    from selenium.webdriver.support.ui import WebDriverWait

    status = driver.find_element("id", "status")
    WebDriverWait(driver, 300).until(lambda _: text in status.text, f"it says '{status.text}'")
    return status.text


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    """Beats of a rising tone in soft noise."""
    time = np.arange(int(SECONDS * 24_000)) / 24_000
    beats = 0.2 * np.sin(2 * np.pi * (300 + 100 * time) * time) * (np.sin(4 * np.pi * time) > 0)
    return (beats + 0.01 * np.random.default_rng(0).standard_normal(len(time))).astype(np.float32)


def packed(array: np.ndarray) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode()


@pytest.mark.slow
def test_codes_and_sound_are_those_of_python(browser: selenium.Chrome, sound: np.ndarray):
    tokenizer = AudioTokenizer.load()
    codes = tokenizer.encode(sound[None])[0]
    expected = tokenizer.decode(codes[None], seed=3)[0]
    # As `AudioTokenizer` draws it, for each window of 240 codes.
    noise = np.random.default_rng((3, 0)).standard_normal((4 * 240, 100), np.float32)
    found, waveform = browser.execute_async_script(COMPUTE, packed(sound), codes.tolist(), packed(noise))
    assert len(found) == len(codes)
    assert np.mean(np.array(found) == codes) >= 0.999
    made = np.frombuffer(base64.b64decode(waveform), "<f4")
    np.testing.assert_allclose(made, expected, atol=1e-3 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.slow
def test_a_file_is_shown_beside_what_it_decodes_to(browser: selenium.Chrome, sound: np.ndarray, tmp_path: Path):
    io.save(tmp_path / "beats.wav", sound[:48_000])
    browser.find_element("id", "file").send_keys(str(tmp_path / "beats.wav"))
    said(browser, "Encoding took")
    assert browser.find_element("id", "bits").text.startswith("47 codes, 470 bits: 235 bit/s")
    assert len(browser.find_element("id", "codes-text").get_property("value").split()) == 47
    for name in ("original-waveform", "original-spectrogram", "codes", "decoded-waveform", "decoded-spectrogram"):
        script = "const c = document.getElementById(arguments[0]); return new Set(c.getContext('2d').getImageData("
        script += "0, 0, c.width, c.height).data).size"
        assert browser.execute_script(script, name) > 2, name  # something is drawn


@pytest.mark.slow
def test_the_microphone_is_heard(browser: selenium.Chrome):
    browser.find_element("id", "record").click()
    said(browser, "Recording")
    browser.execute_async_script("setTimeout(arguments[0], 1000)")
    browser.find_element("id", "record").click()
    said(browser, "Encoding took")


@pytest.mark.slow
def test_what_is_no_sound_is_one_sentence(browser: selenium.Chrome, tmp_path: Path):
    (tmp_path / "text.wav").write_text("no sound")
    browser.find_element("id", "file").send_keys(str(tmp_path / "text.wav"))
    assert said(browser, "cannot read") == "This browser cannot read that file as sound: give WAV, MP3, Ogg or FLAC."


@pytest.mark.slow
def test_it_fits_every_width_and_asks_nobody_else(browser: selenium.Chrome, site: str):
    for width in (1280, 420):
        browser.set_window_size(width, 900)
        assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    names = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    origin = site.removesuffix("index.html")
    assert [name for name in names if not name.startswith((origin, "blob:", "data:"))] == []
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
