"""What is made of what is said: spoken commands, numbers in digits, replacements."""
