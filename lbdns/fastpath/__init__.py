"""START HERE: plain UDP queries are answered in batches, without the interpreter; all else is left to `answer`.

    receive -> guard -> read -> look up -> decide if STEERED -> write -> count -> send
                 |       |         |                              |
                 dropped '---------+------------------------------+---- what it does not know as a whole: into the ring,
                                                                        for the slow path in the same process

The road of a datagram from recvmmsg to sendmmsg, in the order in which to read it:

1. `fastpath/loop.pyx`: a batch comes in, and its replies go out
2. `fastpath/rounds.pyx`: the view in force is taken; a datagram that came cut short, or from port 0, is dropped; each
   other one is served
3. `fastpath/serve.py`: `serve` is one datagram's road; `guard` before it is read, which template after it is looked up
4. `fastpath/read.py`: the datagram as a query, or what is wrong with it
5. `snapshot/lookup/look_up.py`: its name's hashes lead to what stands at the name (`name_table.py`)
6. `fastpath/write.py`: the reply: a template, patched, or what a load balancer gives
7. `steering/kernel/decide.py`: which pool
8. `steering/kernel/endpoints.py`: which of its endpoints, with which addresses; then 6 ends it, 2 counts and 1 sends

In a signed zone who wants signatures (DO) is answered by `fastpath/signed.py` in place of 6: the same, with signatures
and proofs (`fastpath/proofs.py`), from the snapshot and from the table of what the signer has signed.

Over TCP the event loop has 3 to 8 answer the messages that it has read of a connection (`fastpath/stream_rounds.py`
stands for 1 and 2 there); a reply that is longer than a datagram may be is the slow path's.

What both roads must know of the wire stands in `dns/wire.py`, which addresses a decision answers with in 8; rendered
answers come from `template_rows.py`. Each module but the two in Cython alone runs interpreted too, and both forms write
the bytes that the slow path would.
"""
