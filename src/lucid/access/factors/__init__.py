"""What people prove who they are with: passwords, codes, passkeys; and what slows down who guesses."""
