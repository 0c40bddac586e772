"""Faults that the power cuts must find, each a change of the journal's source.

Not the run itself: tests/seeded_faults.py. A row: name, then (file, what stands there, what stands
there instead), once or several times. Absent are changes that single power cuts, bits and errors
cannot tell from the original, such as a MARK without its number: the newest record knows it too.
"""

JOURNAL, RECOVERY, SAVES = "agent/journal.py", "agent/recovery.py", "agent/saves.py"
RECORD, STORE, TAIL = "agent/record.py", "agent/store.py", "agent/tail.py"
RING, PAGES, WINDOW = "agent/ring.py", "agent/pages.py", "agent/window.py"
HEADS = "agent/heads.py"

FAULTS: tuple[tuple[str, ...], ...] = (
    (
        "a number counts as durable before it is saved",
        JOURNAL,
        "        self.next = seq + 1\n",
        "        self.next = seq + 1\n        self.durable = seq\n",
    ),
    (
        "sync saves nothing",
        JOURNAL,
        "            self._attempt(self._save_tail)\n",
        "            self._note_saved()\n",
    ),
    (
        "a delta begins where the last save ended, not where base did",
        JOURNAL,
        'saves.write("delta", tail, tail.base)',
        'saves.write("delta", tail, tail.solid)',
    ),
    (
        "a file is never closed",
        STORE,
        "            self._files[0].close()\n",
        "            pass\n",
    ),
    (
        "a slot's new content is appended to the old one",
        STORE,
        "open(self._path(slot), mode)",
        'open(self._path(slot), "ab")',
    ),
    (
        "a save goes on behind a torn place, unread",
        RING,
        "            self._keep(slot, parts)\n\n    def _parts_of",
        "            self._keep(slot, parts)\n"
        "            block, at, length = parts[-1]\n"
        "            self._next[slot] = (block, at - HEAD + self._heads.room_of(length))\n"
        "\n"
        "    def _parts_of",
        PAGES,
        "if check[low - first : high - first] != page[low - first : high - first]:",
        "if False:",
    ),
    (
        "the head that makes a segment true comes before its content",
        RING,
        "        self._pages.go_to(block, HEAD)\n"
        "        self._pages.put(data, start, end)\n"
        "        self._seal(_SEGMENT, block, 0, 0, 1, number, end - start)\n",
        "        self._seal(_SEGMENT, block, 0, 0, 1, number, end - start)\n"
        "        self._pages.go_to(block, HEAD)\n"
        "        self._pages.put(data, start, end)\n"
        "        self._pages.flush()\n",
    ),
    (
        "a block is not erased before it is used",
        RING,
        "if self.device.ioctl(6, block):\n                    raise",
        "if False:\n                    raise",
    ),
    (
        "a live block is taken",
        RING,
        "if self._what[block] == _FREE:\n                self._what[block] = _BAD",
        "if True:\n                self._what[block] = _BAD",
    ),
    (
        "after a start the sequence of writes begins anew",
        RING,
        "                self._sequence = sequence\n                newest",
        "                newest",
        RING,
        "        self._sequence = max(self._sequence, self._heads.sequence)\n",
        "",
    ),
    (
        "of a save in several blocks one is enough",
        RING,
        "_, _, part, wanted, _, _, length, _ = self._heads.fields()",
        "_, _, part, _, _, _, length, _ = self._heads.fields()",
    ),
    (
        "a head is believed without its CRC",
        HEADS,
        'return unpack_from(">I", data, _CRC)[0] == crc32(memoryview(data)[:_CRC]) & 0xFFFFFFFF',
        "return True",
    ),
    (
        "the foot is never asked when the head is rotten",
        HEADS,
        "return found[0] if found else 0",
        "return 0",
    ),
    (
        "what was programmed is not read back",
        PAGES,
        "if check[low - first : high - first] != page[low - first : high - first]:",
        "if False:",
    ),
    (
        "a start takes records twice",
        RECOVERY,
        "seq > in_segments and seq > tail.last_in(tail.fill)",
        "True",
    ),
    (
        "a start does not read delta",
        RECOVERY,
        'for slot in ("base", "delta", "open"):',
        'for slot in ("base", "open"):',
    ),
    (
        "a start reads only the first page of a slot",
        RECOVERY,
        "        if length < len(page):\n",
        "        if True:\n",
    ),
    (
        "an empty last segment is believed",
        RECOVERY,
        "        if length:\n            journal",
        "        if length or True:\n            journal",
    ),
    (
        "a segment is named by the number before its first",
        JOURNAL,
        "        number = tail.first\n",
        "        number = tail.first - 1\n",
    ),
    (
        "after a start nothing of the tail is readable",
        JOURNAL,
        "        self._window.forget()\n        self._note_saved()\n",
        "        self._window.forget()\n        self._note_kept()\n",
    ),
    (
        "trimming is off by one",
        JOURNAL,
        "self.tail.drop(self.tail.end_of(seq, self.tail.solid))",
        "self.tail.drop(self.tail.end_of(seq + 1, self.tail.solid))",
    ),
    (
        "one more is taken as acknowledged",
        JOURNAL,
        "        self.acked = seq\n",
        "        self.acked = seq + 1\n",
    ),
    (
        "a word about numbers never sent is believed",
        JOURNAL,
        "not self.acked < seq <= self.durable",
        "not self.acked < seq",
    ),
    (
        "another gateway's word is believed",
        JOURNAL,
        "if journal_id != self.journal_id or not",
        "if not",
    ),
    (
        "a late word takes back an earlier one",
        JOURNAL,
        "not self.acked < seq <= self.durable",
        "not seq <= self.durable",
    ),
    (
        "a segment is removed before the mark that allows it",
        JOURNAL,
        "        elif self._acked_kept < self.acked or self._lost_kept < self.lost_last:\n",
        "        elif False:\n",
    ),
    (
        "a segment is written without the mark of what trimming dropped",
        JOURNAL,
        "        return self._acked_kept < self.tail.first - 1 <= self.acked\n",
        "        return False\n",
    ),
    (
        "dropping records leaves the durable end where it was",
        TAIL,
        "self.solid = max(0, self.solid - count)",
        "pass",
    ),
    (
        "a full journal's loss is declared in RAM only",
        JOURNAL,
        "        self.lost_last = self._after_oldest() - 1\n        self._save_mark()\n",
        "        self.lost_last = self._after_oldest() - 1\n",
        JOURNAL,  # either of the two saves would do
        "elif self._acked_kept < self.acked or self._lost_kept < self.lost_last:",
        "elif self._acked_kept < self.acked:",
    ),
    (
        "a full journal loses its newest segment",
        JOURNAL,
        "        number = self.segments[0]\n",
        "        number = self.segments[-1]\n",
        JOURNAL,
        "        self.segments.pop(0)\n",
        "        self.segments.pop()\n",
    ),
    (
        "after EIO the write is not tried again",
        JOURNAL,
        "while tries < 2 and",
        "while tries < 1 and",
    ),
    (
        "the CRC covers the header only",
        RECORD,
        "crc32(view[at : body + size])",
        "crc32(view[at : at + HEADER])",
        RECORD,
        "crc32(memoryview(data)[start : end - 4])",
        "crc32(memoryview(data)[start : start + HEADER])",
    ),
    (
        "a wrong CRC is overlooked",
        RECORD,
        "    if found != computed:\n",
        "    if False:\n",
    ),
    (
        "after a damaged record the rest is given up",
        RECORD,
        "    while at + OVERHEAD <= end:\n",
        "    while False:\n",
    ),
    (
        "a record is looked for in the next segment where it was in this one",
        WINDOW,
        "            self._seq = 0\n",
        "",
    ),
    (
        "a sealed block is not noted",
        JOURNAL,
        "            self.sealed.setdefault(data[start + self._meter_at], seq)\n",
        "            pass\n",
    ),
    (
        "a block that is not durable makes its open block stale",
        SAVES,
        "            if journal.sealed[meter] <= durable:\n",
        "            if True:\n",
    ),
    (
        "a saved open block stays stale",
        JOURNAL,
        "            self.sealed.clear()\n",
        "            pass\n",
    ),
    (
        "an open block is stale by the block before it",
        RECOVERY,
        "other == meter and after > seq]",
        "other == meter and after >= seq]",
    ),
    (
        "damage leaves an open block above doubt",
        RECOVERY,
        "    if found.in_doubt:",
        "    if False:",
    ),
    (
        "a stale open block is forgotten to be stale at the next start",
        RECOVERY,
        "            journal.sealed.setdefault(meter, stale[0] - 1)\n",
        "            pass\n",
    ),
)
