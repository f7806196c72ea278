"""Lightning with its own WandbLogger: metrics, hyperparameters, checkpoints, watch, pictures, tables, text."""

import lightning as L
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import WandbLogger
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Classifier(L.LightningModule):
    def __init__(self, hidden=16, lr=1e-2):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.net(x), y)
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        guess = self.net(x)
        self.log("val/loss", F.cross_entropy(guess, y))
        self.log("val/acc", (guess.argmax(1) == y).float().mean())
        if batch_idx == 0:
            images = [one.reshape(8, 8).numpy() for one in x[:3]]
            self.logger.log_image(key="samples", images=images, caption=[str(int(label)) for label in y[:3]])
            self.logger.log_table(key="guesses", columns=["truth", "guess"], data=[[int(y[0]), int(guess[0].argmax())]])
            self.logger.log_text(key="words", columns=["a", "b"], data=[["cheese", "wine"]])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.lr)


L.seed_everything(0)
digits = load_digits()
data = TensorDataset(torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target))
train, val = torch.utils.data.random_split(data, [1500, 297])
logger = WandbLogger(project="lightning-digits", name="mlp", log_model="all", tags=["mlp"])
model = Classifier()
logger.watch(model, log="all", log_freq=10)
logger.experiment.config.update({"dataset": "digits"})
trainer = L.Trainer(
    max_epochs=2,
    logger=logger,
    log_every_n_steps=5,
    accelerator="cpu",
    enable_progress_bar=False,
    enable_model_summary=False,
    callbacks=[ModelCheckpoint(monitor="val/acc", mode="max", dirpath="checkpoints")],
)
trainer.fit(model, DataLoader(train, batch_size=64, shuffle=True), DataLoader(val, batch_size=99))
trainer.validate(model, DataLoader(val, batch_size=99), verbose=False)
