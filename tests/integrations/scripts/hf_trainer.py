"""The Trainer of Transformers on a tiny BERT that is made here, reporting to wandb."""

import sys

import torch
from torch.utils.data import Dataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments


class Pairs(Dataset):
    def __init__(self, size, seed):
        generator = torch.Generator().manual_seed(seed)
        self.tokens = torch.randint(2, 50, (size, 8), generator=generator)
        self.labels = (self.tokens[:, 0] > 25).long()

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, index):
        return {"input_ids": self.tokens[index], "labels": self.labels[index]}


def accuracy(prediction):
    return {"accuracy": float((prediction.predictions.argmax(-1) == prediction.label_ids).mean())}


torch.manual_seed(0)
config = BertConfig(
    vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
    max_position_embeddings=16,
)  # fmt: skip
trainer = Trainer(
    model=BertForSequenceClassification(config),
    args=TrainingArguments(
        output_dir=sys.argv[1],
        run_name="tiny-bert",
        report_to="wandb",
        max_steps=6,
        logging_steps=2,
        save_steps=3,
        eval_strategy="steps",
        eval_steps=3,
        per_device_train_batch_size=8,
        use_cpu=True,
        disable_tqdm=True,
    ),
    train_dataset=Pairs(64, 0),
    eval_dataset=Pairs(16, 1),
    compute_metrics=accuracy,
)
trainer.train()
trainer.evaluate()
