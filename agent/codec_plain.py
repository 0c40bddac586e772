"""The kernel of the block codec in plain bytecode: a row of small integers <-> bytes.

Not the layout of a block (codec.py) nor what a row means (codec_rows.py). codec_viper.py is the
same text for the viper emitter: a change here is a change there, and a test compares the two. The
model and the meaning of each slot are in FORMAT.md.

One function on purpose, longer than any other file: between viper functions a call costs 0.07 us
on MicroPython unix (`make bench`), and what is guessed and what is learnt would be two for each
value that moves. Of 0.88 us that json.dumps takes a value of traffic counts the kernel takes 1.02;
a sixth more would be beyond the 1.2 times that are allowed.

Every number below fits 30 bits and a sign, so it is exact in a small int of a 32-bit port and in
a machine word: values are within 2**22, guesses and steps within 2**24, sums within 2**29.
Words of `state` that may be negative are kept with 2**29 added: viper loads words unsigned.
"""

from micropython import const

_BIAS = const(0x20000000)
_HALF = const(4096)
_LIMIT = const(0x3FFFFF)
_OFFSET = const(0x400000)
_ABSENT = const(0x1000000)
_HALFWAY = const(0x1FFFFF)

# Words of the block: the coder, and what is asked from outside a row.
_LOW = const(0)
_SPAN = const(1)
_AT = const(2)
_END = const(3)
_CODE = const(4)
_SLOT = const(5)
_ANSWER = const(6)
_BAD = const(7)
_FAR = const(8)
_MARK = const(9)
_CARRIED = const(10)
_MARK_LOW = const(11)
_MARK_SPAN = const(12)
_WATCHED = const(13)
_EVENTS = const(14)
_LEFT = const(15)
_ROOM = const(16)
_PAIRED = const(17)  # so many of the first slots have a second one
_AS_THEY_ARE = const(18)  # channels whose values are told as they are
_ALLOWED = const(19)  # bits up to here, before somebody shall look
_WIDTHS = const(20)  # bits that a row adds to that
_ROUND = const(21)  # of what an answer moves the odds by, away from 0
_WORDS = const(22)

# Words of a channel.
_X1 = const(0)
_X2 = const(1)
_C2 = const(2)
_C3 = const(3)
_LEVEL = const(4)
_TREND = const(5)
_SLOW = const(6)
_MEAN = const(7)
_SAME = const(8)
_FOUND = const(9)
_ZERO = const(10)
_CLASS = const(11)
_SIGN = const(12)
_ROWS = const(13)
_STEP = const(14)
_OLD = const(15)
_TERM = const(16)  # and two more
_SUM_Y = const(19)
_SUM_X = const(20)
_MISS = const(21)
_SCORE = const(26)  # and that of the value
_GRID = const(28)
_BITS = const(29)  # bits of its values, where they are told as they are
_FLOOR = const(30)  # the least of them
_LEAST = const(31)  # seen since the last jump
_MOST = const(32)
_CHANNEL = const(33)
_GUESSES = const(5)
_MINUS_TERM = const(0x10000)

# Slots: the block's, then those of each channel.
_SECOND = const(13)
_SHARED = const(144)
_SAME_A = const(0)
_SAME_B = const(8)
_SAME_R = const(16)
_FOUND_A = const(24)
_FOUND_B = const(28)
_FOUND_R = const(32)
_WHICH = const(36)
_GUESS_A = const(38)
_GUESS_B = const(54)
_GUESS_R = const(58)
_SIGN_A = const(66)
_SIGN_B = const(69)
_SIZE_A = const(78)
_SIZE_B = const(142)
_UPPER = const(174)
_GRID_A = const(183)
_SLOTS = const(184)

# What is done next.
_IS_SAME = const(0)
_IS_FOUND = const(1)
_IS_SECOND = const(2)
_IS_GUESS = const(3)
_IS_SIZE = const(4)
_IS_BELOW = const(5)
_IS_UPPER = const(6)
_ON_GRID = const(7)
_ASKED = const(8)
_PLAIN = const(9)
_WHOLE = const(10)
_LEARN = const(11)
_NEXT = const(12)
_FORESEE = const(13)
_CHOOSE = const(14)

_ENOUGH = const(32)  # events of the watched channel


def code(state, slots, table, work, row, data, count, mode, values, lows):
    """Code the decision asked and, when its answer is 1, a row of count channels.

    Returns the decision; 2 is added when a value went far from its base, 4 when the watch is
    over, 8 when the bytes passed the room, 32 when it is time to look at what the channels cost;
    16 alone: nothing was done, the row is no plain one.
    mode: 1 reads, 0 writes; added: 2 the row alone, no decision before it; 4 note where the coder
    stands; 8 only plain bits, count of them (0 .. 24), in and out of the word _ANSWER; 16 one of a
    tree's leaves, count decisions deep, likewise; 32 a plain row of these values: from each is
    taken what lows has for its channel, and what is left has lows[0] bits, or TypeError is raised.
    state, work, row: arrays of words; slots, table: of 16 bits (codec_odds.py); data: a bytearray.
    row has a value for each channel, _OFFSET added, or _ABSENT.
    """
    n = 1
    i = 0
    if mode & 32:
        if state[_LEFT] == 0:
            return 16
        bits = lows[0]
        while n < count:
            small = values[n - 1] - lows[n]
            if small >> bits:
                return 16
            row[n] = int(small)
            n += 1
        n = count if state[_AS_THEY_ARE] else 1
        base = _WORDS
        while n > 1:
            n -= 1
            base += _CHANNEL
            i = state[base + _BITS]
            if i:
                if (row[count - n] - _OFFSET - state[base + _FLOOR] + _BIAS) >> i:
                    return 16
        state[_LEFT] -= 1
        state[_ANSWER] = 1
    low = state[_LOW]
    span = state[_SPAN]
    at = state[_AT]
    end = state[_END]
    value = state[_CODE]
    decode = mode & 1
    hit = 8192 + state[_ROUND]
    missed = 8192 - state[_ROUND]
    if mode & 4:
        state[_MARK] = at
        state[_MARK_LOW] = low
        state[_MARK_SPAN] = span
        state[_CARRIED] = 0
    step = _ASKED
    left = plain = 0
    if mode & 2:
        step = _NEXT
    elif mode & 8:
        step = _PLAIN
        left = count
        plain = 0 if decode else state[_ANSWER]
        count = 0
    elif mode & 16:
        left = count
        count = 0
    leaf = 1
    channel = -1
    base = _WORDS - _CHANNEL
    first = _SHARED - _SLOTS
    near = side = 0
    bit = 1
    a = b = s = o = p = j = e = 0
    x = x1 = c2 = c3 = guess = hope = seen = ref = hint = last = 0
    grid = k = size = goal = rest = below = upper = node = up = 0
    while True:
        if step >= _NEXT:
            if step == _NEXT:
                channel += 1
                base += _CHANNEL
                first += _SLOTS
                if channel >= count:
                    break
                x = row[channel]
                if x == _ABSENT:
                    continue
                x -= _OFFSET
                x1 = state[base + _X1] - _BIAS
                ref = state[base + _TERM]
                step = _FORESEE if ref else _IS_SAME
                left = state[base + _BITS]
                if left:
                    step = _PLAIN
                    plain = 0 if decode else x - (state[base + _FLOOR] - _BIAS)
            if step == _FORESEE:
                # --- what might come: each guess, and the one that missed least of late
                j = state[base + _X2] - _BIAS
                c2 = state[base + _C2] - _BIAS
                c3 = state[base + _C3] - _BIAS
                work[0] = x1 + _BIAS
                work[1] = x1 + x1 - j + _BIAS
                hope = state[base + _LEVEL] - _BIAS + (state[base + _TREND] - _BIAS)
                if hope > 0xFFFFFFF:
                    hope = 0xFFFFFFF
                elif hope < -0xFFFFFFF:
                    hope = -0xFFFFFFF
                work[2] = ((hope + 32) >> 6) + _BIAS
                work[3] = ((state[base + _SLOW] - _BIAS + 32) >> 6) + _BIAS
                seen = 0
                n = _GUESSES - 1
                if ref:
                    n = _GUESSES
                    seen = state[ref] - _BIAS
                    j = 1
                    while j < 3:
                        e = state[base + _TERM + j]
                        if e >= _MINUS_TERM:
                            seen -= state[e - _MINUS_TERM] - _BIAS
                        elif e:
                            seen += state[e] - _BIAS
                        j += 1
                    if seen > _LIMIT:
                        seen = _LIMIT
                    elif seen < -_LIMIT:
                        seen = -_LIMIT
                    e = 0
                    p = state[base + _SUM_Y] - _BIAS
                    a = state[base + _SUM_X]
                    if seen != 0 and p != 0 and a != 0:
                        # seen * p / a: p, a and |seen| are brought to 24 to 27, 13 and 13 bits.
                        below = 0
                        if p < 0:
                            p = -p
                            below = 1
                        e = seen
                        if e < 0:
                            e = -e
                            below ^= 1
                        j = 0
                        while p < 0x800000:
                            p <<= 4
                            j += 4
                        while a >= 0x2000:
                            a >>= 1
                            j += 1
                        while a < 0x1000:
                            a <<= 1
                            j -= 1
                        while e >= 0x2000:
                            e >>= 1
                            j -= 1
                        e = (p // a) * e
                        if j > 29:
                            e = 0
                        elif j > 0:
                            e = ((e >> (j - 1)) + 1) >> 1
                        elif j < -5 or e > 0x7FFFFF:
                            e = _LIMIT
                        else:
                            e <<= -j
                        if below:
                            e = -e
                    work[4] = x1 + e + _BIAS
                last = 0
                j = base + _MISS
                e = state[j]
                i = 1
                while i < n:
                    p = state[j + i]
                    if p < e:
                        e = p
                        last = i
                    i += 1
                guess = work[last] - _BIAS
                if guess > _LIMIT:
                    guess = _LIMIT
                elif guess < -_LIMIT:
                    guess = -_LIMIT
                grid = state[base + _GRID]
                if grid > 1:
                    guess = x1 + (guess - x1 + (grid >> 1)) // grid * grid
                    if guess > _LIMIT:
                        guess -= grid
                    elif guess < -_LIMIT:
                        guess += grid
                step = _CHOOSE if grid < 2 else _ON_GRID
                if ref:
                    step = _IS_SAME
                    hint = guess - x1
                    if hint < 0:
                        hint = -hint
                    if hint > 1:
                        hint = 2 if hint < 4 else 3
            if step == _CHOOSE:
                grid = state[base + _GRID]
                k = 0
                n = state[base + _MEAN] >> 4
                while n:
                    k += 1
                    n >>= 1
                size = k
                node = 0
                if not decode:
                    rest = x - guess
                    below = 0
                    if rest < 0:
                        rest = -rest
                        below = 1
                    if grid > 1:
                        rest = rest // grid
                    rest -= 1
                    goal = 0
                    if rest > 0:
                        n = rest
                        while n:
                            goal += 1
                            n >>= 1
                if c2 != x1:
                    step = _IS_FOUND
                else:
                    step = _IS_GUESS if guess != x1 else _IS_SIZE
        # --- the slots of the next decision and, when writing, its answer
        b = -1
        if step == _IS_SAME:
            n = state[base + _SAME]
            a = first + _SAME_A + n
            n &= 1
            b = first + (_SAME_R + hint * 2 + n if ref else _SAME_B + near * 2 + n)
            bit = 1 if x == x1 else 0
        elif step == _IS_SIZE:
            n = state[base + _CLASS] * 2
            if k < 3:
                n += 1
            a = first + _SIZE_A + n * 8 + node
            b = first + _SIZE_B + near * 8 + node
            if node > 3:
                bit = 1 if goal < size else 0
            else:
                bit = 1 if goal > size else 0
        elif step == _IS_BELOW:
            a = first + _SIGN_A + state[base + _SIGN]
            b = first + _SIGN_B + side * 3
            if guess > x1:
                b += 2
            elif guess < x1:
                b += 1
            bit = below
        elif step == _IS_UPPER:
            n = 0
            if size > 3:
                n = 1 if size < 7 else 2
            if size >= k:
                n += 3 if size == k else 6
            a = first + _UPPER + n
            bit = (rest >> (size - 2)) & 1
        elif step == _IS_FOUND:
            n = state[base + _FOUND]
            a = first + _FOUND_A + n
            b = first + (_FOUND_R + hint if ref else _FOUND_B + near)
            bit = 1 if x == c2 or x == c3 else 0
        elif step == _IS_GUESS:
            a = first + _GUESS_A + state[base + _ZERO] * 4 + (k if k < 3 else 3)
            b = first + _GUESS_B + near
            if ref:
                b = first + _GUESS_R + hint * 2 + (1 if last == 4 else 0)
            bit = 1 if x == guess else 0
        elif step == _IS_SECOND:
            a = first + _WHICH + (state[base + _FOUND] & 1)
            bit = 1 if x == c2 else 0
        elif step == _ASKED:
            a = state[_SLOT]
            if a < state[_PAIRED]:
                b = a + _SECOND
            bit = state[_ANSWER]
            if left:
                left -= 1
                a += leaf
                bit = (bit >> left) & 1
        elif step == _ON_GRID:
            a = first + _GRID_A
            bit = 1 if (x - x1) % grid == 0 else 0
        # --- the coder: one decision, or at most 8 plain bits
        if step == _PLAIN:
            n = left if left < 8 else 8
            left -= n
            span >>= n
            if decode:
                j = value // span
                if j >> n:
                    j = (1 << n) - 1
                value -= span * j
                if value >= span:  # no writer's
                    value = span - 1
                plain = (plain << n) | j
            else:
                low += span * ((plain >> left) & ((1 << n) - 1))
        else:
            i = slots[a]
            s = i >> 3
            o = _HALF  # even odds
            if b >= 0:
                j = slots[b]
                o = j >> 3
            p = table[(s + o) >> 5]
            n = ((span >> 8) * p) >> 6
            if decode:
                bit = 1 if value < n else 0
            if bit:
                span = n
                e = 16384 - p
                up = hit
            else:
                span -= n
                e = -p
                up = missed
                if decode:
                    value -= n
                else:
                    low += n
            n = i & 7
            s += (e * table[512 + n] + up) >> 14
            if s < 0:
                s = 0
            elif s > 8191:
                s = 8191
            slots[a] = (s << 3) | (n if n > 6 else n + 1)
            if b >= 0:
                n = j & 7
                o += (e * table[520 + n] + up) >> 14
                if o < 0:
                    o = 0
                elif o > 8191:
                    o = 8191
                slots[b] = (o << 3) | (n if n > 6 else n + 1)
        while span < 0x10000:
            span <<= 8
            if decode:
                value <<= 8
                if at < end:
                    value |= data[at]
            else:
                if low > 0xFFFFFF:
                    low -= 0x1000000
                    j = (at if at < end else end) - 1
                    while data[j] == 255:
                        data[j] = 0
                        j -= 1
                    data[j] += 1
                    if j < state[_MARK]:
                        state[_CARRIED] = 1
                if at < end:
                    data[at] = low >> 16
                low = (low & 0xFFFF) << 8
            at += 1
        # --- what follows from the answer
        if step == _IS_SAME:
            n = (state[base + _SAME] << 1) & 7
            if bit:
                # It stays: nothing more is told, and little is learnt.
                state[base + _SAME] = n | 1
                state[base + _STEP] = _BIAS
                near = side = 0
                step = _NEXT
            else:
                state[base + _SAME] = n
                step = _FORESEE
                if ref:
                    step = _CHOOSE if grid < 2 else _ON_GRID
            continue
        if step == _IS_SIZE:
            if node == 0:
                node = 4
                if bit:
                    size += 1
                    node = 1
                elif k == 0:
                    step = _IS_BELOW
            elif bit:
                if node > 3:
                    size -= 1
                    if size == 0:
                        step = _IS_BELOW
                else:
                    size += 1
                if node != 3 and node != 7:
                    node += 1
            else:
                step = _IS_BELOW
            if node < 4 and size > 22:
                step = _IS_BELOW
        elif step == _IS_BELOW:
            below = bit
            step = _IS_UPPER if size > 1 else _WHOLE
        elif step == _IS_UPPER:
            upper = bit
            left = size - 2
            plain = 0 if decode else rest
            step = _PLAIN if left else _WHOLE
        elif step == _PLAIN:
            if left == 0:
                step = _WHOLE
                if mode & 8:
                    state[_ANSWER] = plain
                    break
                if state[base + _BITS]:
                    # A value as it is: little is learnt.
                    step = _NEXT
                    near = side = 0
                    x = state[base + _FLOOR] - _BIAS + plain
                    if x > _LIMIT or x < -_OFFSET:
                        state[_BAD] = 1
                        break
                    if x > _HALFWAY or x < -_HALFWAY:
                        state[_FAR] |= 2
                    if x > state[base + _MOST] - _BIAS:
                        state[base + _MOST] = x + _BIAS
                    if x < state[base + _LEAST] - _BIAS:
                        state[base + _LEAST] = x + _BIAS
                    e = x - x1
                    state[base + _OLD] = state[base + _STEP]
                    state[base + _STEP] = e + _BIAS
                    state[base + _X1] = x + _BIAS
                    if e < 0:
                        e = -e
                    j = state[base + _MEAN]
                    j += ((e << 4) - j + 8) >> 4
                    state[base + _MEAN] = j
                    if j >> state[base + _BITS] == 0:  # they have calmed down
                        state[_FAR] |= 32
        elif step == _IS_GUESS:
            if bit:
                x = guess
            step = _LEARN if bit else _IS_SIZE
        elif step == _IS_FOUND:
            if bit:
                step = _IS_SECOND
                if c3 == c2 or c3 == x1:
                    x = c2
                    step = _LEARN
            elif guess == x1 or guess == c2 or guess == c3:
                step = _IS_SIZE
            else:
                step = _IS_GUESS
        elif step == _IS_SECOND:
            x = c2 if bit else c3
            step = _LEARN
        elif step == _ON_GRID:
            if not bit:
                state[base + _GRID] = 1
            step = _CHOOSE
            continue
        elif step == _ASKED:
            if mode & 16:
                leaf = (leaf << 1) | bit
                if left:
                    continue
                state[_ANSWER] = leaf
                break
            state[_ANSWER] = bit
            if not bit:
                break
            step = _NEXT
        if step == _WHOLE:
            step = _LEARN
            if decode:
                n = 1 if size else 0
                if size > 1:
                    n = (1 << (size - 1)) + (upper << (size - 2)) + plain
                n += 1
                if grid > 1:
                    n *= grid
                x = guess - n if below else guess + n
                if x > _LIMIT or x < -_OFFSET:
                    state[_BAD] = 1
                    break
        # --- what the value teaches
        if step == _LEARN:
            step = _NEXT
            if x > _HALFWAY or x < -_HALFWAY:
                state[_FAR] |= 2
            if x > state[base + _MOST] - _BIAS:
                state[base + _MOST] = x + _BIAS
            if x < state[base + _LEAST] - _BIAS:
                state[base + _LEAST] = x + _BIAS
            i = 0
            j = base + _MISS
            n = j + (_GUESSES if ref else _GUESSES - 1)
            while j < n:
                e = x - (work[i] - _BIAS)
                if e < 0:
                    e = -e
                if e > 0x40000:
                    e = 0x40000
                p = state[j]
                state[j] = p + (e << 4) - (p >> 5)
                i += 1
                j += 1
            # How far the guess was off, and on which side.
            e = x - guess
            side = 1 if e > 0 else 0
            if e < 0:
                e = -e
                side = 2
            if grid > 1:
                e = e // grid
            state[base + _SIGN] = side
            if channel == 0:
                side = 0
            state[base + _ZERO] = ((state[base + _ZERO] << 1) & 3) | (1 if e == 0 else 0)
            j = 3
            if e == 0:
                j = 0
            elif e <= 1 << k:
                j = 1
            elif e <= 3 << k:
                j = 2
            state[base + _CLASS] = j
            near = j if j else 1
            j = state[base + _MEAN]
            n = state[base + _ROWS]
            state[base + _MEAN] = j + (((e << 4) - j) >> (4 if n > 12 else 2))
            # The last values: how they went, and three that may come again.
            j = 1 if x == c2 or x == c3 else 0
            state[base + _FOUND] = ((state[base + _FOUND] << 1) & 3) | j
            if x != c2:
                state[base + _C3] = c2 + _BIAS
            state[base + _C2] = x1 + _BIAS
            state[base + _X2] = x1 + _BIAS
            state[base + _X1] = x + _BIAS
            # Level and trend (Holt), a slow mean, in 64ths.
            e = (x << 6) - hope
            state[base + _LEVEL] = hope + (e >> 1) + _BIAS
            state[base + _TREND] += (e + 8) >> 4
            j = state[base + _SLOW]
            state[base + _SLOW] = j + (((x << 6) + _BIAS - j) >> (4 if n > 8 else 2))
            if n < 255:
                state[base + _ROWS] = n + 1
            # The step, and its ratio to what it may follow.
            e = x - x1
            j = state[base + _STEP]
            state[base + _OLD] = j
            state[base + _STEP] = e + _BIAS
            if channel == state[_WATCHED]:
                # Whether the others turned as this one did: what it may follow in the next block.
                j = e + _BIAS - j
                if j:
                    n = _WORDS
                    while n < base:
                        s = state[n + _STEP] - state[n + _OLD]
                        p = state[n + _STEP] - _BIAS
                        if j < 0:
                            s = -s
                            p = -p
                        if s:
                            state[n + _SCORE] += 1 if s > 0 else -1
                        if p:
                            state[n + _SCORE + 1] += 1 if p > 0 else -1
                        n += _CHANNEL
                    state[_EVENTS] += 1
                    if state[_EVENTS] == _ENOUGH:
                        state[_FAR] |= 4
            if ref:
                if e > _LIMIT:
                    e = _LIMIT
                elif e < -_LIMIT:
                    e = -_LIMIT
                if seen < 0:
                    seen = -seen
                    e = -e
                if seen > 0:
                    j = state[base + _SUM_Y] - _BIAS
                    state[base + _SUM_Y] = j + e - (j >> 5) + _BIAS
                    state[base + _SUM_X] += seen - (state[base + _SUM_X] >> 5)
    if mode & 32:
        state[_SLOT] = 1
        if at > state[_ROOM]:
            state[_FAR] |= 8
        n = state[_ALLOWED] + state[_WIDTHS]
        state[_ALLOWED] = n
        if (at << 3) > n:
            state[_FAR] |= 32
    state[_LOW] = low
    state[_SPAN] = span
    state[_AT] = at
    state[_CODE] = value
    return state[_ANSWER] + state[_FAR]
