"""The page in a browser: Chromium, by Playwright; left out where there is no Chromium."""

import re
import shutil
import socket
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from braingan.folders import StudyFolder, read_csv, write_csv, write_json
from braingan.study.reading import Readings
from braingan.training.run import add_event, read_log, write_log
from braingan.web.app import create_app

playwright = pytest.importorskip("playwright.sync_api")
Axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
NAMED = "button|link|textbox|spinbutton|slider|checkbox|radio|combobox|img|table|heading"
SIZES = {"desktop": (1200, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def study(told, tmp_path_factory):
    """A study's folder of two runs: one is finished, one trains."""
    folder = StudyFolder(tmp_path_factory.mktemp("browser") / "study")
    for name in ("finished", "training"):
        shutil.copytree(told.root, folder.run(name).root)
    running = folder.run("training")
    shutil.rmtree(running.root / "snapshots")
    write_log(running, read_log(running)[:1])
    add_event(running, 8, "continued on a made processor")
    cells = [
        {"values": {"model.name": name}, "run": name, "epochs": 2, "slices": 8, "subjects": 2, "note": "", "failed": ""}
        for name in ("finished", "training")
    ]
    write_json(folder.plan, {"format": 1, "title": "A study", "store": "", "store_folder": "", "cells": cells})
    return folder


@contextmanager
def serving(root):
    """Serve a folder; yield the address, and what ends the server."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(create_app(root, port=port), port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)

    def end():
        server.should_exit = True
        thread.join()

    yield f"http://127.0.0.1:{port}", end
    end()


@pytest.fixture(scope="module")
def address(study):
    with serving(study.root) as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as engine:
        chromium = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(params=SIZES)
def page(request, browser):
    """A page that may speak to nobody but its own host, and may not complain."""
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="dark")
    opened, wrong = context.new_page(), []
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    opened.on(
        "request",
        lambda asked: None if asked.url.startswith(("http://127.0.0.1", "data:")) else wrong.append(asked.url),
    )
    yield opened
    context.close()
    assert wrong == []


def fits(page):
    """Whether nothing sticks out to the right, but for tables that scroll by themselves."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_every_page_fits_and_complains_of_nothing(page, address):
    for path in ("/", "/runs/finished", "/compare?run=finished&run=training", "/readings"):
        page.goto(address + path)
        assert fits(page), path
        assert page.locator("h1").count() == 1


def test_a_screen_reader_is_told_what_everything_is(page, address):
    """Every control, picture and table has a name, and the page its landmarks, in the tree that a reader reads."""
    for path in ("/", "/runs/finished", "/compare?run=finished&run=training", "/readings"):
        page.goto(address + path)
        tree = page.locator("body").aria_snapshot()
        assert not re.findall(rf"^\s*- (?:{NAMED})(?! \")\b.*$", tree, re.MULTILINE), path
        assert re.search(r"^\s*- main", tree, re.MULTILINE), path
        assert re.search(r"^\s*- navigation", tree, re.MULTILINE), path
        assert page.evaluate("document.documentElement.lang") == "en"
    page.goto(address + "/runs/finished")
    assert page.locator("#summary").get_attribute("role") == "status"


def test_axe_finds_no_barrier(page, address):
    """By the rules of axe-core (WCAG 2.2 to level AA, and best practices), contrast included, dark and light."""
    asked = {"title": f"For axe {page.viewport_size['width']}", "run": "finished", "count": "2"}
    made = page.request.post(address + "/readings", form=asked).url.removeprefix(address)
    said = {"reader": "Ann", "number": "0", "real": "true", "confidence": "4"}
    page.request.post(f"{address}{made}/answers", form=said)
    wrong = {}

    def look(name):
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            if found.violations_count:
                wrong[name, scheme] = found.generate_report()

    paths = ("/", "/compare?run=finished&run=training", "/readings", made, f"{made}?reader=Ann", f"{made}/results")
    for path in paths:
        page.goto(address + path)
        look(path)
    page.get_by_label("not finished, and will not").check()
    page.get_by_role("button", name="End the series").click()
    page.get_by_text("of 1 answers were right").wait_for()
    look("ended")
    page.goto(address + "/runs/finished")
    page.locator("input[name=count]").fill("2")
    page.get_by_role("button", name="Generate").click()
    page.locator("#made img").nth(1).wait_for()
    look("/runs/finished")
    assert not wrong, wrong


def test_each_page_has_a_title_of_its_own(page, address):
    titles = []
    for path in ("/", "/runs/finished", "/compare?run=finished&run=training", "/readings"):
        page.goto(address + path)
        titles.append(page.title())
    assert len(set(titles)) == 4
    assert all(title.endswith("A study") for title in titles)


def test_rows_stay_as_they_are_where_someone_wants_them_to(page, address):
    asked = []
    page.on("request", lambda of: asked.append(of.url) if "/rows" in of.url else None)
    page.goto(address + "/")
    page.get_by_label("do not update by itself").check()
    page.wait_for_timeout(6_000)
    assert asked == []


def test_a_running_study_updates_by_itself_and_keeps_what_is_ticked(page, address, study):
    running = study.run("training")
    before = read_csv(running.log)
    try:
        page.goto(address + "/")
        page.locator("#tick-training").check()
        page.get_by_text("training, epoch 1 of 2").wait_for()
        write_csv(running.log, list(before[0]), [list(before[0].values()), list((before[0] | {"epoch": "2"}).values())])
        page.get_by_text("epoch 1 of 2").wait_for(state="detached", timeout=15_000)
        assert page.locator("#tick-training").is_checked()
    finally:
        write_log(running, before)


def test_the_slider_shows_other_epochs(page, address):
    page.goto(address + "/runs/finished")
    page.locator("input[data-epochs]").fill("0")
    assert page.locator("#grown").get_attribute("src").endswith("/epochs/1.png")
    assert page.locator("#epoch").inner_text() == "1"


def test_slices_are_made_on_request_and_a_mistake_is_said(page, address):
    page.goto(address + "/runs/finished")
    page.get_by_label("Slices", exact=True).fill("2")
    page.get_by_role("button", name="Generate").click()
    page.locator("#made img").nth(1).wait_for()
    assert page.locator("#made img").count() == 2
    page.locator("#generate-depth").fill("9")
    page.get_by_role("button", name="Generate").click()
    page.locator("#made .said").wait_for()
    assert "was trained on" in page.locator("#made").inner_text()


def test_the_blind_test_from_end_to_end_by_keyboard(page, address):
    title = f"Reading {page.viewport_size['width']}"
    page.goto(address + "/readings")
    page.get_by_label("Title").fill(title)
    page.locator("input[name=count]").fill("4")
    page.locator("input[name=run]").first.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Make the series").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Your name").wait_for()
    page.wait_for_load_state("load")
    page.keyboard.type("Ann")
    page.keyboard.press("Enter")
    for number, keys in enumerate(("5r", "1g", "r", "3g")):
        page.get_by_text(f"slice {number + 1} of 4").wait_for()
        page.wait_for_load_state("load")  # until then no key is listened to
        page.locator("#confidence-3").focus()
        page.keyboard.press("Enter")  # is no answer
        assert fits(page)
        if number == 2:  # held down, or switched off: nothing is answered; closed and opened again one goes on
            page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'r', repeat: true}))")
            page.get_by_label("answer by the keys").uncheck()
            page.keyboard.press("r")
            page.get_by_label("answer by the keys").check()
            page.goto(page.url)
            page.get_by_text("slice 3 of 4").wait_for()
        page.locator("#real:enabled").wait_for()  # not answered before it is seen
        for key in keys:
            page.keyboard.press(key)
    page.get_by_text("All 4 slices are answered").wait_for()
    page.get_by_role("link", name="Results").click()
    page.get_by_role("button", name="End the series").focus()
    page.keyboard.press("Enter")  # not before it is ticked
    assert page.url.endswith("/results")
    page.get_by_label("Nobody else is to answer").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="End the series").focus()
    page.keyboard.press("Enter")
    page.get_by_text("of 4 answers were right").wait_for()
    assert fits(page)


def test_the_blind_test_by_touch(page, address, browser, study):
    asked = {"title": f"Touched {page.viewport_size['width']}", "run": "finished", "count": "2"}
    made = page.request.post(address + "/readings", form=asked).url
    context = browser.new_context(viewport=page.viewport_size, has_touch=True)
    touched = context.new_page()
    touched.goto(f"{made}?reader=Ann")
    for number in (1, 2):  # buttons wait until the slice is seen, and so does tap
        touched.get_by_text(f"slice {number} of 2").wait_for()
        touched.get_by_label("5 certain").tap()
        touched.get_by_role("button", name="Generated").tap()
    touched.get_by_text("All 2 slices are answered").wait_for()
    context.close()
    readings = Readings(study.readings)
    given = [(of.real, of.confidence) for of in readings.answers(readings.open(made.rpartition("/")[2]))]
    assert given == [(False, 5), (False, 5)]


def test_a_failure_after_loading_is_said_and_so_is_that_it_works_again(study, browser):
    page = browser.new_page()
    with serving(study.root) as (address, end):
        page.goto(address + "/")
        page.route("**/rows*", lambda of: of.fulfill(status=403, body="A token is needed", content_type="text/plain"))
        page.locator("#trouble").get_by_text("Not up to date since").wait_for(timeout=15_000)
        assert page.locator("#trouble").inner_text().endswith(": A token is needed")
        assert page.locator("#trouble").get_attribute("role") == "status"
        page.unroute("**/rows*")
        page.locator("#trouble").get_by_text("Not up to date since").wait_for(state="detached", timeout=15_000)
        page.goto(address + "/runs/finished")
        end()
        page.get_by_role("button", name="Generate").click()
        page.get_by_text("The server does not answer").wait_for()
        assert page.locator("#summary").inner_text() == ""
    page.close()


def test_a_button_keeps_the_focus_while_slices_are_made_and_that_is_said(page, address):
    page.goto(address + "/runs/finished")
    page.get_by_label("Slices", exact=True).fill("2")
    asked = []
    page.on("request", lambda of: asked.append(of.url) if of.method == "POST" else None)
    page.route("**/slices", lambda of: (page.wait_for_timeout(500), of.continue_()))
    page.get_by_role("button", name="Walk between two latents").focus()
    page.keyboard.press("Enter")
    assert page.locator("#summary").inner_text() == "The slices are being made."
    assert page.locator("button[name=walk]").get_attribute("aria-disabled") == "true"
    page.keyboard.press("Enter")  # dropped
    page.get_by_text("on the way from the first latent of seed 0 to its second").wait_for()
    assert page.evaluate("document.activeElement.name") == "walk"
    assert page.locator("button[name=walk]").get_attribute("aria-disabled") == "false"
    assert len(asked) == 1
    assert page.locator("#made img").count() == 2


def test_a_wish_is_any_until_its_slider_is_moved_and_any_again(page, address):
    page.goto(address + "/runs/finished")
    depth = page.get_by_role("group", name="Depth")
    any_of, slider, number = depth.get_by_label("any"), depth.get_by_role("slider"), depth.get_by_role("textbox")
    assert any_of.is_checked()
    assert slider.get_attribute("aria-valuetext") == "any"
    slider.fill("0.51")
    assert number.input_value() == "0.51"
    assert not any_of.is_checked()
    slider.press("ArrowRight")
    assert number.input_value() == "0.52"
    any_of.check()
    assert number.input_value() == ""
    any_of.uncheck()
    assert number.input_value() == "0.52"
    page.get_by_label("Slices", exact=True).fill("1")
    page.get_by_role("button", name="Generate").click()
    page.locator("#made img").wait_for()
    assert "depth=0.52" in page.get_by_role("link", name="PNG").get_attribute("href")


def test_a_first_run_is_counted_and_can_be_compared(page, study, tmp_path):
    with serving(tmp_path) as (address, _):
        page.goto(address + "/")
        assert not page.get_by_role("button", name="Compare what is ticked").is_visible()
        shutil.copytree(study.run("finished").root, tmp_path / "first")
        page.get_by_text("1 of 1 runs").wait_for(timeout=15_000)
        assert page.locator("caption").count() == 1
        assert page.get_by_role("button", name="Compare what is ticked").is_visible()
        page.goto("about:blank")


def test_confidence_by_keys_whose_layout_writes_no_digits(page, address):
    asked = {"title": f"Keys {page.viewport_size['width']}", "run": "finished", "count": "2"}
    made = page.request.post(address + "/readings", form=asked).url
    page.goto(f"{made}?reader=Ann")
    for key, code, wanted in (("é", "Digit2", "2"), ("٤", "Digit4", "4"), ("1", "Numpad1", "1"), ("5", "Digit7", "5")):
        page.evaluate("of => document.dispatchEvent(new KeyboardEvent('keydown', of))", {"key": key, "code": code})
        assert page.locator("input[name=confidence]:checked").get_attribute("value") == wanted


def test_dark_or_light_is_chosen_and_kept(page, address):
    page.goto(address + "/")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.get_by_role("button", name="Light page").click()
    light = page.evaluate(colour)
    assert dark != light
    page.goto(address + "/readings")
    assert page.evaluate(colour) == light
    page.get_by_role("button", name="Dark page").click()
    assert page.evaluate(colour) == dark


def test_side_by_side_the_first_slices_come_once_the_page_is_there(page, address):
    page.goto(address + "/compare?run=finished&run=training")
    page.get_by_alt_text("the first slices of").wait_for()
    page.get_by_text("There are no slices yet").wait_for()


def test_a_name_that_can_not_be_one_is_stopped_before_it_is_sent(page, address):
    asked = {"title": f"Pattern {page.viewport_size['width']}", "run": "finished", "count": "2"}
    made = page.request.post(address + "/readings", form=asked).url
    page.goto(made)
    fits_pattern = "document.querySelector('input[name=reader]').checkValidity()"
    for name, fit in (("Smith, Ann", False), ("<b>", False), ("Jürgen O'Neil-2", True), ("अनीता", True)):
        page.get_by_label("Your name").fill(name)
        assert page.evaluate(fits_pattern) == fit, name
