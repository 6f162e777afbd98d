"""Built-in cards, as TOML: a card, and a table [run] with the number of replicates and a title."""
