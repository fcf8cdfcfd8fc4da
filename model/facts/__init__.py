"""What is known of members and movies (attributes, plays, descriptions), and the tables that it is stored in."""
