"""The CNF page in a real browser: a density in motion, trained, scrubbed, turned round, drawn and uploaded."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from node_core.solvers.methods import METHODS

PATIENCE = 180_000  # ms: a worker may have a twentieth of a busy processor

FIND = """
  const find = root => { for (const n of root.querySelectorAll('*')) {
    if (n.matches('.live')) return n;
    if (n.shadowRoot) { const f = find(n.shadowRoot); if (f) return f; } } return null; };
  const live = find(document);
"""


def wait_for(page: Page, condition: str) -> None:
    """Wait until a JavaScript condition on the canvas's data set `d` holds."""
    page.wait_for_function(
        f"() => {{ {FIND} return live && (d => {condition})(live.dataset); }}", timeout=PATIENCE
    )


def data(page: Page, name: str) -> str:
    return str(page.locator(".live").evaluate("(element, name) => element.dataset[name] ?? ''", name))


def opened(page: Page, app: str, query: str = "") -> None:
    page.goto(f"{app}/cnf{query}")
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused'")


def scrub(page: Page, phase: float) -> None:
    """Move the canvas's time to a share of the flow."""
    page.locator(".live input[type=range]").evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }", str(phase)
    )
    page.wait_for_timeout(500)


def picture(page: Page) -> list[int]:
    """Coarse brightness of the canvas, row by row."""
    found = page.locator(".live canvas").evaluate(
        """canvas => { const small = new OffscreenCanvas(24, 24), c = small.getContext('2d');
        c.drawImage(canvas, 0, 0, 24, 24);
        const p = c.getImageData(0, 0, 24, 24).data, out = [];
        for (let i = 3; i < p.length; i += 4) out.push(p[i - 3] + p[i - 2] + p[i - 1]);
        return out; }"""
    )
    return [int(value) for value in found]


def difference(a: list[int], b: list[int]) -> int:
    return sum(abs(x - y) for x, y in zip(a, b, strict=True))


def test_the_first_picture_is_a_trained_flow_and_time_can_be_scrubbed_there_and_back(
    app: str, page: Page, shot: Callable[[Page, str], Path]
) -> None:
    opened(page, app)
    assert int(data(page, "iteration")) > 1000
    scrub(page, 0)
    noise = picture(page)
    scrub(page, 1)
    moons = picture(page)
    shot(page, "cnf")
    scrub(page, 0)
    assert difference(noise, moons) > 10 * difference(noise, picture(page)) + 1000


def test_another_target_takes_the_old_picture_away_at_once_and_says_what_is_awaited(
    app: str, page: Page
) -> None:
    held: list[str | bytes] = []
    holding: list[bool] = []

    def between(browser: WebSocketRoute) -> None:
        server = browser.connect_to_server()

        def hand_on(message: str | bytes) -> None:
            if holding and isinstance(message, bytes):
                held.append(message)
            else:
                browser.send(message)

        server.on_message(hand_on)

    page.route_web_socket(re.compile("/live/"), between)
    opened(page, app)
    scrub(page, 1)
    shown, note = picture(page), page.locator(".live .note")
    expect(note).to_have_text("")
    holding.append(True)
    page.get_by_role("button", name="Eight Gaussians").click()
    wait_for(page, "d.waits === 'first' && !d.iteration")
    assert "Two moons" not in note.inner_text(), "what is awaited was named after what was there before"
    expect(note).to_have_text(
        re.compile("Waiting for the first picture of Eight Gaussians"), timeout=PATIENCE
    )
    page.wait_for_timeout(1000)
    assert difference(picture(page), shown) > 1000, "two moons were still to be seen"
    assert page.locator(".live .numbers").inner_text() == ""
    expect(page.get_by_text("Eight arms grow out of the Gaussian")).to_be_visible(timeout=PATIENCE)
    holding.clear()
    page.reload()
    wait_for(page, "d.iteration > 1000 && d.waits === ''")
    expect(note).to_have_text("")


def test_play_trains_from_random_weights_while_time_is_scrubbed(
    app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    opened(page, app, "?begin=random&width=16")
    assert data(page, "iteration") == "0"
    page.get_by_role("button", name="Play", exact=True).click()
    wait_for(page, "d.iteration >= 4 && d.status === 'running'")
    scrub(page, 0.5)
    before = int(data(page, "iteration"))
    wait_for(page, f"d.iteration > {before + 2}")
    expect(page.locator(".live .time")).to_have_text("t = 0.50")
    page.get_by_role("button", name="Pause").click()
    wait_for(page, "d.status === 'paused'")
    settle(page)


def test_the_way_back_carries_data_to_the_noise(app: str, page: Page) -> None:
    opened(page, app)
    page.get_by_role("button", name="noise → data").click()
    assert data(page, "direction") == "backward"
    expect(page.get_by_role("button", name="data → noise")).to_be_visible()
    page.wait_for_timeout(1000)
    text = page.locator(".live .time").inner_text()
    assert 0 < float(text.split("=")[1]) < 1  # the time runs down from t1


def test_a_click_on_a_particle_shows_its_integral_here_and_below(
    app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    opened(page, app)
    scrub(page, 0)
    box = page.locator(".live canvas").bounding_box()
    assert box is not None
    for dx, dy in ((0, 0), (20, 10), (-25, 15), (15, -30), (-40, -30)):
        page.mouse.click(box["x"] + box["width"] / 2 + dx, box["y"] + box["height"] / 2 + dy)
        if data(page, "picked"):
            break
    picked = data(page, "picked")
    assert picked
    settle(page)
    slider = page.locator(".st-key-particle").get_by_role("slider")
    expect(slider).to_have_attribute("aria-valuetext", picked, timeout=PATIENCE)
    expect(page).to_have_url(re.compile(rf"particle={picked}"), timeout=PATIENCE)
    expect(page.get_by_role("img", name="Theorem 1")).to_be_visible(timeout=PATIENCE)


def test_an_empty_drawing_is_a_sentence_and_a_drawn_one_is_learned(
    app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    opened(page, app, "?target=Draw+one&width=8")
    before = data(page, "snapshots")
    page.get_by_role("button", name="Remove all points").click()
    page.get_by_role("button", name="Learn this density").click()
    expect(page.get_by_role("alert").filter(has_text="The drawing is empty")).to_be_visible(timeout=PATIENCE)
    assert data(page, "status") == "paused"
    assert data(page, "snapshots") == before  # the run went on as it was
    pad = page.locator(".pad canvas")
    box = pad.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 30, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 30, box["y"] + box["height"] - 30, steps=12)
    page.mouse.up()
    page.get_by_role("button", name="Learn this density").click()
    settle(page)
    expect(page.get_by_role("alert")).to_have_count(0, timeout=PATIENCE)
    wait_for(page, f"d.snapshots > {before}")


def test_a_small_square_shows_why_a_trace_is_enough(
    app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    opened(page, app, "?study=Why+a+trace&particle=7")
    settle(page)
    numbers = page.get_by_test_id("stMetricValue")
    expect(numbers).to_have_count(3, timeout=PATIENCE)
    area, linear, rest = (float(text) for text in numbers.all_inner_texts())
    assert area == pytest.approx(linear + rest, abs=2e-4)
    expect(page.locator(".st-key-area .live-chart .main-svg").first).to_be_visible(timeout=PATIENCE)
    page.get_by_role("slider", name="Step").press("Home")
    expect(page).to_have_url(re.compile(r"eps=0\.01"), timeout=PATIENCE)
    expect(numbers.nth(2)).not_to_have_text(f"{rest:+.4f}", timeout=PATIENCE)
    settle(page)
    area, linear, rest = (float(text) for text in numbers.all_inner_texts())
    assert abs(rest) < 1e-3


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    paper = Image.new("L", (120, 120), "white")
    paths = {name: tmp_path / f"{name}.png" for name in ("white", "ring")}
    paper.save(paths["white"])
    ImageDraw.Draw(paper).ellipse((20, 20, 100, 100), outline="black", width=14)
    paper.save(paths["ring"])
    paths["huge"] = tmp_path / "huge.png"
    paths["huge"].write_bytes(paths["ring"].read_bytes() + bytes(12_600_000))
    return paths


def test_a_white_picture_and_a_huge_one_are_sentences_and_a_good_one_is_learned(
    app: str, page: Page, files: dict[str, Path], settle: Callable[[Page], None]
) -> None:
    opened(page, app, "?target=A+picture&width=8")
    upload = page.locator('[data-testid="stFileUploaderDropzoneInput"]')
    upload.set_input_files(files["white"])
    expect(page.get_by_role("alert").filter(has_text="all white")).to_be_visible(timeout=PATIENCE)
    upload.set_input_files(files["huge"])
    expect(page.get_by_text(re.compile("12.0MB|12MB or smaller|must be", re.IGNORECASE)).first).to_be_visible(
        timeout=PATIENCE
    )
    before = data(page, "snapshots")
    upload.set_input_files(files["ring"])
    settle(page)
    expect(page.get_by_role("alert").filter(has_text="all white")).to_have_count(0, timeout=PATIENCE)
    wait_for(page, f"d.snapshots > {before}")


def test_a_tolerance_at_which_the_solver_gives_up_is_a_sentence_and_a_looser_one_goes_on(
    app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    method = quote_plus(METHODS["bosh3"].label)
    opened(page, app, f"?begin=random&lr=1&rtol=1e-06&method={method}&target=Checkerboard")
    page.get_by_role("button", name="Play", exact=True).click()
    wait_for(page, "d.status === 'failed'")
    alert = page.get_by_role("alert").filter(has_text="loosen the tolerance")
    expect(alert).to_be_visible(timeout=PATIENCE)
    assert int(data(page, "snapshots")) >= 1  # the last good picture stays
    tolerance = page.locator(".st-key-rtol").get_by_role("slider")
    for _ in range(9):
        tolerance.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"rtol=0\.0"), timeout=PATIENCE)
    settle(page)
    page.get_by_role("button", name="Play", exact=True).click()
    wait_for(page, "d.status === 'running'")
    expect(alert).to_have_count(0, timeout=PATIENCE)


def test_the_curves_of_a_trained_flow_are_there_at_once_and_after_a_reset(
    app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    opened(page, app)
    for _ in range(2):
        settle(page)
        for label in ("Log-likelihood against the iteration", "Function evaluations against the iteration"):
            chart = page.get_by_role("img", name=label)
            expect(chart).to_have_attribute("data-points", re.compile(r"^\d{3,}$"), timeout=PATIENCE)
        before = data(page, "snapshots")
        page.get_by_role("button", name="Reset", exact=True).click()
        wait_for(page, f"d.snapshots > {before}")


def test_another_solver_is_seen_at_once_while_the_run_stands_still(
    app: str, page: Page, settle: Callable[[Page], None], choose: Callable[[Locator, str], None]
) -> None:
    opened(page, app)
    settle(page)
    scrub(page, 1)
    before, shown = data(page, "snapshots"), picture(page)
    choose(page.locator(".st-key-method").get_by_role("combobox"), METHODS["euler"].label)
    wait_for(page, f"d.snapshots > {before}")
    page.locator(".st-key-dt").get_by_role("slider").press("End")
    expect(page).to_have_url(re.compile(r"dt=1"), timeout=PATIENCE)
    wait_for(page, f"d.snapshots > {before} + 1")
    page.wait_for_timeout(500)
    assert difference(picture(page), shown) > 1000
    assert data(page, "status") == "paused"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone(app: str, page: Page, scheme: str, settle: Callable[[Page], None]) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened(page, app)
    settle(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
