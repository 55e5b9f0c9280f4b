"""Every sentence that operators read, in French, by its English words; `tests/test_language.py` holds that none is missing."""

FRENCH: dict[str, str] = {
    # the workbook
    "To fix": "À corriger",
    "Row": "Ligne",
    "Outcome": "Résultat",
    "Field": "Champ",
    "What to do": "Que faire",
    "What the cell holds": "Contenu de la cellule",
    "No row needs attention.": "Aucune ligne ne demande votre attention.",
    "Rows to correct: {found}. Correct the red cells, save, and run this workbook again.": (
        "Lignes à corriger : {found}. Corrigez les cellules rouges, enregistrez et relancez ce classeur."
    ),
    "This workbook has the first {found} rows that need attention: {more} more stand in the CSV report.": (
        "Ce classeur contient les {found} premières lignes à vérifier : {more} autres figurent dans le rapport CSV."
    ),
    "This workbook has the rows that need attention alone, {found} in all: the others stand in the CSV report.": (
        "Ce classeur ne contient que les lignes à vérifier, {found} en tout : les autres figurent dans le rapport CSV."
    ),
    "The columns that are not sent are too many for a workbook of contacts: they stand in the CSV report.": (
        "Les colonnes qui ne sont pas envoyées sont trop nombreuses pour un classeur : elles figurent dans le rapport CSV."
    ),
    "[cut here: a cell holds 32,767 characters, the rest stands in the source]": (
        "[coupé ici : une cellule contient 32 767 caractères, la suite est dans le fichier d'origine]"
    ),
    "{name} holds what would be lost in a copy ({parts}), so a new workbook was written instead.": (
        "{name} contient des éléments qu'une copie perdrait ({parts}) : un nouveau classeur a été écrit à la place."
    ),
    "{name} could not be copied with all that is in it, so a new workbook was written instead.": (
        "{name} n'a pas pu être copié avec tout son contenu : un nouveau classeur a été écrit à la place."
    ),
    "too many cells": "trop de cellules",
}
