"""How fast it is on this machine: measurements that anyone can repeat, on traffic of our own making."""
