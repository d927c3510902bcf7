"""What machines of a fleet tell each other of what they probe, and what each makes of it. No I/O and no clock: messages
are values, and time comes in.

    observation     what one vantage point believes of one address, and its octets on the bus
    hearing         which machines are known, and which of them are heard
    observer        all that one machine hears and tells: START HERE
    judging         what follows for an endpoint, whoever is silent
    docket          which endpoints are to be judged anew, and none else
    asked_regions   whose vantage points probe a pool with check regions
    sharing_out     who probes what
    order_map       operators' orders, as all machines have them
"""
