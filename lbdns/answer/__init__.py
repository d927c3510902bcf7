"""The slow path: what a datagram is answered with, complete and easy to read. START HERE, and read in this order:

1. respond.py: the road on one screen. decode -> reject early -> match -> decide if STEERED -> answer -> render
2. dns/message.py `decode`: a datagram as a `Message`, as a `Refusal`, or as nothing
3. respond.py `reject_early` and what else stands in BEFORE: errors that no zone needs to be asked about
4. match.py: what the look-up (snapshot/lookup/) found: HIT, NODATA, NXDOMAIN, REFERRAL, CNAME, DNAME, STEERED
5. steered.py: where STEERED, `decide` (steering/kernel/) asked, and its decision as records
6. answer.py: chains followed, referrals, negative answers, additional data, into an `Answer` (reply.py)
7. respond.py AFTER: what an answer has to pass before it leaves
8. render.py: an `Answer` as bytes, whole or truncated

serving_view.py is the snapshot and health that all of it reads; explain/ tells the same road step by step.
"""
