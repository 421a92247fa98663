"""The keeper: holds what the processes of a server share, while a supervisor is killed or upgraded.

    supervisor -- `deposit` --> `keeper` -- `claim` --> the next supervisor

It is forked before anything is opened, serves nobody, and does nothing as long as a supervisor lives.
"""
