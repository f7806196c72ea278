"""Load, preprocess, train: three runs of one script that hand artifacts to one another."""

import json
import os
import random

import wandb

PROJECT = "artifacts-quickstart"


def load():
    with wandb.init(project=PROJECT, job_type="load-data") as run:
        rng = random.Random(0)
        raw = wandb.Artifact(
            "points-raw", type="dataset", description="random points", metadata={"source": "random", "sizes": [30, 10]}
        )
        for name, size in (("training", 30), ("test", 10)):
            with raw.new_file(f"{name}.json", mode="w") as file:
                json.dump([[rng.random(), rng.random()] for _ in range(size)], file)
        run.log_artifact(raw)


def preprocess(steps):
    with wandb.init(project=PROJECT, job_type="preprocess-data", config=steps) as run:
        processed = wandb.Artifact("points-preprocess", type="dataset", metadata=steps)
        raw_dataset = run.use_artifact("points-raw:latest").download()
        os.makedirs("processed", exist_ok=True)
        for name in ("training", "test"):
            with open(os.path.join(raw_dataset, f"{name}.json")) as file:
                points = json.load(file)
            with open(f"processed/{name}.json", "w") as file:
                json.dump([[round(x * run.config.scale, 3), y] for x, y in points], file)
        processed.add_dir("processed")
        run.log_artifact(processed, aliases=["clean"])


def train():
    with wandb.init(project=PROJECT, job_type="train", config={"epochs": 3}) as run:
        data = run.use_artifact("points-preprocess:clean")
        folder = data.download()
        with open(os.path.join(folder, "training.json")) as file:
            points = json.load(file)
        weight = 0.0
        for epoch in range(run.config["epochs"]):
            weight += sum(x for x, _ in points) / len(points)
            run.log({"epoch": epoch, "loss": 1 / (1 + weight)}, step=epoch)
        with open("model.json", "w") as file:
            json.dump({"weight": weight, "scale": data.metadata["scale"]}, file)
        model = wandb.Artifact("trained-model", type="model", metadata=dict(run.config))
        model.add_file("model.json")
        run.log_artifact(model, aliases=["latest", "best"])


load()
preprocess({"scale": 10})
train()
