"""Rewriting of dictated text: spoken commands, numbers in digits, replacements."""
