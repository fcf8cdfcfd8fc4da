"""What is known of members and movies, and the records that hold it."""
