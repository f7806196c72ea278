"""What the gates of a stage are shown: gathered once, and only as far as a gate asks for it; and the gates asked."""
