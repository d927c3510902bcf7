# cython: language_level=3
"""Passes over binary trees of addresses, each record looked at once or twice: the compiled form of what tries.py does
with whole columns, in a tenth of its time; the results are equal.

Trees are checked before: a record is a node of the tree, or ~value of a value that is known. Nodes of a tree in levels
stand behind those below them.
"""

import numpy as np

from lbdns.steering.kernel.numbers cimport *


def in_levels(const int[:, ::1] nodes, int root_v4, int root_v6, int depth_max):
    """Return the reachable nodes in levels, the deepest first, roots, and where levels begin and end."""
    cdef Py_ssize_t count = nodes.shape[0], index, level, left, kept, node
    cdef int side, child
    depths = np.full(count, -1, np.int16)
    ahead = np.empty(count, np.int32)
    behind = np.empty(count, np.int32)
    cdef short[::1] depth = depths
    cdef int[::1] now = ahead, later = behind, swapped
    cdef int root
    for root in (root_v6, root_v4):
        if root < 0 or depth[root] >= 0:  # the IPv4 tree usually hangs in the IPv6 one and has its depths from there
            continue
        depth[root] = 0
        now[0] = root
        left = 1
        level = 0
        with nogil:
            while left and level < depth_max:
                level += 1
                kept = 0
                for index in range(left):
                    for side in range(2):
                        child = nodes[now[index], side]
                        if child >= 0 and depth[child] < level:  # a shared subtree ends on its deepest level
                            depth[child] = <short>level
                            later[kept] = child
                            kept += 1
                swapped = now
                now = later
                later = swapped
                left = kept
    sizes = np.flip(np.bincount(depths[depths >= 0])) if count else np.zeros(0, np.int64)
    cdef Py_ssize_t reached = sizes.sum(), deepest = len(sizes) - 1
    bounds = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=bounds[1:])
    starts = bounds[: len(sizes)].copy()
    cdef long long[::1] place = starts
    numbers = np.empty(count, np.int32)
    cdef int[::1] number = numbers
    result = np.empty((reached, 2), np.int32)
    cdef int[:, ::1] found = result
    with nogil:
        for node in range(count):
            if depth[node] >= 0:
                number[node] = <int>place[deepest - depth[node]]
                place[deepest - depth[node]] += 1
        for node in range(count):
            if depth[node] >= 0:
                for side in range(2):
                    child = nodes[node, side]
                    found[number[node], side] = number[child] if child >= 0 else child
    roots = [int(numbers[root]) if root >= 0 else root for root in (root_v4, root_v6)]
    return result, roots[0], roots[1], bounds


def reduce_tree(const int[:, ::1] nodes, int root_v4, int root_v6, const long long[::1] bounds, const int[::1] classes):
    """Return a tree in levels with every value replaced by its class and equal siblings merged: nodes, roots, and where
    levels begin and end."""
    cdef Py_ssize_t count = nodes.shape[0], node, level = 0
    cdef int side, child, kept = 0
    cdef int pair[2]
    records = np.empty(count, np.int32)
    room = np.empty((count, 2), np.int32)
    ends = np.empty(len(bounds), np.int64)
    cdef int[::1] record = records
    cdef int[:, ::1] found = room
    cdef long long[::1] end = ends
    with nogil:
        for node in range(count):
            while level < bounds.shape[0] and bounds[level] <= node:
                end[level] = kept
                level += 1
            for side in range(2):
                child = nodes[node, side]
                pair[side] = record[child] if child >= 0 else ~classes[~child]
            if pair[0] == pair[1] and pair[0] < 0:
                record[node] = pair[0]
            else:
                record[node] = kept
                found[kept, 0] = pair[0]
                found[kept, 1] = pair[1]
                kept += 1
        while level < bounds.shape[0]:
            end[level] = kept
            level += 1
    roots = [int(record[root]) if root >= 0 else ~classes[~root] for root in (root_v4, root_v6)]
    return room[:kept].copy(), roots[0], roots[1], ends


def widen(const int[:, ::1] nodes, int root_v4, int root_v6, unsigned int first):
    """Return a tree's roots and nodes as a trie's, numbered from `first` on."""
    cdef Py_ssize_t count = nodes.shape[0], index, begin, end, fresh, kept, place
    cdef int way
    cdef unsigned int reached
    numbers = np.full(count, -1, np.int32)
    order = np.empty(count, np.int32)
    cdef int[::1] number = numbers, frontier = order
    roots = sorted({root for root in (root_v4, root_v6) if root >= 0})
    end = len(roots)
    order[:end] = roots
    begin = 0
    more = np.empty(TRIE_WIDTH * (end or 1), np.int32)
    cdef int[::1] ahead = more
    while begin < end:
        if ahead.shape[0] < TRIE_WIDTH * (end - begin):
            more = np.empty(TRIE_WIDTH * (end - begin), np.int32)
            ahead = more
        with nogil:
            for index in range(begin, end):
                number[frontier[index]] = <int>index
            fresh = 0
            for index in range(begin, end):
                for way in range(TRIE_WIDTH):
                    reached = step(nodes, frontier[index], way)
                    if reached < TRIE_LEAF and number[reached] < 0:
                        ahead[fresh] = <int>reached
                        fresh += 1
            for place in range(fresh):
                number[ahead[place]] = <int>place
            kept = end
            for place in range(fresh):
                if number[ahead[place]] == place:  # each once: of equal ones the last stands
                    frontier[kept] = ahead[place]
                    kept += 1
            begin = end
            end = kept
    result = np.empty(TRIE_WIDTH * end, np.uint32)
    cdef unsigned int[::1] records = result
    with nogil:
        for index in range(end):
            for way in range(TRIE_WIDTH):
                reached = step(nodes, frontier[index], way)
                if reached < TRIE_LEAF:
                    reached = first + <unsigned int>number[reached]
                records[TRIE_WIDTH * index + way] = reached
    tops = [TRIE_LEAF | ~root if root < 0 else first + int(numbers[root]) for root in (root_v4, root_v6)]
    return np.array(tops, np.uint32), result


cdef inline unsigned int step(const int[:, ::1] nodes, int node, int way) noexcept nogil:
    """Return the node that four bits lead to, or the leaf that some of them do, with how many were not read."""
    cdef int unread = TRIE_STRIDE
    while unread:
        unread -= 1
        node = nodes[node, (way >> unread) & 1]
        if node < 0:
            return TRIE_LEAF | <unsigned int>unread << UNUSED_SHIFT | <unsigned int>~node
    return <unsigned int>node
