"""The subcommands that have a module of their own; `streamwhisper.cli` joins them."""
