"""What HTTP means, whoever carries it (RFC 9110): dates, validators and preconditions, ranges. Pure, `now` is given."""
