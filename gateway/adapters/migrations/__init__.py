"""The store's schema, script by script: `NNNN_name.sql`, each carried out once and never changed."""
