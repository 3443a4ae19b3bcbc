"""Plans are data: those of the package are whole, one's own are read, and what is wrong in one is said by field."""

import json
from pathlib import Path

import pytest

from fas_core.deciding import plans
from fas_core.deciding.plans import Asked
from fas_core.errors import BadInputError

OWN = """
title = "Ours"
source = "house rules"
version = "3"
[bona_fide]
presentations = 20
subjects = 4
max_bpcer = 0.1
[[attacks]]
name = "prints"
species = 2
words = ["Paper", "print"]
presentations = 10
max_apcer = 0.2
[[attacks]]
name = "anything else"
species = 1
presentations = 5
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "ours.toml"
    path.write_text(OWN)
    return path


def test_the_plans_of_the_package() -> None:
    assert plans.names() == [
        "fido-biometric-level-1",
        "fido-biometric-level-2",
        "ibeta-level-1",
        "ibeta-level-2",
        "ibeta-level-3",
    ]
    first = plans.plan("ibeta-level-1")
    assert first.bona_fide == Asked(50, 0, 0.15)
    assert [(one.species, one.asked) for one in first.attacks] == [(6, Asked(150, 0, 0.0))]
    limits = {name: {one.asked.limit for one in plans.plan(name).attacks} for name in plans.names()}
    assert list(limits.values()) == [{0.15}, {0.07}, {0.0}, {0.01}, {0.0}]


@pytest.mark.parametrize("name", plans.names())
def test_every_plan_names_its_source_and_is_not_taken_for_the_laboratory_s(name: str) -> None:
    plan = plans.plan(name)
    assert plan.source
    assert plan.version
    assert plan.url.startswith("https://")
    assert "Check the current plan with the laboratory" in plan.text
    assert "certified" not in (plans.FOLDER / f"{name}.toml").read_text().casefold()


def test_one_s_own_plan(own: Path) -> None:
    plan = plans.plan(own)
    assert (plan.name, plan.title, plan.confidence, plan.bona_fide) == ("ours", "Ours", 0.95, Asked(20, 4, 0.1))
    named = {species: plan.class_of(species) for species in ("paper_mask", "Print-2", "papery", "mask")}
    assert {species: one and one.name for species, one in named.items()} == {
        "paper_mask": "prints",
        "Print-2": "prints",
        "papery": "anything else",  # not the word paper
        "mask": "anything else",
    }
    assert plan.attacks[1].asked == Asked(5, 0, None)
    as_json = own.with_suffix(".json")
    content = {"title": "Ours", "source": "s", "version": "1", "attacks": [{"name": "a", "species": 1}]}
    content["attacks"][0]["presentations"] = 9  # type: ignore[index]
    as_json.write_text(json.dumps(content))
    assert plans.plan(str(as_json)).bona_fide is None
    assert plans.plan(own).digest != plans.plan(as_json).digest


def test_a_species_no_class_has_is_not_asked_for() -> None:
    level_1, fido = plans.plan("ibeta-level-1"), plans.plan("fido-biometric-level-1")
    assert level_1.class_of("silicone_mask") is None
    of = {species: fido.class_of(species) for species in ("paper", "paper_mask", "voice")}
    assert {species: one and one.name for species, one in of.items()} == {
        "paper": "level A",
        "paper_mask": "level B",
        "voice": None,
    }


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('title = "Ours"', "", "title of the plan is missing: write a text"),
        ("presentations = 20", "presentation = 20", "bona_fide has no field 'presentation'"),
        ("max_apcer = 0.2", "max_apcer = 20", "max_apcer of attacks 1 is 20: write a share from 0"),
        ("species = 2", "species = 0", "species of attacks 1 is 0: write a whole number, 1 or more"),
        ('version = "3"', 'version = "3"\nunit = "frame"', "unit of the plan is 'frame': write 'presentation'"),
        ('version = "3"', 'version = "3"\nconfidence = 95', "confidence of the plan is 95"),
        ('words = ["Paper", "print"]', "words = [1]", "words of attacks 1 is"),
        ("[[attacks]]", "[[attack]]", "the plan has no field 'attack'"),
        ("[bona_fide]", "[bona_fide", "is no TOML file"),
    ],
)
def test_what_is_wrong_is_said_by_field(own: Path, before: str, after: str, message: str) -> None:
    own.write_text(OWN.replace(before, after))
    with pytest.raises(BadInputError) as refused:
        plans.plan(own)
    assert message in str(refused.value)
    assert str(own) in str(refused.value)
    offered, problems = plans.offered(own.parent)
    assert len(offered) == len(plans.names())
    assert problems == [str(refused.value)]


def test_a_plan_that_there_is_not() -> None:
    with pytest.raises(BadInputError, match="There is no plan 'ibeta-level-9'. Plans: fido"):
        plans.plan("ibeta-level-9")
    with pytest.raises(BadInputError, match=r"nowhere\.toml: No such file"):
        plans.plan("nowhere.toml")
