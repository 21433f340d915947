"""Programs, the data they read, and how a model is put together for them."""
