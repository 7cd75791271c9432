"""Sites that are edited at random: what `hr run` keeps up to date must answer what a cold start answers."""
