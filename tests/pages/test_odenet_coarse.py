"""The net that two Euler steps learned: how it is begun with, and whether what is said of it is so."""

import re
from dataclasses import replace

import numpy as np

from node_core.studies.classifier.hlambda import run as run_cloud
from node_core.studies.classifier.hlambda_config import HLambdaConfig
from node_core.training.classifier.checkpoint import pretrained, save
from node_core.training.classifier.train import Trainer
from node_core.visualization.classifier.hlambda import cloud_info
from tests.pages.harness import untroubled
from tests.pages.test_odenet import config, opened, settled


def test_the_stiff_preset_begins_with_two_euler_steps_and_opens_its_cloud() -> None:
    at = opened()
    at.button(key="preset_stiff").click().run()
    settled(at)
    at.run()  # before, the run may not have begun
    assert untroubled(at)
    found = config(at)
    assert (found.start, found.method, found.dt) == ("circles_coarse", "euler", 0.5)
    said = " ".join(element.value for element in at.markdown)
    assert "Two Euler steps learned this" in said
    assert re.search(r"\d+ of \d+ decaying values lie outside Euler's region", said), said
    at.button(key="preset_circles").click().run()
    assert config(at).start == "circles"


def test_a_beginning_that_other_data_have_not_is_none_of_theirs() -> None:
    at = opened()
    at.button(key="preset_stiff").click().run()
    at.selectbox(key="data").set_value("moons").run()
    assert untroubled(at)
    assert config(at).start == "moons"


def test_what_is_said_of_the_coarse_net_is_so() -> None:
    saved = pretrained("circles_coarse")
    assert saved.config.method == "euler"
    assert Trainer(saved.config, saved.state).draw(dear=False).row["train_accuracy"] > 0.99
    accurate = replace(saved.config, method="dopri5")
    assert Trainer(accurate, saved.state).draw(dear=False).row["train_accuracy"] < 0.8
    result = run_cloud(HLambdaConfig(checkpoint=save(saved.config, saved.state)))
    info = cloud_info(result)
    assert info is not None
    values = result.h_lambda.reshape(-1)
    outside = int(((values.real < 0) & (np.abs(1 + values) > 1.001)).sum())
    assert outside > 0.2 * int((values.real < 0).sum())
    assert info.sentence.startswith(
        f"{outside} of {(values.real < 0).sum()} decaying values lie outside Euler's region"
    )
    assert "the step there is 0.5" in info.sentence
