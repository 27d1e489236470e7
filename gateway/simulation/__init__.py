"""A simulated site: stations, cars, building and cloud that speak the real protocols.

The stations, the meter and the cloud build their payloads themselves and share no codec with the
gateway, so that what they write down is evidence. They share only the reading of frames and the
official schemas.
"""
