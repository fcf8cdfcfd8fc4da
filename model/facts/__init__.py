"""Facts about members and movies, and the tables and records that hold them."""
