"""SiW-M (2019) and SiW-Mv2 (2022): videos of 13 or 14 species of attacks; leave-one-species-out.

Live/Train/, Live/Test/                                  SiW-M: bona fide videos, attacks below their species:
Paper/, Replay/, Mask/{HalfMask,SiliconeMask,TransparentMask,PaperMask,MannequinHead}/
Makeup/{Obfuscation,Impersonation,Cosmetic}/, Partial/{FunnyeyeGlasses,PaperGlasses,PaperCut}/
Live/Live_1.mov, Spoof/Makeup_Cosmetic/Makeup_Co_1.mov   SiW-Mv2, whose Partial_Eye and Partial_Mouth are two species
trainlist_live.txt, testlist_live.txt                    SiW-Mv2: Live_1, ...; trainlist_all.txt, testlist_all.txt
                                                         for the attacks of protocol known

A protocol per species (half-mask, ...): tested on it and on the bona fide videos of the test part, trained on all
others. SiW-M has the bona fide parts in its folders; SiW-Mv2 needs its lists. No file names a person: subject_id stays
empty.
Source: Liu, Stehouwer, Jourabloo, Liu, Deep Tree Learning for Zero-shot Face Anti-Spoofing, CVPR 2019; Guo et al.,
Multi-domain Learning for Updating Face Anti-spoofing Models, ECCV 2022, and the lists of its repository.
"""

from __future__ import annotations

import pandas as pd

from fas_core.data.names import BONA_FIDE
from fas_core.data.released import DataSet, Files, Names, Protocol, entries
from fas_core.errors import BadInputError

_SPECIES = {  # folder of SiW-M or SiW-Mv2, without its class
    **{"paper": "paper", "print": "paper", "replay": "replay"},
    **{"halfmask": "half mask", "siliconemask": "silicone", "silicone": "silicone"},
    **{"transparentmask": "transparent mask", "papermask": "paper mask"},
    **{"mannequinhead": "mannequin", "mannequin": "mannequin"},
    **{"obfuscation": "obfuscation makeup", "impersonation": "impersonation makeup", "cosmetic": "cosmetic makeup"},
    **{"funnyeyeglasses": "funny eye glasses", "paperglasses": "paper glasses", "papercut": "cutout"},
    **{"eye": "cutout eyes", "mouth": "cutout mouth"},
}


def _columns(names: Names) -> dict[str, str]:
    return {"pai_species": _SPECIES[names["species"]] if names["species"] else ""}


def _leave_out(species: str) -> Protocol:
    def subset(row: Names) -> str:
        if row["pai_species"]:
            return "test" if row["pai_species"] == species else "train"
        if not row["subset"]:
            raise BadInputError(
                f"SiW-M: nothing says whether the bona fide video {row['sample_id']} is for training or test. Put "
                "trainlist_live.txt and testlist_live.txt of the set's release under its folder."
            )
        return row["subset"]

    return Protocol(f"tested on {species}, which training does not see", rule=subset)


def _with_parts(files: Files, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Bona fide videos of SiW-Mv2 by its lists; those of SiW-M lie in a folder of their part."""
    part_of = {
        key: part
        for part in ("train", "test")
        for path in files.named(f"{part}list_live.txt")
        for key, _, _ in entries(SET, path)
    }
    is_open = (rows["label"] == BONA_FIDE) & (rows["subset"] == "")
    listed = pd.Series([part_of.get((name,), "") for name in rows["?name"]], rows.index)
    return rows.assign(subset=rows["subset"].where(~is_open, listed)), []


SET = DataSet(
    title="SiW-M",
    clips=(
        r"(?:live/(?:(?P<part>train|test)/)?|(?:spoof/)?(?:(?:mask|makeup|partial)[/_])?"
        rf"(?P<species>{'|'.join(_SPECIES)})/)(?P<name>[^/]+)"
    ),
    telltale=r".*(?:halfmask|transparentmask|funnyeyeglasses|paperglasses|makeup[/_](?:obfuscation|cosmetic)).*",
    columns=_columns,
    published={"": (660, 968)},
    reissued={"": (785, 915)},
    entry=r"(?P<name>(?:live|paper|replay|makeup|mask|partial)\w*_\d+)",
    protocols={
        "known": Protocol(
            "SiW-Mv2's first: every species in both parts, by its lists",
            {part: (f"{part}list_all.txt", f"{part}list_live.txt") for part in ("train", "test")},
        ),
        **{species.replace(" ", "-"): _leave_out(species) for species in dict.fromkeys(_SPECIES.values())},
    },
    completed=_with_parts,
)
