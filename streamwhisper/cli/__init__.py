"""The ``streamwhisper`` command; one file per subcommand."""
