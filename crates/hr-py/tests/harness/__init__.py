"""What tests stand on: a clean virtual environment, a user's process in it, and a look at what is left."""
