"""Everything breaks that can, on the real program, real filesystems and a real port: nothing is lost, billed twice, or seen half-made.

    fault      a Fault: what goes wrong, what is asserted, how often; FAULTS has them all
    trial      one fault played: installations with what people brought there, and when they had recovered
    verdict    what was lost, billed twice, or wrong, by the disk and by the service's own books
    witness    who looks at the outbox all the while
    table      `make faults`: one table of all
    process, disk, state, network, service, people    the faults, one file for each kind of thing that breaks

`make faults` plays each as often as its row says; `make test` plays a few of each.
"""
