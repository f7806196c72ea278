"""XGBoost and LightGBM, each with W&B's callback."""

import lightgbm as lgb
import wandb
import xgboost as xgb
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from wandb.integration.lightgbm import log_summary, wandb_callback
from wandb.integration.xgboost import WandbCallback

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

run = wandb.init(project="boosting", name="xgb", config={"eta": 0.3, "max_depth": 3})
model = xgb.XGBClassifier(
    n_estimators=12,
    learning_rate=wandb.config.eta,
    max_depth=wandb.config.max_depth,
    eval_metric=["logloss", "auc"],
    early_stopping_rounds=5,
    callbacks=[WandbCallback(log_model=True, importance_type="weight")],
)
model.fit(X_train, y_train, eval_set=[(X_train, y_train), (X_test, y_test)], verbose=False)
run.log({"accuracy": model.score(X_test, y_test)})
run.finish()

wandb.init(project="boosting", name="lgb", job_type="train")
params = {"objective": "binary", "metric": ["binary_logloss", "auc"], "learning_rate": 0.1, "verbosity": -1}
train_set = lgb.Dataset(X_train, y_train)
gbm = lgb.train(
    params,
    train_set,
    num_boost_round=15,
    valid_sets=[lgb.Dataset(X_test, y_test, reference=train_set)],
    valid_names=["validation"],
    callbacks=[wandb_callback(), lgb.early_stopping(5, verbose=False)],
)
log_summary(gbm, save_model_checkpoint=True)
wandb.finish()
