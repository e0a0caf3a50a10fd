"""`temper drill`: each known fault planted in a small copy of a recipe's own pipeline, and which gate catches it.

The stages, the store, the mask certificate and the judge of challengers are the real ones; what is made here is only
the fault. Every fault has a process and a copy of the pipeline's results of its own.
"""
