"""One session, with a store in Postgres, on two hosts whose processes are killed, suspended and cut off.

The hosts are processes on this machine, and the database is a server from the distribution's packages (see
`tests.postgres`).
"""
