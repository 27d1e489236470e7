"""Data files, one per meter model; `gateway.meters.model` says what they hold."""
