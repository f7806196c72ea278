"""A dense Keras model on digits with every one of W&B's callbacks."""

import keras
import numpy as np
import wandb
from sklearn.datasets import load_digits
from wandb.integration.keras import WandbCallback, WandbEvalCallback, WandbMetricsLogger, WandbModelCheckpoint

digits = load_digits()
x, y = (digits.data / 16).astype("float32"), digits.target
x_train, y_train, x_test, y_test = x[:1500], y[:1500], x[1500:], y[1500:]


class PredictionTable(WandbEvalCallback):
    def __init__(self, validation_data, data_table_columns, pred_table_columns):
        super().__init__(data_table_columns, pred_table_columns)
        self.x, self.y = validation_data

    def add_ground_truth(self, logs=None):
        for idx, (image, label) in enumerate(zip(self.x, self.y, strict=True)):
            self.data_table.add_data(idx, wandb.Image(image.reshape(8, 8)), int(label))

    def add_model_predictions(self, epoch, logs=None):
        preds = np.argmax(self.model.predict(self.x, verbose=0), axis=-1)
        table_idxs = self.data_table_ref.get_index()
        for idx in table_idxs:
            self.pred_table.add_data(
                epoch, self.data_table_ref.data[idx][0], self.data_table_ref.data[idx][2], int(preds[idx])
            )


def build(units):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(units, "relu"), keras.layers.Dense(10, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


run = wandb.init(project="keras-digits", name="callbacks", config={"units": 16, "epochs": 2, "batch_size": 128})
model = build(wandb.config.units)
model.fit(
    x_train,
    y_train,
    epochs=wandb.config.epochs,
    batch_size=wandb.config.batch_size,
    validation_data=(x_test, y_test),
    verbose=0,
    callbacks=[
        WandbMetricsLogger(log_freq=5),
        WandbModelCheckpoint("models/digits-{epoch:02d}.keras", monitor="val_loss", save_best_only=True),
        PredictionTable((x_test[:8], y_test[:8]), ["idx", "image", "label"], ["epoch", "idx", "label", "pred"]),
    ],
)
run.finish()

run = wandb.init(project="keras-digits", name="classic", config={"units": 8})
model = build(8)
model.fit(
    x_train.reshape(-1, 64),
    y_train,
    epochs=2,
    validation_data=(x_test, y_test),
    verbose=0,
    callbacks=[WandbCallback(log_weights=True, validation_data=(x_test[:4], y_test[:4]), log_evaluation=True)],
)
run.finish()

run = wandb.init(project="keras-digits", name="epochs")
build(8).fit(x_train, y_train, epochs=2, verbose=0, callbacks=[WandbMetricsLogger()])
run.finish()
