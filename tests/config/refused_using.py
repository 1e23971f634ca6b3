"""Refused settings of commands that use networks and genotypes; see `test_refusals`."""

from ltnas import config as c


def prediction(**settings):
    return c.PredictConfig(**{"run": "runs/a", "images": ["a.png"], **settings})


REFUSED = {
    "no run": (lambda: prediction(run=""), "run= is missing", "add run=FOLDER"),
    "no image": (lambda: prediction(images=[]), "images=", "images=PHOTO"),
    "no class": (lambda: prediction(top=0), "top=0", "1 or more classes"),
    "no batch": (lambda: prediction(batch_size=0), "batch_size=0", "1 or more images"),
    "prior": (lambda: prediction(prior="natural"), "prior=natural", "prior=[0.7,0.2,0.1]"),
    "devices": (
        lambda: prediction(trainer=c.Trainer(devices=2)),
        "trainer.devices=2",
        "take trainer.devices=1",
    ),
    "no run to export": (lambda: c.ExportConfig(), "run= is missing", "add run=FOLDER"),
    "format": (
        lambda: c.ExportConfig(run="a", format="torchscript"),
        "format=torchscript",
        "onnx, torch_export, safetensors",
    ),
    "no genotype": (lambda: c.DrawConfig(), "genotype= is missing", "add genotype=darts_v2"),
    "picture": (
        lambda: c.DrawConfig(genotype="darts_v2", out="a.jpg"),
        "out=a.jpg",
        "for example out=cell.svg",
    ),
    "push and pull": (
        lambda: c.HubConfig(push="runs/a", pull="a/b"),
        "push=runs/a pull=a/b",
        "give one of push=FOLDER",
    ),
    "repository": (lambda: c.HubConfig(push="runs/a", repo="b"), "repo=b", "repo=OWNER/NAME"),
}
"""Name -> (what is made, what the message says first: key and value; how to mend it)."""
