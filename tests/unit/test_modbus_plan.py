"""The plan of reads: optimal against every partition there is."""

from drivers.modbus_plan import Plan

_CASES = 150


class Draw:
    """The same numbers on both runtimes (a linear congruential generator)."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % n


def _partitions(count):
    """Yield every way to put count things into groups, as lists of group numbers."""
    groups = [0] * count

    def from_(at, used):
        if at == count:
            yield groups
            return
        for group in range(used + 1):
            groups[at] = group
            for found in from_(at + 1, max(used, group + 1)):
                yield found

    for found in from_(0, 0):
        yield found


def _cost(items, limit, gap, align, alone):
    """Return the registers that one read of these items takes, or None when it cannot be.

    items: (function, address, count). Written from the rules of maps/README.md, not from the plan.
    """
    if len({item[0] for item in items}) > 1:
        return None
    ranges = sorted([(a, a + n) for _, a, n in items])
    start, reach = ranges[0]
    for first, end in ranges:
        if first > reach + gap:
            return None
        reach = max(reach, end)
    inside = [a for a in alone if start <= a < reach]
    if inside:
        return reach - start if len(items) == 1 else None
    whole = reach + -reach % align - (start - start % align)
    if whole <= limit:
        return whole
    return reach - start if len(items) == 1 and reach - start <= limit else None


def _best(items, limit, gap, align, alone):
    """Return the least (transactions, registers) over all partitions of the items."""
    least = None
    for groups in _partitions(len(items)):
        total = 0
        used = max(groups) + 1
        for group in range(used):
            members = [items[i] for i in range(len(items)) if groups[i] == group]
            cost = _cost(members, limit, gap, align, alone)
            if cost is None:
                break
            total += cost
        else:
            if least is None or (used, total) < least:
                least = (used, total)
    return least


def _random_table(draw):
    """Return (table, items): two to six points of one to four registers, none overlapping."""
    points = []
    items = []
    address = draw.below(8)
    for i in range(2 + draw.below(5)):
        registers = 1 << draw.below(3)
        function = 3 + (draw.below(6) == 0)
        kind = "uint%d" % (16 * registers)
        points.append(("p%d" % i, "", 0, "gauge", function, address, kind))
        items.append((function, address, registers))
        address += registers + draw.below(7)
    table = {"points": tuple(points), "max_registers": 4 + draw.below(12), "gap": draw.below(6)}
    if draw.below(3) == 0:
        table["align"] = 2
    if draw.below(3) == 0:
        table["alone"] = (items[draw.below(len(items))][1],)
    return table, items


def test_a_plan_is_the_best_of_all_partitions():
    draw = Draw(7)
    for case in range(_CASES):
        table, items = _random_table(draw)
        steps = Plan(table, (), {}).steps
        found = (len(steps), sum([step[2] for step in steps]))
        best = _best(
            items,
            table["max_registers"],
            table["gap"],
            table.get("align", 1),
            table.get("alone", ()),
        )
        assert found == best, (case, table, steps, best)


def test_a_map_that_would_write_makes_no_plan():
    for function in (0, 5, 6, 15, 16, 22, 23):
        table = {"points": (("a", "", 0, "state", function, 7, "uint16"),)}
        try:
            Plan(table, (), {})
        except ValueError as error:
            assert "does not read" in str(error)
        else:
            raise AssertionError(function)


def test_every_item_is_read_whole_exactly_once():
    draw = Draw(8)
    for _ in range(_CASES):
        table, items = _random_table(draw)
        plan = Plan(table, (), {})
        seen = []
        for function, address, count, first, end in plan.steps:
            for item in plan.items[first:end]:
                assert item[0] == function
                assert address <= item[1] and item[1] + item[2] <= address + count
                seen.append(item[:3])
        assert sorted(seen) == sorted(items)


def test_a_split_reads_the_same_items_in_two_and_ends_at_single_ones():
    draw = Draw(9)
    for _ in range(_CASES):
        table, _items = _random_table(draw)
        plan = Plan(table, (), {})
        steps = list(plan.steps)
        singles = 0
        while steps:
            step = steps.pop()
            parts = plan.split(step)
            if not parts:
                singles += step[4] - step[3]
                continue
            assert parts[0][3] == step[3] and parts[-1][4] == step[4]
            steps += parts
        assert singles == len(plan.items)
