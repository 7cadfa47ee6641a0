"""From "animal" and "mammal" down to species: SpeciesNet's decision, five stages, climbing."""
