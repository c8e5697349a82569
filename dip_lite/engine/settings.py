"""How a network is fitted: every number of the engine that one might want to change.

    task = denoise(picture)
    task.settings = replace(task.settings, ema_decay=0.95, patience=200)

Presets in `dip_lite.tasks` set them by task; the tasks' own numbers are there.
"""

from dataclasses import dataclass

from .early_stopping import EarlyStopping

OPTIMISERS = ("muon", "adam", "sgd")


@dataclass(frozen=True)
class Settings:
    """How a task is fitted; every task comes with its own.

    Raises:
        ValueError: from the constructor, with what was given and what is allowed.
    """

    optimiser: str = "muon"  # or "adam", the paper's, or "sgd", plain gradient descent
    lr: float = 0.02  # of Muon, or of Adam or gradient descent where they are alone
    lr_adam: float = 0.01  # of Adam beside Muon
    ema_decay: float = 0.99  # of the moving average x_avg, per step (authors' code)
    steps: int = 3000  # budget if `fit` is given none (authors' code, denoising)
    coarse_steps: int = 0  # made first, at a lower resolution, where a task has one, `Task.coarse`
    target_loss: float = 0.0  # the run ends when the energy is first this low; 0: never
    warmup: int = 60  # steps that early stopping ignores at the start
    patience: int = 80  # steps without a new minimum of the variance before the run stops
    rate: float = 0.05  # α of the variance's moving averages, per step
    min_delta: float = 0.0  # fraction by which a new minimum must be lower to count
    tile_above: int = 1_500_000  # pixels of a picture above which it is fitted in tiles
    tile_side: int = 512  # pixels
    tile_margin: int = 24  # pixels along a shared border that lack context and are not kept

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            raise ValueError(f"optimiser must be muon, adam or sgd, got {self.optimiser!r}")
        if not (self.lr >= 0 and self.lr_adam >= 0):
            raise ValueError(f"lr must be ≥ 0, got {self.lr} and {self.lr_adam}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must be in [0, 1), got {self.ema_decay}")
        if not self.target_loss >= 0:
            raise ValueError(f"target_loss must be ≥ 0, got {self.target_loss}")
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if self.coarse_steps < 0:
            raise ValueError(f"coarse_steps must be ≥ 0, got {self.coarse_steps}")
        if self.tile_side < 1 or self.tile_margin < 0:
            raise ValueError(
                f"tile_side must be ≥ 1 and tile_margin ≥ 0, got {self.tile_side} and "
                f"{self.tile_margin}"
            )
        self.stopping_rule()  # refuses wrong numbers now

    def stopping_rule(self) -> EarlyStopping:
        """A fresh early stopping rule with these numbers."""
        return EarlyStopping(
            warmup=self.warmup, patience=self.patience, rate=self.rate, min_delta=self.min_delta
        )
