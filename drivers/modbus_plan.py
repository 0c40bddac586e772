"""Which registers of a meter to read, in the fewest transactions its limits allow.

Not here: asking (modbus.py) and what the registers mean (modbus_values.py).

A plan is made once, when the meter is configured, and shared by all meters of the same map,
points and limits (modbus_model.py). It is the least in (transactions, then registers) of all ways
to read the items without cutting one, under the meter's register limit, its alignment, its
longest gap worth reading through, and its registers that must be read alone. Sorted by address,
groups of an optimal plan can always be made contiguous (exchanging two interleaved groups never
makes a span longer), so dynamic programming over the sorted items finds it;
tests/unit/test_modbus_plan.py compares with all partitions.

    plan = Plan(table, (), {})
    plan.steps      # ((function code, address, count, first, end), ...) over plan.items
"""

from drivers.modbus_values import ORDERS, C, type_of
from drivers.reading import KIND_NAMES, Point

# Columns of a point's row in a map; see maps/README.md.
NAME, UNIT, EXPONENT, KIND, CODE, ADDRESS, TYPE, SCALE, ABSENT = range(9)

# Reading one more register costs two characters; another transaction costs 13 characters of
# frames, 7 of silence and the meter's turn-around, some 20 to 50 ms. They balance near 16.
DEFAULT_GAP = 16
MAX_REGISTERS = 125  # Modbus Application Protocol V1.1b3, 6.3 and 6.4
MAX_BITS = 2000  # 6.1 and 6.2


class Plan:
    """The points wanted of a map and how to read them. Immutable once made, so it is shared.

    rows     of a MAP literal, those of the wanted points; the map itself may go (it takes 15 KB)
    points   the Points; types: what type_of() says of each
    items    tuple of (function code, address, count, index): index >= 0 is a point,
             -1 - k the k-th scale factor register; sorted by function code and address
    steps    tuple of (function code, address, count, first, end): items[first:end] are in it
    scales   tuple of (function code, address): the scale factor registers
    """

    def __init__(self, table, names, options):
        self.order = options.get("word_order", table.get("words", "ABCD"))
        if self.order not in ORDERS:
            raise ValueError("word_order %s is none of %s" % (self.order, ", ".join(ORDERS)))
        self.register_bytes = table.get("register_bytes", 2)
        known = [row[NAME] for row in table["points"]]
        for name in names:
            if name not in known:
                raise ValueError("the map has no point %s" % name)
        self.rows = tuple([r for r in table["points"] if not names or r[NAME] in names])
        self.points = tuple([_point(row, table) for row in self.rows])
        self.types = tuple([type_of(row[TYPE]) for row in self.rows])
        self.scales = _scales(self.rows)
        self._limits(table, options)
        self.items = self._items(table)
        self.steps = self.arrange(0, len(self.items))
        self.biggest = max([_reply_bytes(s, self.register_bytes) for s in self.steps])

    def _limits(self, table, options):
        limit = options.get("max_registers", table.get("max_registers", MAX_REGISTERS))
        if not isinstance(limit, int) or not 1 <= limit <= MAX_REGISTERS:
            raise ValueError("max_registers %s is not within 1..125" % limit)
        self.max_registers = limit
        self.max_bits = table.get("max_bits", MAX_BITS)
        self.align = table.get("align", 1)
        self.gap = options.get("gap_registers", table.get("gap", DEFAULT_GAP))
        self.alone = table.get("alone", ())

    def _items(self, table):
        items = []
        for index in range(len(self.rows)):
            row = self.rows[index]
            kind, size, _ = self.types[index]
            count = 1 if kind == C else max(1, size // self.register_bytes)
            items.append((row[CODE], row[ADDRESS], count, index))
        for k in range(len(self.scales)):
            code, address = self.scales[k]
            items.append((code, address, 1, -1 - k))
        for code, address, count, _ in items:
            if code not in (1, 2, 3, 4):  # polling never writes, whatever a map says
                raise ValueError("function %s at %d does not read" % (code, address))
            limit = self.max_bits if code <= 2 else self.max_registers
            if count > limit:
                raise ValueError("the %d registers at %d exceed the limit" % (count, address))
        items.sort()
        return tuple(items)

    def span(self, first, end):
        """Return (address, count) of the one read that holds items[first:end], or None.

        None when it would cross function codes, a gap too long, the register limit, or a
        register that is read alone.
        """
        items = self.items
        code, start, _, _ = items[first]
        reach = start
        for i in range(first, end):
            if items[i][0] != code or (i > first and items[i][1] > reach + self.gap):
                return None
            reach = max(reach, items[i][1] + items[i][2])
        for address in self.alone:
            if start <= address < reach:
                return (start, reach - start) if reach == after(items[first]) else None
        if code > 2 and self.align > 1:
            start -= start % self.align
            reach += -reach % self.align
        if reach - start > (self.max_bits if code <= 2 else self.max_registers):
            if end - first > 1:
                return None
            start, reach = items[first][1], after(items[first])  # the limit is odd: unaligned
        return start, reach - start

    def arrange(self, first, end):
        """Return the best steps for items[first:end] as a tuple."""
        # best[j] = (transactions, registers, start of the last group) for items[first:j]
        best = [(0, 0, first)]
        for j in range(first + 1, end + 1):
            least = (len(self.items) + 1, 0, first)
            for i in range(j - 1, first - 1, -1):
                if self.items[j - 1][1] - self.items[i][1] > 2048:
                    break
                span = self.span(i, j)
                if span is None:
                    continue
                asked, read, _ = best[i - first]
                if (asked + 1, read + span[1]) < least[:2]:
                    least = (asked + 1, read + span[1], i)
            best.append(least)
        steps = []
        j = end
        while j > first:
            i = best[j - first][2]
            address, count = self.span(i, j)
            steps.append((self.items[i][0], address, count, i, j))
            j = i
        steps.reverse()
        return tuple(steps)

    def split(self, step):
        """Return the two steps for a step that was refused, or () when it is one item alone.

        It is cut at its longest unused gap, which is the likeliest reason, else in the middle.
        Items that share a register stay together.
        """
        _, _, _, first, end = step
        where = longest = nearest = 0
        reach = after(self.items[first])
        for i in range(first + 1, end):
            gap = self.items[i][1] - reach
            from_middle = abs(2 * i - first - end)
            if gap >= 0 and (not where or (gap, -from_middle) > (longest, -nearest)):
                where, longest, nearest = i, gap, from_middle
            reach = max(reach, after(self.items[i]))
        if not where:
            return ()
        return self._whole(first, where) + self._whole(where, end)

    def _whole(self, first, end):
        span = self.span(first, end)
        if span is None:
            return self.arrange(first, end)
        return ((self.items[first][0], span[0], span[1], first, end),)


def after(item):
    """Return the address after an item's last register."""
    return item[1] + item[2]


def _reply_bytes(step, register_bytes):
    code, _, count, _, _ = step
    return (count + 7) // 8 if code <= 2 else register_bytes * count


def _point(row, table):
    where = "fc%d:0x%04x" % (row[CODE], row[ADDRESS])
    if "models" in table:
        where = "sunspec%d:%d" % (table["models"][0], row[ADDRESS])
    return Point(row[NAME], row[UNIT], row[EXPONENT], KIND_NAMES.index(row[KIND]), where)


def _scales(rows):
    found = []
    for row in rows:
        scale = row[SCALE] if len(row) > SCALE else 0
        if isinstance(scale, tuple) and (row[CODE], scale[0]) not in found:
            found.append((row[CODE], scale[0]))
    return tuple(found)
