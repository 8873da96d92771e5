"""The lecture's experiments show what they claim, and their scripts run and leave their files."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from bionn.training.fit import train
from experiments.lecture.backpropagation import run as backpropagation
from experiments.lecture.backpropagation.networks import NETWORKS
from experiments.lecture.common import read_settings, table
from experiments.lecture.design_space import run as design_space
from experiments.lecture.forward_pass import run as forward_pass
from experiments.lecture.gradient_descent import run as gradient_descent
from experiments.lecture.single_neurons import run as single_neurons

ROOT = Path(__file__).resolve().parents[2]
LECTURE = ROOT / "experiments" / "lecture"


def settings_of(module):
    return read_settings(module.Settings, Path(module.__file__).with_name("config.yaml"))


# ---- forward_pass --------------------------------------------------------------------------


def test_forward_pass_gives_the_lectures_digits():
    result = forward_pass.forward_pass(settings_of(forward_pass))
    digits = [[f"{value:.2f}" for value in part.tolist()] for part in result]
    assert digits == [["0.50", "1.40"], ["0.62", "0.80"], ["0.29"], ["0.57"]]


def test_forward_pass_report_shows_every_number_and_would_show_a_wrong_one():
    settings = settings_of(forward_pass)
    result = forward_pass.forward_pass(settings)
    shown = forward_pass.report(settings, result)
    assert "13(-0.4) + 2(0.5) + 7(0.8)" in shown
    assert shown.count(" yes") == 6
    assert " NO" not in shown
    wrong = replace(settings, printed={**settings.printed, "output": [0.58]})
    assert forward_pass.report(wrong, result).endswith(" NO")


# ---- single_neurons ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fits():
    return single_neurons.fit_all(settings_of(single_neurons))


def test_single_neurons_reach_their_optima(fits):
    tolerance = settings_of(single_neurons).tolerance
    assert len(fits) == 12
    for fit in fits:
        assert fit.weight_difference <= tolerance, fit.problem
        assert fit.loss_difference <= tolerance, fit.problem


def test_single_neurons_end_by_the_gradient_norm_and_at_the_first_step_that_meets_it(fits):
    settings = settings_of(single_neurons)
    for fit in fits:
        assert fit.steps < settings.max_steps
        assert fit.gradient_norms[-1] <= settings.gradient_norm < min(fit.gradient_norms[:-1])


def test_the_optima_are_optima():
    """At each reference optimum the gradient of the stated objective vanishes."""
    for problem in single_neurons.problems(settings_of(single_neurons)):
        weights = single_neurons.Weights(*(w.clone().requires_grad_() for w in problem.optimum))
        gradients = torch.autograd.grad(problem.objective(weights), list(weights))
        assert max(g.abs().max().item() for g in gradients) < 1e-8, problem.name


# ---- backpropagation -----------------------------------------------------------------------


@pytest.mark.parametrize("index", range(len(NETWORKS)), ids=[n.name for n in NETWORKS])
def test_backpropagation_by_hand_by_autograd_and_by_differences_agree(index):
    settings = settings_of(backpropagation)
    network = NETWORKS[index]
    given = backpropagation.givens(network, settings)
    result = backpropagation.compare(network, given, settings.step)
    everything = set(result.values) - {"y*", "J"}
    assert set(result.by_hand) == set(result.autograd) == set(result.differences) == everything
    assert set(result.fused) == everything - {"y"}
    assert result.largest(result.autograd) <= settings.tolerance["autograd"]
    assert result.largest(result.fused) <= settings.tolerance["autograd"]
    assert result.largest(result.differences) <= settings.tolerance["finite_differences"]
    # dJ/d(sums) = y - y*, with the minus sign of J
    assert result.output_error() <= settings.tolerance["autograd"]


@pytest.mark.parametrize("index", range(len(NETWORKS)), ids=[n.name for n in NETWORKS])
def test_a_wrong_formula_by_hand_shows(index):
    """J without its minus sign, as on the lecture's slides, gives the opposite derivatives."""
    settings = settings_of(backpropagation)
    right = NETWORKS[index]
    wrong = right._replace(backward=lambda v: {k: -d for k, d in right.backward(v).items()})
    result = backpropagation.compare(wrong, backpropagation.givens(right, settings), settings.step)
    assert result.largest(result.autograd) > 0.1
    assert result.largest(result.differences) > 0.1
    assert result.output_error() > 0.1


# ---- gradient_descent ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def descent():
    settings = settings_of(gradient_descent)
    data = gradient_descent.simulate(settings)
    stop = gradient_descent.make_stop(settings.stop, settings.stop["max_epochs"])
    return settings, data, gradient_descent.descend(settings, data, stop)


def test_every_method_ends_near_the_optimum(descent):
    settings, data, histories = descent
    assert list(settings.methods.values()) == ["full", 1, 5]
    for method, history in histories.items():
        assert history.distance(data.optimum) <= settings.tolerance[method], method


def test_gradient_descent_falls_at_every_step_and_the_others_do_not(descent):
    _, _, histories = descent
    falls = {
        method: all(b < a for a, b in zip(history.losses, history.losses[1:], strict=False))
        for method, history in histories.items()
    }
    assert falls == {"gradient descent": True, "stochastic": False, "mini-batch": False}


def test_the_batch_size_sets_the_number_of_updates(descent):
    settings, _, histories = descent
    n = settings.samples
    assert [h.updates_per_epoch for h in histories.values()] == [1, n, n // 5]
    assert histories["gradient descent"].stopped_by == "gradient norm"
    assert histories["stochastic"].stopped_by == "epochs"


def test_gradient_descent_follows_its_closed_form(descent):
    """On a parabola of curvature H: theta_t - theta* = (I - alpha H)^t (theta_0 - theta*)."""
    settings, data, histories = descent
    columns = torch.cat([data.x, torch.ones_like(data.x)], dim=1)
    shrink = torch.eye(2) - settings.learning_rate * columns.T @ columns / settings.samples
    path = torch.tensor(histories["gradient descent"].path, dtype=torch.float64)
    expected = path[0] - data.optimum
    for point in path:
        torch.testing.assert_close(point - data.optimum, expected, rtol=0, atol=1e-12)
        expected = shrink @ expected


@pytest.mark.parametrize(
    ("criteria", "reason"),
    [
        ({"loss_change": 0.1}, "loss change"),
        ({"gradient_norm": 0.8}, "gradient norm"),
        ({}, "epochs"),
    ],
)
def test_cutting_a_run_short_equals_stopping_it(descent, criteria, reason):
    settings, data, histories = descent
    stop = gradient_descent.make_stop(criteria, 8)
    stopped = gradient_descent.descend(settings, data, stop)
    assert stopped["gradient descent"].stopped_by == reason
    assert stopped == {method: history.until(stop) for method, history in histories.items()}


# ---- the scripts ---------------------------------------------------------------------------


def test_table_aligns_its_columns():
    assert table(("a", "bb"), [("xyz", "1")]) == "a    bb\n---  --\nxyz   1"


SCRIPTS = {  # the files each leaves, and settings that make it quick: its result is tested above
    "forward_pass": ({"numbers.json", "network.png"}, {}),
    "single_neurons": (
        {"fits.csv", "gradient_norms.png"},
        {"max_steps": 5, "optimisers": ["gradient descent"]},  # torch.optim is slow to import
    ),
    "backpropagation": ({"derivatives.csv", "step_size.png"}, {"figure_exponents": [-6, -4]}),
    "gradient_descent": (
        {"epochs.csv", "trajectories.png", "losses.png", "termination.png"},
        {"stop": {"gradient_norm": 1e-3, "max_epochs": 3}},
    ),
    "design_space": (
        {"networks.csv", "design_space.png"},
        {"seeds": [0], "epochs": 1, "choices": {"depth": [0, 1], "activation": ["relu", "step"]}},
    ),
}


def test_the_design_space_has_the_lectures_five_choices_and_judges_on_validation_rows():
    settings = replace(settings_of(design_space), seeds=[0, 1], epochs=2)
    assert set(settings.choices) == {"depth", "width", "activation", "objective", "init"}
    assert all(settings.base[choice] in values for choice, values in settings.choices.items())
    prepared = design_space.load(settings)
    settings = replace(settings, choices={"init": ["zeros", "kaiming_uniform"], "depth": [2]})
    zeros, base, again = design_space.sweep(settings, prepared)
    assert zeros.losses == pytest.approx([math.log(2)] * 2, abs=1e-3)  # no unit learns anything
    assert base._replace(choice="depth", value=2) == again
    options = design_space.options_for(settings, prepared, settings.base)
    assert base.losses[0] == train(prepared, options).val_loss


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """All scripts, started together: most of their time goes into imports."""
    folder = tmp_path_factory.mktemp("lecture")
    started = {}
    for name, (_, changes) in SCRIPTS.items():
        command = [sys.executable, "-W", "error", "-m", f"experiments.lecture.{name}.run"]
        command += ["--out", str(folder / name)]
        if changes:
            settings = yaml.safe_load((LECTURE / name / "config.yaml").read_text(encoding="utf-8"))
            config = folder / f"{name}.yaml"
            config.write_text(yaml.safe_dump({**settings, **changes}), encoding="utf-8")
            command += ["--config", str(config)]
        started[name] = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    return folder, {name: (*run.communicate(), run.returncode) for name, run in started.items()}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_runs_and_leaves_its_files(runs, name):
    folder, results = runs
    printed, errors, code = results[name]
    assert code == 0, errors
    files = {file.name: file.stat().st_size for file in (folder / name).iterdir()}
    assert set(files) == SCRIPTS[name][0]
    assert all(files.values())
    report, _, _ = printed.rpartition("\nwritten: ")  # that line holds a path of any length
    assert report
    assert max(map(len, report.splitlines())) <= 80
