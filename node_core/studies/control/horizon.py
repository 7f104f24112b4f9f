"""Train with a fixed horizon and with one that grows, and watch gradient and success. Runs in a worker."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import cast

import numpy as np

from node_core.models.control.trials import run_trials
from node_core.studies.control.horizon_config import Course, HorizonConfig, HorizonResult
from node_core.training.control.build import held_out, judge_of, loop_of
from node_core.training.control.config import CURRICULA, Curriculum
from node_core.training.control.train import ControlTrainer
from node_core.training.trainer import DivergedError


def run(config: HorizonConfig) -> HorizonResult:
    """Do both trainings."""
    return HorizonResult(config, tuple(_course(config, cast(Curriculum, name)) for name in CURRICULA))


def _course(config: HorizonConfig, curriculum: Curriculum) -> Course:
    run = replace(config.run, curriculum=curriculum, start="", iterations=config.iterations)
    trainer, rows, looked, success, failed = ControlTrainer(run), [], [], [], ""
    every = max(1, config.iterations // config.looks)
    started = time.process_time()
    for done in range(1, config.iterations + 1):
        try:
            rows.append(trainer.iterate())
        except DivergedError as error:
            failed = str(error)
            break
        if done % every == 0:
            trials = run_trials(loop_of(run, trainer.policy), held_out(run), run.judged, judge_of(run))
            looked.append(done)
            success.append(trials.success)
    columns = ("iteration", "horizon", "loss", "gradient_norm")
    iteration, horizon, loss, norm = (np.array([row[name] for row in rows], dtype=float) for name in columns)
    seconds = time.process_time() - started
    return Course(
        curriculum,
        iteration,
        horizon,
        loss,
        norm,
        np.array(looked, float),
        np.array(success),
        seconds,
        failed,
    )
