"""Commands that are modules of their own, and the flags that all commands share."""
