"""Facts about members and movies, and the tables and records that they are stored in."""
