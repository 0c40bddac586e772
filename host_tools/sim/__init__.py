"""Simulated meters, lines and sites: everything a gateway meets in the field, on one computer."""
