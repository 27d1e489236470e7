"""The store's schema, script by script: `NNNN_name.sql`, each run once and never changed."""
