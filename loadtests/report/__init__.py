"""The files of results/ as tables and pictures."""
