"""Tests mirror src; what several of them share lies here."""
