"""The store: where configuration lives when it is changed by API and command line rather than by files.

item     one object as the API says it, with its id
state    all objects at one revision, immutable
edit     a transaction being put together over a state
sqlite   revisions on disk
build    state -> checked Configuration, by the checks that files go through
manager  START HERE: check -> compile -> canaries -> commit -> publish
"""
