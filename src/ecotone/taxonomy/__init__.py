"""Names and the tree: what a label means, and how the classes of two models relate.

    words -> tree -> vocabulary -> names -> places -> index -> links -> relations
"""
