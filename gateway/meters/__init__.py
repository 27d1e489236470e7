"""What Modbus meters say, and whether it can be true. Pure: the bus is `adapters/meter.py`."""
