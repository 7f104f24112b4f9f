"""The ODE-Net lesson in a real browser: train, turn the knobs meanwhile, reload, draw, upload rubbish."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FilePayload, Locator, Page, expect

from pages.ui.odenet.controls import GRADIENTS
from tests.browser.test_live_mechanism import PATIENCE, iteration, wait_for


def open_page(page: Page, address: str, query: str = "") -> None:
    page.goto(f"{address}/odenet{query}")
    wait_for(page, "d.snapshots >= 1 && d.status === 'paused'")


def play(page: Page) -> None:
    page.get_by_role("button", name="Play", exact=True).click()


REACH = """chart => {
    const element = document.querySelector(`.st-key-curve_${chart} .live-chart`);
    return Math.max(0, ...(element?._fullData ?? []).map((trace) => trace.x?.[trace.x.length - 1] ?? 0));
}"""


def reach(page: Page, chart: str) -> float:
    """Where a chart's curves end: the last iteration that it shows."""
    return float(page.evaluate(REACH, chart))


def grown(page: Page, chart: str, beyond: float) -> None:
    page.wait_for_function(
        f"([chart, beyond]) => ({REACH})(chart) > beyond", arg=[chart, beyond], timeout=PATIENCE
    )


def test_play_trains_and_the_curves_grow_and_the_zoom_stays(
    app: str, page: Page, shot: Callable[[Page, str], Path]
) -> None:
    open_page(page, app)
    play(page)
    grown(page, "loss", 5)
    loss = page.locator(".st-key-curve_loss .live-chart")
    loss.evaluate("chart => chart.library.relayout(chart, {'xaxis.range': [1, 3]})")
    grown(page, "nfe", reach(page, "nfe"))
    grown(page, "loss", reach(page, "loss"))
    shown = loss.evaluate("chart => [...chart._fullLayout.xaxis.range]")
    assert shown == [1, 3], "the reader's zoom was lost"

    wait_for(page, "d.iteration > 150")
    page.get_by_role("button", name="Pause", exact=True).click()
    loss.evaluate("chart => chart.library.relayout(chart, {'xaxis.autorange': true})")
    shot(page, "odenet")


def test_the_steps_are_below_the_picture_there_and_back_in_every_gradient_mode(
    app: str, page: Page, choose: Callable[[Locator, str], None], settle: Callable[[Page], None]
) -> None:
    open_page(page, app)
    canvas = page.locator(".live canvas")
    label = re.compile(r"forward \d+ steps?, 1 rejected; backward \d+ steps")
    expect(canvas).to_have_attribute("aria-label", label, timeout=PATIENCE)
    box = canvas.bounding_box()
    assert box is not None
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 40 + (box["width"] - 48) / 4, box["y"] + box["height"] - 40)
    expect(page.locator(".live .time")).to_have_text("t = 0.25")
    seen = set()
    for mode in GRADIENTS.values():
        if mode != GRADIENTS["backprop"]:
            choose(page.get_by_role("combobox", name="Gradient"), mode)
            settle(page)
        before = iteration(page)
        page.get_by_role("button", name="Step", exact=True).click()
        wait_for(page, f"d.iteration > {before}")
        page.wait_for_timeout(500)
        said = canvas.get_attribute("aria-label") or ""
        assert re.search(r"forward \d+ steps?(, \d+ rejected)?; backward [1-9]\d* steps?", said), (mode, said)
        seen.add(said.split("backward")[1])
    assert len(seen) > 1, "an adjoint takes steps of its own"


def test_the_curves_of_a_run_that_began_anew_fill_their_charts(app: str, page: Page) -> None:
    open_page(page, app)
    play(page)
    grown(page, "loss", 5)
    page.get_by_role("button", name="Spirals").click()
    expect(page).to_have_url(re.compile("Two.spirals"), timeout=PATIENCE)
    for chart in ("loss", "nfe", "accuracy"):
        page.wait_for_function(
            """chart => {
                const element = document.querySelector(`.st-key-curve_${chart} .live-chart`);
                const x = element?._fullData?.[0]?.x;
                const range = element?._fullLayout?.xaxis.range;
                return x?.length > 8 && range[0] === x[0] && range[1] >= x[x.length - 1];
            }""",
            arg=chart,
            timeout=PATIENCE,
        )


def test_the_learning_rate_changes_while_it_trains_without_a_new_start(app: str, page: Page) -> None:
    open_page(page, app)
    play(page)
    wait_for(page, "d.iteration > 5")
    before = iteration(page)
    slider = page.get_by_role("slider", name="Learning rate")
    slider.press("ArrowRight")
    expect(page).to_have_url(re.compile(r"lr=0\.02"), timeout=PATIENCE)
    wait_for(page, f"d.iteration > {before + 3} && d.status === 'running'")
    slider.focus()
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 40, box["y"] + box["height"] / 2, steps=6)
    page.mouse.up()
    expect(page).not_to_have_url(re.compile(r"lr=0\.02"), timeout=PATIENCE)
    at = iteration(page)
    assert at > before
    wait_for(page, f"d.iteration > {at} && d.status === 'running'")


def test_reload_finds_the_run_and_its_curves(app: str, page: Page) -> None:
    open_page(page, app, "?data=Two+moons")
    play(page)
    grown(page, "loss", 5)
    before = iteration(page)
    page.reload()
    wait_for(page, f"d.iteration >= {before} && d.status === 'running'")
    grown(page, "loss", 5)


def test_a_rate_that_explodes_stops_with_a_sentence_and_goes_on_with_a_lower_one(
    app: str, page: Page
) -> None:
    open_page(page, app, "?lr=100")
    play(page)
    wait_for(page, "d.status === 'failed'")
    expect(page.get_by_role("alert").filter(has_text="ower the learning rate").first).to_be_visible(
        timeout=PATIENCE
    )
    slider = page.get_by_role("slider", name="Learning rate")
    slider.press("Home")
    expect(page).to_have_url(re.compile(r"lr=0\.0001"), timeout=PATIENCE)
    play(page)
    wait_for(page, "d.status === 'running'")


def test_keys_play_all_runs_that_stand_beside_each_other(
    app: str, page: Page, settle: Callable[[Page], None]
) -> None:
    open_page(page, app)
    page.get_by_role("button", name="Sign flip").click()
    expect(page.locator(".live")).to_have_count(3, timeout=PATIENCE)
    settle(page)
    every = "want => [...document.querySelectorAll('.live')].every(e => e.dataset.status === want)"
    deep = every.replace(
        "document.querySelectorAll('.live')",
        "(function f(r){return [...r.querySelectorAll('*')].flatMap(e=>[...(e.matches('.live')?[e]:[]),"
        "...(e.shadowRoot?f(e.shadowRoot):[])])})(document)",
    )
    page.wait_for_function(deep, arg="paused", timeout=PATIENCE)
    page.locator("h1").click()
    page.keyboard.press("Space")
    page.wait_for_function(deep, arg="running", timeout=PATIENCE)
    page.keyboard.press("Space")
    page.wait_for_function(deep, arg="paused", timeout=PATIENCE)


ALL = """(name) => (function f(root) { return [...root.querySelectorAll('*')].flatMap((e) =>
    [...(e.matches('.live') ? [e] : []), ...(e.shadowRoot ? f(e.shadowRoot) : [])]); })(document).map("""


def all_of(page: Page, what: str) -> list[str]:
    """Something of every canvas `e`, a JavaScript expression."""
    return [str(value) for value in page.evaluate(f"{ALL} (e) => {what})", None)]


def test_runs_beside_each_other_go_in_step_and_share_their_time(app: str, page: Page) -> None:
    open_page(page, app, "?beside=a+ResNet&start=From+scratch")
    expect(page.locator(".live")).to_have_count(2, timeout=PATIENCE)
    wait_for(page, "d.snapshots >= 1")
    play(page)
    wait_for(page, "d.iteration > 100")
    for _ in range(15):
        page.wait_for_timeout(100)
        net, resnet = (int(value) for value in all_of(page, "e.dataset.iteration"))
        assert abs(net - resnet) < 60  # a ResNet alone makes ten times as many
    page.get_by_role("button", name="Pause", exact=True).click()
    page.wait_for_function(
        f"() => new Set(({ALL} (e) => e.dataset.iteration))()).size === 1", timeout=PATIENCE
    )
    assert int(all_of(page, "e.dataset.iteration")[0]) > 100
    slider = page.locator(".live input[type=range]")
    slider.first.evaluate("(s) => { s.value = 0.25; s.dispatchEvent(new Event('input')); }")
    expect(page.locator(".live .time")).to_have_text(["t = 0.25", "t = 0.25"])
    assert all_of(page, "e.querySelector('input').value") == ["0.25", "0.25"]
    slider.last.evaluate("(s) => { s.value = 0.75; s.dispatchEvent(new Event('input')); }")
    expect(page.locator(".live .time")).to_have_text(["t = 0.75", "t = 0.75"])


def test_a_preset_is_in_the_address_with_all_that_it_set(app: str, page: Page) -> None:
    open_page(page, app)
    page.get_by_role("button", name="Stiff").click()
    expect(page).to_have_url(re.compile(r"dt=0\.5"), timeout=PATIENCE)  # there was no such control before
    wait_for(page, "d.iteration === '400' && d.status === 'paused'")
    expect(page.get_by_text("decaying values lie outside Euler's region")).to_be_visible(timeout=PATIENCE)


def test_an_untrained_run_beside_a_trained_one_says_so_and_catches_up(app: str, page: Page) -> None:
    open_page(page, app, "?data=XOR&beside=a+ResNet")
    expect(page.get_by_text("untrained: catches up first")).to_be_visible(timeout=PATIENCE)
    page.wait_for_function(f"() => ({ALL} (e) => e.dataset.iteration))().every((i) => i)", timeout=PATIENCE)
    trained, fresh = (int(value) for value in all_of(page, "e.dataset.iteration"))
    assert (trained > 100, fresh) == (True, 0)
    play(page)
    page.wait_for_function(
        f"(least) => ({ALL} (e) => e.dataset.iteration))().every((i) => Number(i) > least)",
        arg=trained,
        timeout=PATIENCE,
    )


def test_drawn_points_are_trained_on_and_a_bad_drawing_is_told(app: str, page: Page) -> None:
    open_page(page, app, "?data=Your+own+points")
    pad = page.locator(".pad")
    expect(pad).to_have_attribute("data-points", "28", timeout=PATIENCE)
    page.get_by_role("button", name="Remove all points").click()
    page.get_by_role("button", name="Train on these").click()
    expect(page.get_by_role("alert").filter(has_text="The drawing is empty")).to_be_visible(timeout=PATIENCE)
    for name, across in (("Class A", 0.25), ("Class B", 0.75)):
        page.get_by_role("button", name=name).click()
        canvas = pad.locator("canvas")
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        x, y = box["x"] + across * box["width"], box["y"]
        page.mouse.move(x, y + 0.2 * box["height"])
        page.mouse.down()
        page.mouse.move(x, y + 0.8 * box["height"], steps=12)
        page.mouse.up()
    drawn = int(pad.get_attribute("data-points") or 0)
    assert drawn >= 8
    page.get_by_role("button", name="Train on these").click()
    expect(page.get_by_role("alert").filter(has_text="The drawing is empty")).to_have_count(
        0, timeout=PATIENCE
    )
    play(page)
    wait_for(page, "d.iteration > 5")
    page.reload()  # a new session: the drawing is found again with the run
    wait_for(page, "d.iteration > 5")
    expect(page.locator(".pad")).to_have_attribute("data-points", str(drawn), timeout=PATIENCE)


def test_a_bad_file_is_told_and_the_run_goes_on(
    app: str, page: Page, choose: Callable[[Locator, str], None]
) -> None:
    open_page(page, app, "?data=Two+moons")
    play(page)
    wait_for(page, "d.iteration > 3")
    choose(page.get_by_role("combobox", name="Data"), "Your CSV file")
    upload = page.locator(".st-key-csv input[type=file]")
    bad = FilePayload(name="bad.csv", mimeType="text/csv", buffer=b"a,b,c\n1,2,x\nnan,3,y\n1,1,x\n2,2,y\n")
    upload.set_input_files(bad)
    expect(page.get_by_role("alert").filter(has_text="Line 3, column 1")).to_be_visible(timeout=PATIENCE)
    at = iteration(page)
    wait_for(page, f"d.iteration > {at} && d.status === 'running'")


def test_a_net_is_downloaded_and_taken_back(app: str, page: Page, tmp_path: Path) -> None:
    open_page(page, app, "?start=From+scratch")  # so that a reset goes back to 0
    play(page)
    wait_for(page, "d.iteration > 5")
    page.get_by_text("Checkpoint", exact=True).click()
    with page.expect_download(timeout=PATIENCE) as download:
        page.get_by_role("button", name="Download the net").click()
    path = tmp_path / "net.safetensors"
    download.value.save_as(path)
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("r")
    wait_for(page, "d.iteration === '0' && d.status === 'paused'")
    page.locator(".st-key-checkpoint input[type=file]").set_input_files(path)
    wait_for(page, "d.iteration > 5 && d.status === 'paused'")
