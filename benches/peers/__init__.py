"""The same work on what people would use instead of Quorate, measured side by side.

The work: the check `2 * 2 * 2 * 2 == 16` on three workers, each a process of its own; a verdict as soon as two of them
agree, and the third ballot counted late. `python -m peers` (run by `make bench-peers`) measures one contender after the
other, on the same cores; each has a file of its own here.
"""
