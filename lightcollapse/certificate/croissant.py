"""The certificate as Croissant 1.1: JSON-LD with PROV-O and IPTC's digital source types.

Source: the Croissant format specification 1.1 (MLCommons 2026), its section on provenance and its JSON-LD context;
Croissant RAI 1.0 for `dataLimitations`; IPTC NewsCodes, Digital Source Type.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lightcollapse.certificate.consistency import LIMITS, words
from lightcollapse.certificate.declared import HUMAN, KINDS, MIXED, SYNTHETIC, UNKNOWN, Certified, Tally, sizes

if TYPE_CHECKING:
    from lightcollapse.certificate import Certificate

CONFORMS_TO = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
OWN = "urn:lightcollapse:certificate:1#"
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_SOURCE_TYPES: dict[tuple[str, ...], str] = {
    (HUMAN,): "digitalCreation",  # made by a human with tools that do not generate
    (SYNTHETIC,): "trainedAlgorithmicMedia",  # made by a trained model
    (MIXED,): "compositeWithTrainedAlgorithmicMedia",  # a human's, worked over by a trained model
}
_SEVERAL = "compositeSynthetic"  # elements of which at least one is synthetic
_TERMS = (
    *("annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "excludes", "extract"),
    *("field", "fileProperty", "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath"),
    *("key", "md5", "parentField", "path", "recordSet", "references", "regex", "readLines", "repeated", "replace"),
    *("samplingRate", "sdVersion", "separator", "source", "subField", "transform", "unArchive", "value"),
)
# https, as mlcroissant and its examples have it; the specification's appendix writes http
_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "digitalSourceType": {"@id": "sc:digitalSourceType", "@type": "@id"},
    **{term: f"cr:{term}" for term in _TERMS},
    **{term: {"@id": OWN + term, "@type": "@json"} for term in ("declared", "measured", "consistency", "recipe")},
}


def croissant(made: Certificate) -> str:
    """The certificate as JSON-LD; the same certificate makes the same bytes."""
    return json.dumps(jsonld(made), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def jsonld(made: Certificate) -> dict[str, Any]:
    """The same as an object."""
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": made.name,
        "description": made.description,
        **made.about,
        **_source_type(made.declared.whole),
        "rai:dataLimitations": LIMITS,
        "rai:dataCollection": f"Declared, not checked: {words(made.declared.whole)}.",
        "prov:wasAttributedTo": {"@type": "prov:Agent", "prov:label": f"declared: {words(made.declared.whole)}"},
        "distribution": [_file(made, file) for file in made.declared.files],
        "recordSet": [_counts(made), *(_records(file) for file in made.declared.files if file.columns)],
        "declared": {
            "meaning": "what somebody said of the data; not checked",
            "all": sizes(made.declared.whole),
            "files": {file.key: sizes(file.declared) for file in made.declared.files},
            "generations": [
                {"generation": name, **sizes(tally)} for name, tally in made.declared.generations.items()
            ],
        },
        "measured": {
            "meaning": "measured in the texts, by lightcollapse, whatever is declared of them",
            "level": 0.95,
            "rows": made.rows,
            "warnings": list(made.warnings),
        },
        "consistency": {"meaning": LIMITS, "findings": [asdict(finding) for finding in made.findings]},
        "recipe": made.recipe,
    }  # fmt: skip


def _file(made: Certificate, file: Certified) -> dict[str, Any]:
    parents = [_parent(parent) for parent in file.parents]
    node: dict[str, Any] = {
        "@type": "cr:FileObject",
        "@id": file.key,
        "name": file.name,
        "contentUrl": quote(file.name),
        "contentSize": f"{file.size} B",
        "encodingFormat": file.form,
        "sha256": file.sha256,
        "description": f"{sum(file.declared.documents.values())} documents, {sum(file.declared.tokens.values())} "
                       f"{made.recipe['unit']}; generation {', '.join(map(str, file.generations))}; "
                       f"declared {words(file.declared)}",
        **_source_type(file.declared),
        "prov:wasGeneratedBy": {"@type": "prov:Activity", "prov:label": _ACTIVITIES.get(file.declared.kinds,
                                                                                      "several, as declared")},
    }  # fmt: skip
    if parents:
        node["prov:wasDerivedFrom"] = parents if len(parents) > 1 else parents[0]
    return node


def _counts(made: Certificate) -> dict[str, Any]:
    """Documents and tokens of each generation as a record set that holds its records."""
    what = {
        "generation": "The generation as it is called; 0 or human is the baseline.",
        "documents": "Documents of the generation.",
        **{kind: f"Of its {made.recipe['unit']}, those of documents that are declared {kind}." for kind in KINDS},
    }
    rows: list[dict[str, Any]] = [
        {"generation": str(name), "documents": sum(tally.documents.values()), **tally.tokens}
        for name, tally in made.declared.generations.items()
    ]
    return {
        "@type": "cr:RecordSet",
        "@id": "generations",
        "name": "generations",
        "description": f"Documents of each generation, and {made.recipe['unit']} by what they are declared to be.",
        "key": {"@id": "generations/generation"},
        "field": [
            _field("generations", name, said, "sc:Text" if name == "generation" else "sc:Integer")
            for name, said in what.items()
        ],
        "data": [{f"generations/{name}": value for name, value in row.items()} for row in rows],
    }


_COLUMNS = {
    "text": "The text of a document.",
    "generation": "The generation that the record names.",
    "source": "What the record says of who wrote the text: declared, not checked.",
}


def _records(file: Certified) -> dict[str, Any]:
    """The records of a file, by the columns that documents were made from."""
    own = f"{file.key}-records"
    return {
        "@type": "cr:RecordSet",
        "@id": own,
        "name": own,
        "description": f"The records of {file.name}; what other columns it has was not read.",
        "field": [
            {**_field(own, what, _COLUMNS[what], "sc:Integer" if whole else "sc:Text"),
             "source": {"fileObject": {"@id": file.key}, "extract": {"column": column}}}
            for what, column, whole in file.columns
        ],
    }  # fmt: skip


def _field(record_set: str, name: str, said: str, kind: str) -> dict[str, Any]:
    return {"@type": "cr:Field", "@id": f"{record_set}/{name}", "name": name, "description": said, "dataType": kind}


_ACTIVITIES: dict[tuple[str, ...], str] = {
    (HUMAN,): "human writing, as declared",
    (SYNTHETIC,): "generation by a model, as declared",
    (MIXED,): "human writing and generation by a model, as declared",
    (UNKNOWN,): "not declared",
}


def _parent(parent: str) -> dict[str, Any]:
    return {"@id": parent} if parent.startswith("file-") else {"@type": "prov:Entity", "prov:label": parent}


def _source_type(tally: Tally) -> dict[str, str]:
    """The digital source type that fits what is declared; none where something is unknown."""
    kinds = tally.kinds
    if UNKNOWN in kinds or not kinds:
        return {}
    return {"digitalSourceType": _IPTC + _SOURCE_TYPES.get(kinds, _SEVERAL)}


def validate(made: Certificate) -> tuple[str, list[str], list[str]]:
    """Have mlcroissant read the certificate, offline: its version, errors, warnings.

    Raises MissingExtra where mlcroissant is not installed.
    """
    import logging
    import warnings
    from importlib.metadata import version

    from lightcollapse.text.reading import extra

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library's own dependencies
        before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            library = extra("mlcroissant", "validating a certificate", "certificate")
            held = library.Dataset(jsonld=jsonld(made)).metadata.ctx.issues
        except ImportError:
            raise
        except Exception as error:  # a validator of others: whatever it raises says that it does not accept this
            return version("mlcroissant"), [line.strip() for line in str(error).splitlines() if line.strip()], []
        finally:
            logging.disable(before)
    return version("mlcroissant"), sorted(held.errors), sorted(held.warnings)
