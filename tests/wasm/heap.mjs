// Load a gateway's modules and build its App on MicroPython's WebAssembly port: words of 32 bits.
//     node tests/wasm/heap.mjs FOLDER '["agent.log", ...]'
// FOLDER holds slot/ (the bundle's .mpy files), flash/ (what provisioning wrote) and src/. This port
// collects between two calls only: each module is a call, the whole start of main.py another.
// Prints JSON: bytes taken by each room's modules, and live once the App is built; ran: what is left
// of the modules when their code is no part of the heap, as it is not when frozen into an image.
import fs from "node:fs";
import path from "node:path";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript";

const [folder, list] = process.argv.slice(2);
const said = [];
const python = await loadMicroPython({ heapsize: 4 << 20, stdout: (line) => said.push(line) });
function copy(from, to) {
  python.FS.mkdirTree(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), `${to}/${entry.name}`];
    if (entry.isDirectory()) copy(source, target);
    else python.FS.writeFile(target, fs.readFileSync(source));
  }
}
copy(path.join(folder, "slot"), "/slot");
copy(path.join(folder, "flash"), "/flash");
copy(path.join(folder, "src"), "/src");

function call(code) {
  try {
    python.runPython(code);
  } catch (error) {  // its trace would show the port's whole source
    console.error(said.join("\n"), error.message);
    process.exit(1);
  }
  python.runPython("gc.collect()");
  python.runPython("live = gc.mem_alloc()");
  return Number(python.globals.get("live"));
}

// What a board has and this port leaves out, for as long as nothing calls it; its own numbers of
// errors, and the part of asyncio that is named before the loop runs.
const start = call(`
import errno, gc, sys
sys.path[:] = ["/slot"]
class Absent:
    pass
for name in ("asyncio", "errno", "select", "socket", "termios", "tls"):
    sys.modules[name] = Absent()
for name in dir(errno):
    if name[0] == "E":
        setattr(sys.modules["errno"], name, getattr(errno, name))
for name, number in (("EEXIST", 20), ("EIO", 29), ("ENOENT", 44)):
    setattr(sys.modules["errno"], name, number)
made = sys.modules["gc"] = Absent()
for name in ("collect", "mem_alloc", "mem_free"):
    setattr(made, name, getattr(gc, name))
made.threshold = lambda size: None
del made, name, number, errno
`);
const found = { boot: 0 };
let last = start;
for (const name of JSON.parse(list)) {
  const now = call(`import ${name}`);
  const room = name.split(".")[0];
  found[room] = (found[room] ?? 0) + now - last;
  last = now;
}
found.import = last - start;
call(`
from firmware import hal, main
class Chip:
    root = "/flash"
    runtime = cause = id = ""
    interfaces = ()
    def __init__(self, platform, board):
        pass
    def ticks_ms(self):
        return 0
    def wall_ms(self):
        return 0
    def random(self, n):
        return n // 3
    def heap(self):
        return 0, 0
    def remount(self):
        pass
kept = []
hal.make = Chip
main.live = lambda app, made: kept.append((app, made))
`);
last = Number(python.globals.get("live"));
found.built = call(`main.start(Chip(None, None), "a", ["a", "-", 0, 0, 0, ""])`) - last + found.import;
python.runPython("built = len(kept) == 1 and kept[0][0].journal.errors == 0");
if (!python.globals.get("built")) {
  console.error(said.join("\n"));
  process.exit(1);
}
// What an import does beside loading the code: dictionaries, functions, classes. The source in src/
// is compiled, and what running it takes is all that counts.
last = call("import micropython; micropython.opt_level(3); codes = []; ran = []");
found.ran = 0;
for (const name of JSON.parse(list)) {
  const base = "/src/" + name.replaceAll(".", "/");
  const file = python.FS.analyzePath(base + ".py").exists ? base + ".py" : base + "/__init__.py";
  const compiled = call(`codes.append(compile(open("${file}").read(), "${name}", "exec"))`);
  last = call(`ran.append({"__name__": "${name}"}); exec(codes[-1], ran[-1])`);
  found.ran += last - compiled;
}
console.log(JSON.stringify(found));
