// Measure what open blocks take of a heap with words of 32 bits, on MicroPython's WebAssembly port:
//     node tests/wasm/blocks.mjs ROOT '[[points, blocks, size], ...]'
// Prints JSON: for each, bytes of so many blocks of meters with so many points, 60 rows in each.
// This port collects between two calls only.
import fs from "node:fs";
import path from "node:path";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript";

const [root, list] = process.argv.slice(2);
const python = await loadMicroPython({ heapsize: 4 << 20, stdout: (line) => console.error(line) });
python.FS.mkdirTree("/project/agent");
for (const name of fs.readdirSync(path.join(root, "agent"))) {
  if (name.endsWith(".py")) {
    python.FS.writeFile(`/project/agent/${name}`, fs.readFileSync(path.join(root, "agent", name)));
  }
}

function call(code) {
  python.runPython(code);
  python.runPython("gc.collect()");
  python.runPython("live = gc.mem_alloc()");
  return Number(python.globals.get("live"));
}

call(`
import gc, sys
sys.path.insert(0, "/project")
from agent.codec import Block
assert sys.maxsize == 0x7FFFFFFF
at_ms = 1766534400000
kept = [Block(0, 256)]  # what all blocks share is there from now on
`);
const found = [];
for (const [points, count, size] of JSON.parse(list)) {
  call("kept = []");
  const before = call("kept = [None] * 40");
  for (let i = 0; i < count; i++) call(`kept[${i}] = Block(${points}, ${size})`);
  for (let i = 0; i < count; i++) {
    call(`
kept[${i}].open(b"1234", ${i}, 1, 7)
for row in range(60):
    values = [row * row * 7 % 97 + 1000 * point for point in range(${points})]
    if not kept[${i}].add(at_ms + row * 60000, values, bytes(${points})):
        break
values = None
`);
  }
  found.push(call("pass") - before);
}
console.log(JSON.stringify(found));
