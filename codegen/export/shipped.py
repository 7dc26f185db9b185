"""Files in the distribution: QuickFIX dictionaries, a FIX Orchestra repository, and the versions of the
documents that the dialect was last compared with.
"""

from __future__ import annotations

from codegen.export import dictionary, orchestra
from codegen.model import Dialect

ORCHESTRA_FILE = "orchestra.xml"
VALIDATED_FILE = "validated.txt"


def render(dialect: Dialect) -> dict[str, str]:
    """Return the text of every file by its path: the dictionaries of each product, such as
    `PRODUCT/FIXT11.xml`, the repository, and the versions.
    """
    files = {ORCHESTRA_FILE: orchestra.render(dialect), VALIDATED_FILE: f"{dialect.validated}\n"}
    for product in dialect.products:
        for name, text in dictionary.render(dialect, product.name).items():
            files[f"{product.name}/{name}"] = text
    return files
