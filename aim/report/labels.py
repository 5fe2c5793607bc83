"""Labels of what stands side by side in a table: short where that suffices, and never two alike."""

from __future__ import annotations

import collections
from collections.abc import Sequence


def make_distinct_labels(names: Sequence[str], variants: Sequence[str], folders: Sequence[str]) -> list[str]:
    """Names; those that are alike with their variant, where that tells them apart, and else with their folder."""
    labels = list(names)
    for details, form in ((variants, "{}, {}"), (folders, "{} ({})")):
        alike = collections.defaultdict(list)
        for i, label in enumerate(labels):
            alike[label].append(i)
        for places in alike.values():
            if len({details[i] for i in places}) > 1:
                for i in places:
                    labels[i] = form.format(labels[i], details[i]) if details[i] else labels[i]
    return labels
