"""One session on two hosts with a store in Postgres, whose processes are killed, suspended and cut off.

The hosts are processes of this machine, the database a server of the distribution's packages (see
`tests.postgres`).
"""
