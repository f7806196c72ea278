"""A small CNN on scikit-learn's digits: config from argparse, watch, images, a table of predictions, the model file."""

import argparse
import os

import numpy as np
import torch
import torch.nn.functional as F
import wandb
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, channels, dropout):
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels * 2, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(channels * 2 * 2 * 2, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return F.log_softmax(self.fc(self.dropout(x.flatten(1))), dim=1)


def train(model, device, loader, optimizer, epoch, log_interval):
    model.train()
    for batch_idx, (data, target) in enumerate(loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        if batch_idx % log_interval == 0:
            print(f"Train Epoch: {epoch} [{batch_idx * len(data)}] Loss: {loss.item():.6f}")
            wandb.log({"train/loss": loss, "epoch": epoch})


def test(model, device, loader, classes):
    model.eval()
    test_loss, correct, seen = 0, 0, 0
    example_images = []
    table = wandb.Table(columns=["image", "truth", "guess", "confidence"])
    with torch.no_grad():
        for data, target in loader:
            output = model(data.to(device))
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.max(1, keepdim=True)[1]
            correct += pred.eq(target.view_as(pred)).sum().item()
            seen += len(data)
            example_images.append(
                wandb.Image(data[0, 0].numpy(), caption=f"Pred: {classes[pred[0].item()]} Truth: {classes[target[0]]}")
            )
            table.add_data(
                wandb.Image(data[0, 0].numpy()), target[0].item(), pred[0].item(), output[0].max().exp().item()
            )
    wandb.log(
        {
            "Examples": example_images,
            "Predictions": table,
            "Test Accuracy": 100.0 * correct / seen,
            "Test Loss": test_loss / seen,
            "Confidence": wandb.Histogram(output.exp().max(1).values.numpy()),
        }
    )
    return correct / seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--log-interval", type=int, default=5)
    args = parser.parse_args()

    wandb.init(project="pytorch-digits", config=args, tags=["cnn", "baseline"], notes="the first one that works")
    config = wandb.config
    wandb.watch_called = False

    torch.manual_seed(config.seed)
    np.random.seed(config.seed)
    digits = load_digits()
    images = (digits.images / 16.0).astype("float32")[:, None]
    x_train, x_test, y_train, y_test = train_test_split(images, digits.target, test_size=0.2, random_state=0)
    train_loader = DataLoader(
        TensorDataset(torch.tensor(x_train), torch.tensor(y_train)), batch_size=config.batch_size, shuffle=True
    )
    test_loader = DataLoader(TensorDataset(torch.tensor(x_test), torch.tensor(y_test)), batch_size=90)

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = Net(config.channels, config["dropout"]).to(device)
    optimizer = optim.Adam(model.parameters(), lr=config.lr)
    wandb.watch(model, log="all", log_freq=10)

    for epoch in range(1, config.epochs + 1):
        train(model, device, train_loader, optimizer, epoch, config.log_interval)
        accuracy = test(model, device, test_loader, [str(name) for name in digits.target_names])

    wandb.run.summary["best_accuracy"] = accuracy
    torch.save(model.state_dict(), os.path.join(wandb.run.dir, "model.pt"))
    wandb.save("model.pt")


if __name__ == "__main__":
    main()
