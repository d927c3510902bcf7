"""The store: where configuration lives when it is changed by API and command line rather than by files.

item     one object as the API says it, with its id
state    all objects at one revision, immutable
edit     a transaction being put together over a state
sqlite   revisions on disk
build    state -> checked Configuration, by the checks that files go through
files    files -> store, as a difference       export   store -> files
diff     what changed, as JSON by name        restore  an earlier revision -> store
manager  START HERE: check -> compile -> canaries -> commit -> publish
"""
