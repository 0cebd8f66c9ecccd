"""LightningModules of one's own: trained, resumed, and refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from blocks import InvalidInput
from nas.errors import WorkFailed
from nas.plugins import PluginFault
from nas.training import load_checkpoint, read_info
from nas.training.fit import fit
from tests.nas.training.test_training_fit import RECIPE, assert_same, make_job, saved

pytestmark = pytest.mark.integration

OWN = """
import pytorch_lightning as pl
import torch
from torch.nn import functional
from blocks import InvalidInput
from nas.training.module import Classifier

class Focal(Classifier):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.loss = FocalLoss()

class FocalLoss(torch.nn.Module):
    def forward(self, logits, labels):
        loss = functional.cross_entropy(logits, labels, reduction="none")
        return ((1 - torch.exp(-loss)) ** 2 * loss).mean()

class Own(pl.LightningModule):
    def __init__(self, net, recipe, num_classes, steps_per_epoch):
        super().__init__()
        self.save_hyperparameters("recipe", "num_classes")
        self.net, self.recipe = net, recipe
    def training_step(self, batch, index):
        return functional.cross_entropy(self.net(batch[0]), batch[1])
    def error(self, name, batch):
        wrong = (self.net(batch[0]).argmax(1) != batch[1]).float().mean()
        self.log(name, wrong, on_epoch=True, batch_size=len(batch[1]))
    def validation_step(self, batch, index): self.error("val_error", batch)
    def test_step(self, batch, index): self.error("test_error", batch)
    def configure_optimizers(self): return torch.optim.AdamW(self.parameters(), 1e-3)

class Silent(Own):
    def validation_step(self, batch, index): pass

class Percent(Own):
    def error(self, name, batch): self.log(name, 55.0)

class Raises(Own):
    def training_step(self, batch, index): return self.nothing

class Theirs(Own):
    def training_step(self, batch, index): raise InvalidInput("a complaint")

class Idle(Own):
    def configure_optimizers(self): return None

class RaisesLater(Own):
    def training_step(self, batch, index):
        return super().training_step(batch, index) if self.current_epoch == 0 else self.nothing

class NanLater(Own):
    def error(self, name, batch): self.log(name, float("nan") if self.current_epoch else 0.5)

class NanAtFirst(Own):
    def error(self, name, batch): self.log(name, float("nan") if self.trainer.sanity_checking else 0.5)

class Diverges(Focal):
    def training_step(self, batch, index): return super().training_step(batch, index) * float("nan")
    def on_train_epoch_end(self): raise FloatingPointError("the loss is nan")

class NanLoss(Own):
    def training_step(self, batch, index): return super().training_step(batch, index) * float("nan")

class NanFocal(Focal):
    def training_step(self, batch, index): return super().training_step(batch, index) * float("nan")

class NanWeights(Own):
    def on_train_epoch_end(self): next(self.net.parameters()).data.fill_(float("nan"))

class NanLogged(Own):
    def on_train_epoch_end(self): self.log("train_loss", float("nan"))

class Large(Own):
    def training_step(self, batch, index): raise RuntimeError("CUDA out of memory. Tried to allocate")

class Elsewhere(Own):
    def __init__(self, net, *more): super().__init__(torch.nn.Identity(), *more)

class Short(Own):
    def __init__(self, net): super().__init__(net, None, 1, 1)

no_module = 3
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(OWN)


def test_a_subclass_trains_resumes_exactly_and_loads_without_its_file() -> None:
    recipe = RECIPE.model_copy(update={"epochs": 2})
    whole = fit(make_job("whole", module="own.py:Focal", recipe=recipe))
    fit(make_job("parts", module="own.py:Focal", recipe=recipe, stop_epoch=1))
    Path("moved").mkdir()
    Path("own.py").rename("moved/own.py")  # and given again: still the same training
    parts = fit(make_job("parts", module="moved/own.py:Focal", recipe=recipe))
    assert [m.val_error for m in parts] == [m.val_error for m in whole]
    assert_same(saved("whole")["state_dict"], saved("parts")["state_dict"])
    plain = fit(make_job("plain", recipe=recipe, stop_epoch=1))
    assert plain[0].train_loss != whole[0].train_loss
    Path("moved/own.py").unlink()
    assert read_info(Path("whole/checkpoint.pt")).module == "own.py:Focal"
    assert load_checkpoint(Path("whole/checkpoint.pt")).model(torch.zeros(1, 1, 16, 16)).shape == (
        1,
        10,
    )
    with pytest.raises(InvalidInput, match=r"own\.py: no such file"):
        fit(make_job("whole", module="own.py:Focal", recipe=recipe))
    with pytest.raises(InvalidInput, match="another training \\(other module\\)"):
        fit(make_job("whole", recipe=recipe))


def test_ones_own_module_trains_resumes_and_is_tested() -> None:
    recipe = RECIPE.model_copy(update={"epochs": 2})
    fit(make_job("own", module="own.py:Own", recipe=recipe, stop_epoch=1))
    epochs = fit(make_job("own", module="own.py:Own", recipe=recipe))
    assert [one.train_loss for one in epochs] == [one.val_error for one in epochs]
    full = fit(make_job("full", module="own.py:Own", recipe=recipe, full=True))
    assert all(0 < one.train_loss < 5 for one in full)
    result = json.loads(Path("full/result.json").read_text())
    assert 0 <= result["test_error"] < 1
    assert result["test_loss"] is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "Silent",
            r"own\.py, line \d+: val_error: logs none in the batch .*; expected the share of",
        ),
        (
            "Percent",
            "val_error: logs 55 in the batch that is validated before training; expected the",
        ),
        (
            "Raises",
            r"line \d+, in training_step: AttributeError: .*; expected steps that take batches",
        ),
        ("Theirs", r"line \d+, in training_step: a complaint; expected steps that take batches"),
        (
            "Elsewhere",
            "its attribute net is not the network that it was given; expected self.net = net",
        ),
        ("Short", "TypeError: .*; expected a LightningModule made as NAME"),
        ("no_module", "an int; expected a LightningModule made as"),
        ("absent", r"own\.py defines no 'absent'; expected a LightningModule"),
    ],
)
def test_wrong_modules_are_one_line(name: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        fit(make_job(name, module=f"own.py:{name}"))
    assert "own.py" in str(caught.value)
    assert isinstance(caught.value, PluginFault)
    assert not Path(name, "checkpoint.pt").exists(), "found before the first epoch"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("RaisesLater", r"own\.py, line \d+, in training_step: AttributeError: "),
        (
            "NanLater",
            r"module own\.py:NanLater: .*line \d+: val_error: logs NaN; expected the share",
        ),
        ("NanLoss", r"^module own\.py:NanLoss: .*line \d+: the training loss is NaN in epoch 1$"),
        ("NanFocal", r"^module own\.py:NanFocal: .*line \d+: the training loss is NaN in epoch 1$"),
        ("NanWeights", r"line \d+: the weights are not finite in epoch 1$"),
        ("NanLogged", r"line \d+: the training loss is NaN in epoch 1$"),
        ("Diverges", r"line \d+, in on_train_epoch_end: FloatingPointError: the loss is nan"),
        ("Large", r"line \d+, in training_step: RuntimeError: CUDA out of memory"),
    ],
)
def test_what_fails_later_or_in_one_network_is_a_failure_of_the_training(
    name: str, said: str
) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 2})
    with pytest.raises(WorkFailed, match=said):
        fit(make_job(name, module=f"own.py:{name}", recipe=recipe))
    assert Path(name, "checkpoint.pt").exists() == name.endswith("Later"), "of a whole epoch only"


def test_an_error_that_needs_more_than_one_batch_is_trained() -> None:
    (epoch,) = fit(make_job("nan", module="own.py:NanAtFirst", stop_epoch=1))
    assert epoch.val_error == 0.5


def test_a_module_that_trains_nothing_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    fit(make_job("idle", module="own.py:Idle", stop_epoch=1))
    (said,) = [one.getMessage() for one in caplog.records if one.name == "nas"]
    assert said.startswith("warning: module own.py:Idle: ")
    assert said.endswith("so the network stays untrained")


def test_several_processes_need_a_subclass() -> None:
    job = make_job("two", module="own.py:Own", devices=2)
    with pytest.raises(InvalidInput, match="with devices 2 expected a subclass of"):
        fit(job)
