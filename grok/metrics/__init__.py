"""Pure functions over tensors: no module, trainer, logger or path."""
