"""What things are: money, instruments, events, orders, positions."""
