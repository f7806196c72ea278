"""Optuna's side, run by the Python that has it: told of a space, it is asked for points and told their values.

Lines of JSON in and out, so that what is measured runs once, on our side.
"""

import json
import sys

import optuna


def ask(trial, parameters, when):
    """A point, as a script that uses Optuna would ask for it."""
    params = {}
    for name, is_a in parameters.items():
        if name in when and params.get(when[name][0]) != when[name][1]:
            continue
        if "values" in is_a:
            params[name] = trial.suggest_categorical(name, is_a["values"])
        elif "distribution" not in is_a or "q" in is_a:
            params[name] = trial.suggest_int(name, is_a["min"], is_a["max"], step=is_a.get("q", 1))
        else:
            log = is_a["distribution"] == "log_uniform_values"
            params[name] = trial.suggest_float(name, is_a["min"], is_a["max"], log=log)
    return params


def main():
    """Answer until there is nothing more to read."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    import warnings

    warnings.simplefilter("ignore")
    for line in sys.stdin:
        task = json.loads(line)
        if task["sampler"] == "GP":
            import torch

            torch.set_num_threads(1)
        kind = {"TPE": optuna.samplers.TPESampler, "GP": optuna.samplers.GPSampler}[task["sampler"]]
        study = optuna.create_study(sampler=kind(seed=task["seed"]))
        for _ in range(task["trials"]):
            trial = study.ask()
            print(json.dumps(ask(trial, task["parameters"], task["when"])), flush=True)
            study.tell(trial, json.loads(sys.stdin.readline()))


main()
