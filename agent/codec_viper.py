"""The kernel of the block codec for the viper emitter: codec_plain.py, word by word.

Only the decorator and the types are its own (a test compares the rest). Where there is no viper
emitter, and on CPython, importing this fails and codec_rows.py takes codec_plain.py.
"""

import micropython
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
_WORDS = const(13)

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
_REF = const(15)
_SUM_Y = const(16)
_SUM_X = const(17)
_MISS = const(18)
_CHANNEL = const(23)
_GUESSES = const(5)

# Slots: the block's, then those of each channel.
_SHARED = const(144)
_SAME_A = const(0)
_SAME_B = const(8)
_FOUND_A = const(16)
_WHICH = const(20)
_ZERO_A = const(22)
_ZERO_B = const(38)
_SIGN_A = const(42)
_SIGN_B = const(45)
_UNARY_A = const(48)
_UNARY_B = const(80)
_TOP = const(112)
_SLOTS = const(120)

# What is decided next.
_IS_SAME = const(0)
_IS_FOUND = const(1)
_IS_SECOND = const(2)
_IS_GUESS = const(3)
_IS_MORE = const(4)
_IS_BELOW = const(5)
_IS_UPPER = const(6)
_ASKED = const(7)
_PLAIN = const(8)
_WHOLE = const(9)
_NEXT = const(10)
_LEARN = const(11)


@micropython.viper
def code(
    state: ptr32,  # noqa: F821
    slots: ptr16,  # noqa: F821
    table: ptr16,  # noqa: F821
    work: ptr32,  # noqa: F821
    row: ptr32,  # noqa: F821
    data: ptr8,  # noqa: F821
    count: int,
    mode: int,
) -> int:
    """Code the decision asked and, when its answer is 1, a row of count channels.

    Returns the decision, 2 added when a value went far from its base. mode: 1 reads, 0 writes;
    2 added: the row alone, no decision before it; 4 added: note where the coder stands.
    state, work, row: arrays of words; slots, table: of 16 bits (codec_odds.py); data: a bytearray.
    row has a value for each channel, _OFFSET added, or _ABSENT, and gets those read.
    """
    low = state[_LOW]
    span = state[_SPAN]
    at = state[_AT]
    end = state[_END]
    value = state[_CODE]
    decode = mode & 1
    if mode & 4:
        state[_MARK] = at
        state[_MARK_LOW] = low
        state[_MARK_SPAN] = span
        state[_CARRIED] = 0
    step = _NEXT if mode & 2 else _ASKED
    channel = -1
    base = _WORDS - _CHANNEL
    first = _SHARED - _SLOTS
    near = near_sign = 0
    bit = 1
    a = b = s = p = j = e = n = 0
    x = x1 = x2 = c2 = c3 = guess = hope = seen = ref = 0
    k = i = goal = rest = below = upper = left = plain = 0
    while True:
        if step == _NEXT:
            channel += 1
            base += _CHANNEL
            first += _SLOTS
            if channel >= count:
                break
            if row[channel] == _ABSENT:
                continue
            x1 = state[base + _X1] - _BIAS
            x2 = state[base + _X2] - _BIAS
            c2 = state[base + _C2] - _BIAS
            c3 = state[base + _C3] - _BIAS
            # --- what might come: each guess, and the one that missed least of late
            work[0] = x1 + _BIAS
            work[1] = x1 + x1 - x2 + _BIAS
            hope = state[base + _LEVEL] - _BIAS + (state[base + _TREND] - _BIAS)
            if hope > 0xFFFFFFF:
                hope = 0xFFFFFFF
            elif hope < -0xFFFFFFF:
                hope = -0xFFFFFFF
            work[2] = ((hope + 32) >> 6) + _BIAS
            work[3] = ((state[base + _SLOW] - _BIAS + 32) >> 6) + _BIAS
            ref = state[base + _REF]
            seen = 0
            n = _GUESSES - 1
            if ref:
                n = _GUESSES
                j = _WORDS + (ref >> 1) * _CHANNEL
                seen = (state[j + _X1] if ref & 1 else state[j + _STEP]) - _BIAS
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
            guess = work[0] - _BIAS
            e = state[base + _MISS]
            i = 1
            while i < n:
                j = state[base + _MISS + i]
                if j < e:
                    e = j
                    guess = work[i] - _BIAS
                i += 1
            if guess > _LIMIT:
                guess = _LIMIT
            elif guess < -_LIMIT:
                guess = -_LIMIT
            k = 0
            n = state[base + _MEAN] >> 4
            while n:
                k += 1
                n >>= 1
            i = goal = rest = left = plain = upper = 0
            if not decode:
                # The distance as a count of 2**k, k bits more, and what a count beyond 11 needs.
                x = row[channel] - _OFFSET
                rest = x - guess
                below = 0
                if rest < 0:
                    rest = -rest
                    below = 1
                rest -= 1
                goal = rest >> k
                if k:
                    plain = rest & ((1 << (k - 1)) - 1)
                if goal > 11:
                    n = goal - 11
                    e = 0
                    while n > 1:
                        e += 1
                        n >>= 1
                    n = goal - 11 - (1 << e)
                    plain |= n << (k - 1 if k else 0)
                    goal = 12 + e
            step = _IS_SAME
        # --- the slots of the next decision and, when writing, its answer
        b = -1
        if step == _IS_SAME:
            n = state[base + _SAME]
            a = first + _SAME_A + n
            b = first + _SAME_B + near * 2 + (n & 1)
            bit = 1 if x == x1 else 0
        elif step == _IS_MORE:
            j = i if i < 7 else 7
            a = first + _UNARY_A + state[base + _CLASS] * 8 + j
            b = first + _UNARY_B + near * 8 + j
            bit = 1 if goal > i else 0
        elif step == _IS_BELOW:
            a = first + _SIGN_A + state[base + _SIGN]
            b = first + _SIGN_B + near_sign
            bit = below
        elif step == _IS_UPPER:
            a = first + _TOP + (k if k < 4 else 3) * 2 + (1 if i else 0)
            bit = (rest >> (k - 1)) & 1
        elif step == _IS_GUESS:
            a = first + _ZERO_A + state[base + _ZERO] * 4 + (k if k < 3 else 3)
            b = first + _ZERO_B + near
            bit = 1 if x == guess else 0
        elif step == _IS_FOUND:
            a = first + _FOUND_A + state[base + _FOUND]
            bit = 1 if x == c2 or x == c3 else 0
        elif step == _IS_SECOND:
            a = first + _WHICH + (state[base + _FOUND] & 1)
            bit = 1 if x == c2 else 0
        elif step == _ASKED:
            a = state[_SLOT]
            bit = state[_ANSWER]
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
                plain = (plain << n) | j
            else:
                low += span * ((plain >> left) & ((1 << n) - 1))
        else:
            s = (slots[a] >> 3) - _HALF
            if b >= 0:
                s += (slots[b] >> 3) - _HALF
            s = (s >> 5) + 256
            if s < 0:
                s = 0
            elif s > 511:
                s = 511
            p = table[s]
            n = ((span >> 8) * p) >> 6
            if decode:
                bit = 1 if value < n else 0
            if bit:
                span = n
                e = 16384 - p
            else:
                span -= n
                e = -p
                if decode:
                    value -= n
                else:
                    low += n
            j = slots[a] & 7
            s = (slots[a] >> 3) + ((e * table[512 + j] + 8192) >> 14)
            if s < 0:
                s = 0
            elif s > 8191:
                s = 8191
            slots[a] = (s << 3) | (j if j > 6 else j + 1)
            if b >= 0:
                j = slots[b] & 7
                s = (slots[b] >> 3) + ((e * table[520 + j] + 8192) >> 14)
                if s < 0:
                    s = 0
                elif s > 8191:
                    s = 8191
                slots[b] = (s << 3) | (j if j > 6 else j + 1)
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
            if bit:
                x = x1
                step = _LEARN
            elif c2 != x1:
                step = _IS_FOUND
            else:
                step = _IS_GUESS if guess != x1 else _IS_MORE
        elif step == _IS_MORE:
            if bit:
                i += 1
            if not bit or i > 36:
                left = k - 1 if k else 0
                if i > 12:
                    left += i - 12
                if left > 24:
                    state[_BAD] = 1
                    break
                step = _IS_BELOW
        elif step == _IS_BELOW:
            below = bit
            step = _PLAIN if left else _WHOLE
            if k:
                step = _IS_UPPER
        elif step == _IS_UPPER:
            upper = bit
            step = _PLAIN if left else _WHOLE
        elif step == _PLAIN:
            if left == 0:
                step = _WHOLE
        elif step == _IS_GUESS:
            if bit:
                x = guess
            step = _LEARN if bit else _IS_MORE
        elif step == _IS_FOUND:
            if bit:
                step = _IS_SECOND
                if c3 == c2 or c3 == x1:
                    x = c2
                    step = _LEARN
            elif guess == x1 or guess == c2 or guess == c3:
                step = _IS_MORE
            else:
                step = _IS_GUESS
        elif step == _IS_SECOND:
            x = c2 if bit else c3
            step = _LEARN
        elif step == _ASKED:
            state[_ANSWER] = bit
            if not bit:
                break
            step = _NEXT
        if step == _WHOLE:
            step = _LEARN
            if decode:
                j = k - 1 if k else 0
                n = i
                if i > 11:
                    n = 11 + (1 << (i - 12)) + (plain >> j)
                n = (n << k) + (upper << j) + (plain & ((1 << j) - 1)) + 1
                x = guess - n if below else guess + n
                if x > _LIMIT or x < -_OFFSET:
                    state[_BAD] = 1
                    break
        # --- what the value teaches
        if step == _LEARN:
            step = _NEXT
            row[channel] = x + _OFFSET
            if x > _HALFWAY or x < -_HALFWAY:
                state[_FAR] = 2
            i = 0
            n = _GUESSES if ref else _GUESSES - 1
            while i < n:
                e = x - (work[i] - _BIAS)
                if e < 0:
                    e = -e
                if e > 0x40000:
                    e = 0x40000
                j = base + _MISS + i
                state[j] += (e << 4) - (state[j] >> 4)
                i += 1
            # How far the guess was off, and on which side.
            e = x - guess
            near_sign = 1 if e > 0 else 0
            if e < 0:
                e = -e
                near_sign = 2
            state[base + _SIGN] = near_sign
            if channel == 0:
                near_sign = 0
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
            if e > 0x1000000:
                e = 0x1000000
            j = state[base + _MEAN]
            n = state[base + _ROWS]
            state[base + _MEAN] = j + (((e << 4) - j) >> (3 if n > 6 else 2))
            # The last values: how they went, and three that may come again.
            if x == x1:
                near = 0
                state[base + _SAME] = ((state[base + _SAME] << 1) & 7) | 1
            else:
                state[base + _SAME] = (state[base + _SAME] << 1) & 7
                j = 1 if x == c2 or x == c3 else 0
                state[base + _FOUND] = ((state[base + _FOUND] << 1) & 3) | j
                if x != c2:
                    state[base + _C3] = c2 + _BIAS
                state[base + _C2] = x1 + _BIAS
            state[base + _X2] = x1 + _BIAS
            state[base + _X1] = x + _BIAS
            # Level and trend (Holt), a slow mean, in 64ths.
            e = (x << 6) - hope
            state[base + _LEVEL] = hope + (e >> 2) + _BIAS
            state[base + _TREND] += (e + 16) >> 5
            j = state[base + _SLOW]
            state[base + _SLOW] = j + (((x << 6) + _BIAS - j) >> (4 if n > 8 else 2))
            # The step, and its ratio to what it may follow.
            e = x - x1
            state[base + _STEP] = e + _BIAS
            if ref:
                if e > 0x3FFFFF:
                    e = 0x3FFFFF
                elif e < -0x3FFFFF:
                    e = -0x3FFFFF
                if seen < 0:
                    seen = -seen
                    e = -e
                if seen > 0:
                    j = state[base + _SUM_Y] - _BIAS
                    state[base + _SUM_Y] = j + e - (j >> 4) + _BIAS
                    state[base + _SUM_X] += seen - (state[base + _SUM_X] >> 4)
            if n < 255:
                state[base + _ROWS] = n + 1
    state[_LOW] = low
    state[_SPAN] = span
    state[_AT] = at
    state[_CODE] = value
    return state[_ANSWER] + state[_FAR]
