"""One session on two hosts with a store in Postgres: processes that are killed, stopped and cut off.

The hosts are processes of this machine, the database a server of the distribution's packages (see
`tests.postgres`).
"""
