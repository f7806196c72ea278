"""A sweep by function: four trials of a search in this process."""

import wandb

sweep_config = {
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"lr": {"values": [0.1, 0.01]}, "depth": {"values": [1, 2]}, "epochs": {"value": 3}},
}


def train(config=None):
    with wandb.init(config=config):
        config = wandb.config
        for epoch in range(config.epochs):
            wandb.log({"loss": config.lr * config.depth / (epoch + 1), "epoch": epoch})


sweep_id = wandb.sweep(sweep_config, project="sweeps-by-function")
wandb.agent(sweep_id, function=train, count=4)
