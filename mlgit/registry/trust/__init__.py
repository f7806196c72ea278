"""Whose model it is: signatures as OpenSSF Model Signing has them, and whose count."""
