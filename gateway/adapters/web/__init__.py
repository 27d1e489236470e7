"""The HTTP side: REST interface, metrics and the operators' page, on one port.

Light to import: what costs time (fastapi, nicegui) is imported in a thread by `serve`.
"""

from gateway.adapters.web.desk import Desk
from gateway.adapters.web.server import serve

__all__ = ["Desk", "serve"]
