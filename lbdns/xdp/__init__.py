"""Queries that come past the kernel's sockets (AF_XDP), beside those of the sockets. START HERE.

    a frame -> the filter (filter_program.py) -- UDP to an address of ours --> the queue's AF_XDP socket -> answered
                   '-- all else, and all where nobody reads the queue --> the kernel, as if nothing were there

1. `filter_program.py`: what the kernel runs for each frame; written in its instructions (bpf_assembler.py), so that no
   compiler is needed where lbdns runs, and loaded by its own calls (bpf_calls.py)
2. `attachment.py`: the filter at an interface, from when it is attached until its last descriptor is closed, by
   whatever way: the kernel detaches it then
3. `rings.pyx`: the memory that a queue's socket shares with the kernel, its frames and four rings
4. `datagram_frames.pyx`: a frame as a datagram, or what is wrong with it; and the frame of a reply
5. `frame_loop.pyx`: the rounds of a thread (fastpath/rounds.pyx) over such a queue
6. `naps.py`: when that thread naps, so that it finds more than a few frames at once

3 to 5 are Cython alone, and not there where they could not be compiled.
"""
