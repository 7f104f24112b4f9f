"""The keys of all pages: presenting, the list of keys, and the players; none of them acts while somebody types."""

from collections.abc import Callable

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

Settle = Callable[[Page], None]
LIMIT = 90_000
PICTURES = {
    "": ".st-key-present_picture img",
    "resnets": ".live canvas",
    "solvers": ".race canvas",
    "adjoint": ".adjoint .plane",
    "odenet": ".live canvas",
    "architectures": ".results table",
    "cnf": ".live canvas",
}


def _open(page: Page, app: str, path: str, settle: Settle) -> None:
    page.set_viewport_size({"width": 1024, "height": 768})
    page.goto(f"{app}/{path}")
    expect(page.locator(PICTURES[path]).first).to_be_visible(timeout=LIMIT)
    settle(page)


def _box(part: Locator) -> FloatRect:
    found = part.first.bounding_box()
    assert found is not None
    return found


def _presenting(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.classList.contains('presenting')"))


def _until_it_fits(page: Page) -> None:
    page.wait_for_function(
        "() => { const e = document.querySelector('.stMainBlockContainer').getBoundingClientRect();"
        " return e.top >= 0 && e.bottom <= innerHeight + 2; }",
        timeout=LIMIT,
    )


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path or "home")
def test_p_presents_the_picture_with_one_sentence_and_one_slider(
    path: str, page: Page, app: str, settle: Settle
) -> None:
    _open(page, app, path, settle)
    picture, sentence = page.locator(PICTURES[path]).first, page.locator(".st-key-present_sentence p")
    before, small = (
        _box(picture),
        float(sentence.first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")),
    )
    page.keyboard.press("p")
    assert _presenting(page)
    _until_it_fits(page)
    now = _box(picture)
    assert now["y"] + now["height"] <= 768
    assert now["width"] >= before["width"] - 1
    if path in ("solvers", "odenet", "cnf"):
        assert now["height"] >= 0.5 * 768, "the picture has the screen, and not what stands around it"
    expect(sentence.filter(visible=True)).to_have_count(1)
    assert float(sentence.first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")) >= 1.3 * small
    expect(page.locator(".stSlider:visible")).to_have_count(0 if path in ("", "architectures") else 1)
    for gone in (page.get_by_role("heading", level=1), page.locator(".stSidebar"), page.locator(".stTabs")):
        expect(gone.filter(visible=True)).to_have_count(0)
    page.keyboard.press("Escape")
    assert not _presenting(page)
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_a_presentation_outlives_a_rerun_and_works_by_the_keyboard_alone(
    page: Page, app: str, settle: Settle
) -> None:
    _open(page, app, "solvers", settle)
    page.keyboard.press("p")
    slider = page.get_by_role("slider", name="Step size of the fixed-step methods")
    for _ in range(20):
        page.keyboard.press("Tab")
        if slider.evaluate("e => e === document.activeElement"):
            break
    euler = page.locator(".race .chip").first.inner_text()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".race .chip").first).not_to_have_text(euler, timeout=LIMIT)
    settle(page)
    assert _presenting(page)
    _until_it_fits(page)
    page.keyboard.press("p")  # from the slider, too
    assert not _presenting(page)


def test_the_page_tells_its_keys(page: Page, app: str, settle: Settle) -> None:
    _open(page, app, "solvers", settle)
    page.get_by_role("link", name="Keys: ?").press("Enter")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Play or pause")
    expect(keys).to_contain_text("two fingers")
    page.keyboard.press("p")
    assert not _presenting(page)  # the list is read first
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    page.get_by_role("link", name="Present: P").click()
    assert _presenting(page)
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    assert _presenting(page)
    page.get_by_role("link", name="Leave: P or Esc").click()
    assert not _presenting(page)
    assert "#" not in page.url


def test_no_key_acts_while_somebody_types(page: Page, app: str, settle: Settle) -> None:
    _open(page, app, "solvers", settle)
    for field in (
        page.get_by_role("combobox", name="System"),
        page.get_by_role("combobox", name="Methods to compare"),
    ):
        field.click()
        page.keyboard.type("pr? ")
        assert not _presenting(page)
        expect(page.get_by_role("dialog", name="Keys")).to_have_count(0)
        assert page.locator(".race").get_attribute("data-playing") == "false"
        page.keyboard.press("Escape")
        page.keyboard.press("Tab")


@pytest.mark.parametrize(
    ("path", "player", "place"),
    [("solvers", ".race", "data-fraction"), ("adjoint", ".adjoint", "data-place")],
)
def test_the_keys_play_move_and_reset_a_player(
    path: str, player: str, place: str, page: Page, app: str, settle: Settle
) -> None:
    _open(page, app, path, settle)
    root = page.locator(player)

    def at() -> float:
        return float(root.get_attribute(place) or "nan")

    page.keyboard.press("Space")
    expect(root).to_have_attribute("data-playing", "true")
    page.keyboard.press("Space")
    expect(root).to_have_attribute("data-playing", "false")
    page.keyboard.press("r")
    assert at() == 0.0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    there = at()
    assert there > 0.0
    page.keyboard.press("ArrowLeft")
    assert 0.0 < at() < there
    page.locator(f"{player} .play").focus()
    page.keyboard.press("Space")  # the button's own press, and no second one
    expect(root).to_have_attribute("data-playing", "true")


def test_where_no_run_is_played_the_keys_move_the_time(page: Page, app: str, settle: Settle) -> None:
    _open(page, app, "resnets", settle)
    time = page.get_by_label("Let the time t run through the flow").first
    expect(time).to_have_attribute("aria-pressed", "true", timeout=LIMIT)
    page.keyboard.press("Space")
    expect(time).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("r")
    slider = page.get_by_label("time t in the flow").first
    expect(slider).to_have_value("0")
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("0.02")
