"""What is wrong with collection, in words, with what to do about it: the catalogue W01-W15 of `ui.md` 11.11 and W16, W17 of 14.

From rows, files and settings only: no server is asked.
"""

from usage.warnings.catalogue import all_warnings, banners, warnings
from usage.warnings.survey import Survey
from usage.warnings.warning import Action, Warning

__all__ = ["Action", "Survey", "Warning", "all_warnings", "banners", "warnings"]
