"""Usage of long ago, in Parquet files: where they lie, what is in them, and its rows."""
