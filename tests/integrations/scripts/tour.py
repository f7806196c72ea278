"""A tour of the names that scripts call: definitions, charts, media, files, names, alerts."""

import os

import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
import wandb
from wandb import AlertLevel

wandb.login()
os.environ["WANDB_SILENT"] = "true"
run = wandb.init(
    project="tour", entity="team", group="tours", job_type="demo", name="tour", tags=["a"], notes="hi", save_code=True,
    config={"lr": 0.1, "layers": [1, 2], "nested": {"a": 1}}, settings=wandb.Settings(init_timeout=60),
    reinit=True, anonymous="allow",
)  # fmt: skip
wandb.require("service")
wandb.config.batch_size = 32
wandb.config.update({"lr": 0.2}, allow_val_change=True)
wandb.config.setdefaults({"seed": 1, "lr": 9})
run.define_metric("val/step")
run.define_metric("val/*", step_metric="val/step")
run.define_metric("acc", summary="max")

for step in range(5):
    wandb.log({"loss": 1 / (step + 1), "acc": [0.1, 0.5, 0.9, 0.4, 0.3][step]}, commit=False)
    wandb.log({"nested": {"a": step, "b": {"c": 2 * step}}})
    if step % 2 == 0:
        wandb.log({"val/loss": step, "val/step": step // 2})

fig, ax = plt.subplots()
ax.plot([1, 2, 3])
table = wandb.Table(columns=["x", "y", "label"], data=[[1, 2, "a"], [2, 4, "b"], [3, 8, "a"]])
wandb.log(
    {
        "figure": fig,
        "plotly": go.Figure(data=go.Bar(y=[1, 2])),
        "image": wandb.Image(
            np.random.randint(0, 255, (10, 10, 3), dtype=np.uint8),
            caption="noise",
            masks={"predictions": {"mask_data": np.zeros((10, 10), dtype=int), "class_labels": {0: "none"}}},
            boxes={
                "predictions": {
                    "box_data": [
                        {
                            "position": {"minX": 0.1, "maxX": 0.5, "minY": 0.1, "maxY": 0.5},
                            "class_id": 1,
                            "scores": {"p": 1},
                        }
                    ],
                    "class_labels": {1: "thing"},
                }
            },
        ),
        "html": wandb.Html("<b>hi</b>"),
        "audio": wandb.Audio(np.sin(np.linspace(0, 100, 800)), sample_rate=8000, caption="tone"),
        "histogram": wandb.Histogram(np.random.randn(100)),
        "from_numpy": wandb.Histogram(np_histogram=np.histogram([1, 2, 3])),
        "table": table,
        "line": wandb.plot.line(table, "x", "y", title="Line"),
        "scatter": wandb.plot.scatter(table, "x", "y", title="Scatter"),
        "bar": wandb.plot.bar(table, "label", "y", title="Bar"),
        "histogram_chart": wandb.plot.histogram(table, "y", title="Histogram"),
        "series": wandb.plot.line_series(xs=[0, 1, 2], ys=[[1, 2, 3], [3, 2, 1]], keys=["up", "down"], title="Series"),
        "roc": wandb.plot.roc_curve([0, 1, 1], [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], labels=["no", "yes"]),
        "pr": wandb.plot.pr_curve([0, 1, 1], [[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]], labels=["no", "yes"]),
        "confusion": wandb.plot.confusion_matrix(y_true=[0, 1, 1], preds=[0, 1, 0], class_names=["no", "yes"]),
    }
)
with open("notes.txt", "w") as file:
    file.write("kept")
wandb.save("notes.txt")
run.log_code(".")
run.alert(title="Low accuracy", text="0.3 is below 0.5", level=AlertLevel.WARN, wait_duration=0)
wandb.run.name = "tour-renamed"
run.tags += ("b",)
run.summary["final"] = {"a": 1}
run.summary.update({"best": 0.9})
wandb.termlog("done")
assert run.id == wandb.run.id
assert wandb.run.dir
assert run.url
assert run.path.endswith(run.id)
run.mark_preempting()
wandb.finish(exit_code=0)
assert wandb.run is None
