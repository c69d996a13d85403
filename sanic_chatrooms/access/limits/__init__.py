"""How often somebody may do something: rates, the buckets of users and addresses, and what workers tell each other of them."""
