"""The page: through its own client, and in a browser that hears a WAV file as its microphone."""

import contextlib
import shutil
import tempfile
import time

import httpx
import numpy as np
import pytest

gradio_client = pytest.importorskip("gradio_client", reason="needs the extra `serve`")

from makesomenoise.audio import io  # noqa: E402 - what is above may skip all of this
from makesomenoise.language.events import Event  # noqa: E402
from makesomenoise.serving import formats  # noqa: E402
from makesomenoise.serving.page import timeline  # noqa: E402
from makesomenoise.serving.pictures import WIDTH, picture, strip  # noqa: E402
from makesomenoise.serving.settings import Settings  # noqa: E402
from makesomenoise.serving.worker import Worker  # noqa: E402

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream"""


@pytest.fixture(scope="module")
def page(model, start_server):
    server = start_server(Worker(lambda: model), Settings(max_seconds=60.0, page=True)).ready()
    assert httpx.get(f"{server.url}/favicon.ico").status_code == 404  # nobody has opened it, so that none is built
    first = httpx.get(server.url)
    assert (first.status_code, first.headers.get("retry-after")) in ((503, "1"), (200, None))
    assert httpx.get(f"{server.url}/v1/models").status_code == 200  # which do not wait for the page
    assert httpx.get(f"{server.url}/config", timeout=120).status_code == 200  # which waits for it
    assert httpx.get(server.url).status_code == 200
    return server


@pytest.fixture
def file(tmp_path, tone):
    io.save(tmp_path / "tone.wav", tone(1.5))
    return tmp_path / "tone.wav"


def test_the_client_of_the_page(page, model, file):
    client = gradio_client.Client(page.url, verbose=False)
    made = client.predict("rain", 0.5, 2, 3, api_name="/make")
    for number in range(2):
        expected = formats.encoded(np.asarray(model.generate("rain", 0.5, seed=3 + number)[0]), 24_000, "wav")
        with open(made[number], "rb") as written:  # noqa: PTH123 - a string of the client
            assert written.read() == expected
    caption, ranked, events, _, bits, decoded = client.predict(
        gradio_client.handle_file(file), "dog, rain", api_name="/listen"
    )
    assert caption == model.caption([file])[0]
    assert {one["label"] for one in ranked["confidences"]} == {"dog", "rain"}
    assert "timeline" in events
    assert "36 codes, **360 bits**" in bits
    assert len(io.load(decoded)) == 36_000


def test_sounds_lie_where_gradio_removes_them(page, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gradio_client.Client(page.url, verbose=False).predict("rain", 0.5, 1, 3, api_name="/make")
    assert not list(tmp_path.glob("*.wav"))
    assert list(tmp_path.glob("gradio/*/makesomenoise.wav"))


def test_mistakes_are_one_sentence(page, file):
    client = gradio_client.Client(page.url, verbose=False)
    with pytest.raises(gradio_client.exceptions.AppError, match="Say what is to be heard"):
        client.predict(" ", 0.5, 1, 0, api_name="/make")
    file.write_text("words")
    with pytest.raises(gradio_client.exceptions.AppError, match="Cannot read"):
        client.predict(gradio_client.handle_file(file), "dog", api_name="/listen")


def test_routes_stay_beside_the_page(page):
    assert httpx.get(f"{page.url}/health").json() == {"status": "ready"}
    assert httpx.get(f"{page.url}/v1/models").json()["data"][0]["id"] == "makesomenoise"
    assert "gradio" in httpx.get(f"{page.url}/").text
    tools = httpx.get(f"{page.url}/gradio_api/mcp/schema").json()
    assert {tool["name"] for tool in tools} >= {"listen", "make", "compare"}


def test_addresses_are_not_fetched(page):
    data = [{"path": "http://example.com/a.wav", "meta": {"_type": "gradio.FileData"}}, "dog"]
    answer = httpx.post(f"{page.url}/gradio_api/call/listen", json={"data": data})
    assert answer.status_code == 400
    assert "not fetched" in answer.text


def test_pictures(tone):
    codes = (0, 512, 1023)
    image = picture(np.asarray(tone(1.0)), np.random.default_rng(0).random((100, 94)), codes, 1024)
    assert image.width == WIDTH
    colours = [strip(codes, 1024).getpixel((x, 5)) for x in (10, WIDTH // 2, WIDTH - 10)]
    assert len(set(colours)) == 3
    assert timeline([]) == "<p>Nothing was heard.</p>"
    assert "&lt;b&gt;" in timeline([Event(0.0, 1.0, "<b>")])


@pytest.fixture
def browser(file):
    """Chromium that hears a file as its microphone."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs the development group")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs chromium and chromedriver (Debian: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    with tempfile.TemporaryDirectory() as profile:
        for flag in (*FLAGS.split(), f"--user-data-dir={profile}", f"--use-file-for-fake-audio-capture={file}"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=webdriver.chrome.service.Service(driver))
        yield browser
        browser.quit()


def waited(found, seconds: float = 30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(Exception):
            if result := found():
                return result
        time.sleep(0.2)
    raise AssertionError("it did not come")


@pytest.mark.slow
def test_a_person_records_listens_makes_and_talks(page, browser):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    def shown(kind: str, text: str):
        elements = browser.find_elements(By.TAG_NAME, kind)
        return next(
            one for one in elements if one.is_displayed() and (one.text or one.get_attribute("aria-label")) == text
        )

    browser.set_window_size(1200, 1400)
    browser.get(page.url)
    waited(lambda: shown("button", "Record")).click()
    time.sleep(1.0)  # of the recording
    waited(lambda: shown("button", "Stop")).click()
    waited(lambda: shown("button", "Play"))  # the recording is there
    time.sleep(1.0)  # and uploaded
    browser.find_element(By.ID, "listen").click()
    waited(lambda: browser.find_elements(By.CSS_SELECTOR, ".timeline div"))
    waited(lambda: browser.find_element(By.CSS_SELECTOR, "#picture img"))
    browser.set_window_size(420, 1400)
    width = browser.execute_script("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 1
    browser.set_window_size(1200, 1400)
    shown("button", "Make").click()
    waited(lambda: browser.find_element(By.ID, "make")).click()
    waited(lambda: browser.find_elements(By.CSS_SELECTOR, "#candidate-1 [aria-label='Download']"))
    shown("button", "Talk").click()
    box = waited(lambda: next(t for t in browser.find_elements(By.TAG_NAME, "textarea") if t.is_displayed()))
    box.send_keys("Hello", Keys.ENTER)
    waited(lambda: browser.find_elements(By.CSS_SELECTOR, ".message.bot, .bot.message"))
