"""The server: this machine alone, bad input in one line, and the page in Chromium."""

import http.client
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from bionn.cli.main import main
from bionn.playground.drawing import told
from bionn.playground.example import Question, work
from bionn.playground.server import Server
from tests.support.browser import PHONE, browser, needs_browser


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server: Server, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=60)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_it_listens_on_this_machine_alone(server: Server) -> None:
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Host": "127.0.0.1"}, {"Origin": "http://evil.example"}]
)
def test_another_site_is_refused(server: Server, headers: dict[str, str]) -> None:
    assert ask(server, "/", **headers)[0] == 403


def test_its_own_names_are_answered(server: Server) -> None:
    port = server.server_address[1]
    assert ask(server, "/", Host=f"localhost:{port}", Origin=f"http://localhost:{port}")[0] == 200


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/network?w11=abc", "w11: a number from -100 to 100 needed, 'abc' found"),
        ("/network?x1=nan", "x1: a number from"),
        ("/network?x1=", "x1: a number from -100 to 100 needed, '' found"),
        ("/network?v1=1e9", "v1: a number from"),
        ("/network?target=2", "target: a number from 0 to 1 needed"),
        ("/network?activation=step", "activation: one of sigmoid"),
        ("/descent?batch_size=0", "batch_size: a number from 1 to 40 needed"),
        ("/descent?batch_size=2.5", "batch_size: a whole number needed"),
        ("/descent?problem=poetry", "problem: line or neuron needed"),
        ("/?epochs=100000", "epochs: a number from 1 to 100 needed"),
    ],
)
def test_bad_input_gets_a_line(server: Server, path: str, says: str) -> None:
    status, text = ask(server, path)
    assert status == 400
    assert text.startswith(says)


def test_other_addresses_are_not_there(server: Server) -> None:
    assert ask(server, "/etc/passwd")[0] == 404
    assert ask(server, "/?x1=" + "1" * 5000)[0] == 404


def test_the_page_works_without_a_script(server: Server) -> None:
    worked = work(Question(inputs=(1.0, 2.0, 7.0)))
    status, text = ask(server, "/?x1=1")
    assert status == 200
    for name in ("a1", "z2", "y", "J"):
        assert f"= {told(worked.nodes[name].value)}</text>" in text


@needs_browser
def test_the_page_in_the_browser(server: Server, tmp_path: Path) -> None:
    with browser(tmp_path / "profile") as opened:
        for dark, width in ((False, 1100), (True, PHONE)):
            opened.open(server.address, dark=dark, width=width)
            assert opened.violations() == []
            assert opened.overflow() <= 0
        wait = WebDriverWait(opened.driver, 30)

        def value(name: str, kind: str = "value") -> str:
            return opened.run(f"return document.querySelector('[data-{kind}={name}]').textContent")

        def edit(name: str, text: str) -> None:
            field = opened.driver.find_element("name", name)
            field.clear()
            field.send_keys(text)

        edit("w12", "0.75")
        hidden = ((0.1, 0.75, -0.2), (-0.4, 0.5, 0.8))
        nodes = work(Question(hidden=hidden)).nodes
        wait.until(lambda _: value("a1") == f"a₁ = {told(nodes['a1'].value)}")
        assert value("y") == f"y = {told(nodes['y'].value)}"
        assert value("x3", "slope") == f"∂J/∂x₃ = {told(nodes['x3'].slope)}"

        edit("v1", "two")
        message = opened.driver.find_element("id", "network-message")
        wait.until(lambda _: "v1: a number from -100 to 100 needed, 'two' found" in message.text)
        field = opened.driver.find_element("name", "v1")
        assert field.get_attribute("aria-invalid") == "true"
        assert value("y") == f"y = {told(nodes['y'].value)}"
        edit("v1", "-0.7")
        wait.until(lambda _: message.text == "")

        step = opened.driver.find_element("id", "step")
        step.send_keys("\ue011")  # Home: the first step, before anything is computed
        hidden_now = "return getComputedStyle(document.querySelector('[data-value=y]')).visibility"
        assert opened.run(hidden_now) == "hidden"
        step.send_keys("\ue014" * 4)  # right, four times: as far as the prediction
        assert opened.run(hidden_now) == "visible"
        assert "Sigmoid of the sum" in opened.driver.find_element("id", "step-name").text

        opened.driver.find_element("id", "learn").send_keys("\ue007")  # Enter
        wait.until(lambda _: value("y") != f"y = {told(nodes['y'].value)}")
        before = nodes["J"].value
        assert float(value("J").split("= ")[1]) < before

        edit("batch_size", "8")
        part = opened.driver.find_element("id", "descent-part")
        wait.until(lambda _: "mini-batches of 8" in part.text)
        complaints = [line for line in opened.complaints() if "400 (Bad Request)" not in line]
        assert complaints == []


def test_ctrl_c_ends_the_command_cleanly() -> None:
    command = [sys.executable, "-m", "bionn.cli.main", "playground", "--no-browser"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors == ""


def test_a_port_that_is_taken(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    taken = str(server.server_address[1])
    assert main(["playground", "--no-browser", "--port", taken]) == 2
    assert "choose another with --port" in capsys.readouterr().err
