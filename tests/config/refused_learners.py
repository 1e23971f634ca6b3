"""Refused settings of the learners beside the supernet; see `test_refusals`."""

from ltnas import config as c

SECOND = c.SecondOrder()


def search(**settings):
    return c.SearchConfig(**{"gradient": SECOND, "levels": c.Teaching(), **settings})


def interleaved(**settings):
    defaults = {"levels": c.Interleaving(), "second_network": c.SecondSupernet()}
    return search(**{**defaults, **settings})


REFUSED = {
    "negative weight of pseudo-labels": (
        lambda: c.Teaching(pseudo_label_weight=-1.0),
        "levels.pseudo_label_weight=-1.0",
        "0 or more",
    ),
    "negative weight of the student": (
        lambda: c.Teaching(student_weight=-1.0),
        "levels.student_weight=-1.0",
        "0 or more",
    ),
    "negative correction": (
        lambda: c.Teaching(prior_correction=-0.5),
        "levels.prior_correction=-0.5",
        "0 or more",
    ),
    "kind of explanation": (
        lambda: c.SelfExplanation(explanation="saliency"),
        "levels.explanation=saliency",
        "differentiated, detached",
    ),
    "negative weight of the audience": (
        lambda: c.SelfExplanation(audience_weight=-1.0),
        "levels.audience_weight=-1.0",
        "0 or more",
    ),
    "radius": (lambda: c.SelfExplanation(radius=0.0), "levels.radius=0.0", "above 0"),
    "step": (lambda: c.SelfExplanation(step=-0.1), "levels.step=-0.1", "above 0"),
    "steps of an attack": (lambda: c.SelfExplanation(steps=0), "levels.steps=0", "1 or more"),
    "no learner": (lambda: c.Interleaving(learners=0), "levels.learners=0", "1 or more"),
    "no round": (lambda: c.Interleaving(rounds=0), "levels.rounds=0", "1 or more"),
    "pull away": (lambda: c.Interleaving(pull=-1.0), "levels.pull=-1.0", "0 or more"),
    "no depth": (
        lambda: c.Interleaving(depth=0),
        "levels.depth=0",
        "take gradient=first_order",
    ),
    "second learner of two levels": (
        lambda: c.SearchConfig(second_sampler=c.ReversedSampler()),
        "second_sampler=reversed with levels=two",
        "take levels=teaching",
    ),
    "one level": (
        lambda: search(gradient=c.SingleLevel()),
        "gradient=single_level with levels=teaching",
        "take gradient=second_order",
    ),
    "a student out of reach": (
        lambda: search(gradient=c.FirstOrder()),
        "gradient=first_order with levels=teaching and second_network=resnet18",
        "take gradient=second_order",
    ),
    "depth without virtual steps": (
        lambda: interleaved(levels=c.Interleaving(depth=2), gradient=c.FirstOrder()),
        "levels.depth with gradient=first_order",
        "levels.depth=null",
    ),
    "interleaving without a second supernet": (
        lambda: search(levels=c.Interleaving()),
        "second_network=resnet18 with levels=interleaving",
        "take second_network=supernet",
    ),
    "a detached explanation to a fixed audience": (
        lambda: search(levels=c.SelfExplanation(explanation="detached")),
        "levels.explanation=detached with second_network=resnet18",
        "exactly zero",
    ),
    "a teacher without labels": (
        lambda: search(objective=c.BarlowTwins()),
        "objective=barlow_twins with levels=teaching",
        "take cross_entropy",
    ),
    "an audience without labels": (
        lambda: search(levels=c.SelfExplanation(), second_objective=c.BarlowTwins()),
        "second_objective=barlow_twins with levels=self_explanation",
        "take cross_entropy",
    ),
    "second data set of one learner": (
        lambda: search(second_data=c.Data("digits")),
        "second_data.source=digits",
        "take levels=interleaving",
    ),
    "branches of one learner": (
        lambda: interleaved(branches=c.TwoBranches()),
        "branches=two with levels=interleaving",
        "take branches=one",
    ),
    "perturbation of one learner": (
        lambda: interleaved(perturbation=c.RandomPerturbation()),
        "perturbation=random with levels=interleaving",
        "take perturbation=none",
    ),
    "stopping of one learner": (
        lambda: interleaved(operation_stopping=c.Oles()),
        "operation_stopping=oles with levels=interleaving",
        "take operation_stopping=none",
    ),
    "margins without cosines of a student": (
        lambda: search(second_objective=c.Ldam()),
        "second_objective=ldam",
        "classifier=cosine",
    ),
    "mixed images of a student": (
        lambda: search(second_objective=c.MixtureConsistency()),
        "objective=mixture_consistency",
        "ltnas.retrain",
    ),
}
