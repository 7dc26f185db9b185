"""Sessions, stores and disks with one fault each. They show that every invariant can fail."""

from tests.simulation.mutants import exceeded_bounds, incoming, outcomes, outgoing, readers, stores

MUTANTS = {
    **stores.MUTANTS,
    **outgoing.MUTANTS,
    **incoming.MUTANTS,
    **outcomes.MUTANTS,
    **readers.MUTANTS,
    **exceeded_bounds.MUTANTS,
}
