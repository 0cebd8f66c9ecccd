"""Has networks judge the validation images of a search."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from blocks import ArchSpec
from blocks.errors import InvalidInput
from nas.data import Data, load_data
from nas.runs import TrialFolder
from nas.searching.config import SearchConfig
from nas.searching.confirm.answers import read_right, write_right
from nas.searching.input_size import data_for

TOLERANCE = 0.02
"""By how much the error of a checkpoint may differ from that of its training: arithmetic of 16 bits."""


@dataclass
class Images:
    """The validation images of a search, and what its networks say about them.

    Args:
        config: Of the search. Only the share of misclassified images has answers image by image, and
            only networks that were trained, not those of an evaluator, are asked for them.
    """

    config: SearchConfig
    _data: dict[str, Data] = field(default_factory=dict, init=False)

    @property
    def has_answers(self) -> bool:
        """Whether networks can be compared image by image."""
        return self.config.evaluator is None and self.config.recipe.metric == "error"

    def check(self, spec: ArchSpec) -> str | None:
        """The digest of the images; None where networks are not compared image by image.

        Raises:
            InvalidInput: The images are missing, or have changed since the search.
        """
        if not self.has_answers:
            return None
        info = self._of(spec).info
        names = self._of(spec).image_names("val")
        parts = (info.name, info.fingerprint or "", *info.class_names, *names)
        return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()

    def judge(self, folder: TrialFolder, spec: ArchSpec, digest: str, error: float) -> None:
        """Have the network of a training judge every image, unless it has.

        Nothing is written where there is no checkpoint.

        Args:
            folder: Of the training.
            spec: Its network.
            digest: Of the images.
            error: That its training ended with.

        Raises:
            InvalidInput: The checkpoint is damaged, or the images are others than in its training.
        """
        if not folder.checkpoint.is_file() or read_right(folder, digest) is not None:
            return
        from nas.evaluation.predictions import predict
        from nas.training import load_checkpoint
        from nas.training.trained_on import check_same_classes

        loaded, data = load_checkpoint(folder.checkpoint), self._of(spec)
        check_same_classes(loaded.info, data.info)
        found = predict(loaded.model, data, "val", data.info.class_names)
        right = found.named == found.labels
        now, limit = 1 - float(right.mean()), max(TOLERANCE, 3 / len(right))
        changed = loaded.info.fingerprint not in (None, data.info.fingerprint)
        if changed or abs(now - error) > limit:
            if self.config.module is not None and not changed:
                return  # a module of one's own may evaluate in another way
            raise InvalidInput(
                f"{data.info.name}: the validation images have changed since {folder.path} was trained "
                f"(error {error:.4g} then, {now:.4g} now)"
            )
        write_right(folder.right, right, digest)

    def _of(self, spec: ArchSpec) -> Data:
        config = data_for(spec, self.config)
        key = config.model_dump_json()
        if key not in self._data:
            self._data[key] = load_data(config)
        return self._data[key]
