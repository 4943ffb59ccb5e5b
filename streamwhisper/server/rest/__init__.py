"""Whole recordings over plain HTTP, as the REST interfaces of others take them."""
