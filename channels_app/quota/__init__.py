"""How much of its windows each account has used, by what upstream said last."""
