"""`python -m gateway` is `site-gateway`."""

from gateway.cli import main

main()
