// Run portable test files on MicroPython's WebAssembly port, each in an interpreter of its own:
//     node tests/wasm/run.mjs ROOT '{"tests/unit/test_x.py": {"test_name": "why not"}, ...}'
// Prints a line of JSON a file: [file, what the runner printed].
import fs from "node:fs";
import path from "node:path";
import { loadMicroPython } from "@micropython/micropython-webassembly-pyscript";

const FOLDERS = ["agent", "boards", "drivers", "firmware", "tests"];
const [root, list] = process.argv.slice(2);

const sources = new Map();
function read(folder) {
  for (const entry of fs.readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory() && !["host", "node_modules", "__pycache__"].includes(entry.name)) read(name);
    else if (name.endsWith(".py")) sources.set(name, fs.readFileSync(path.join(root, name)));
  }
}
FOLDERS.forEach(read);

for (const [file, left_out] of Object.entries(JSON.parse(list))) {
  const lines = [];
  const python = await loadMicroPython({ stdout: (line) => lines.push(line.trimEnd()) });
  for (const [name, text] of sources) {
    python.FS.mkdirTree(path.posix.dirname(`/project/${name}`));
    python.FS.writeFile(`/project/${name}`, text);
  }
  python.globals.set("file", file);
  python.globals.set("left_out", JSON.stringify(left_out));
  python.globals.set("random", (n) => Array.from(crypto.getRandomValues(new Uint8Array(n))));
  try {
    python.runPython(`
import binascii, json, os, sys
# What a board has and this port leaves out: a source of chance, base64 from text.
os.urandom = lambda n: bytes(list(random(n)))
from_base64 = binascii.a2b_base64
binascii.a2b_base64 = lambda t: from_base64(t.encode() if isinstance(t, str) else t)
sys.path.insert(0, "/project")
print("words of %d bits" % (32 if sys.maxsize == 0x7FFFFFFF else 64))
from tests.micropython_runner import run
print("%d passed, %d failed, %d skipped" % run(file, json.loads(left_out)))
`);
  } catch (error) {
    lines.push(String(error.message ?? error));
  }
  console.log(JSON.stringify([file, lines.join("\n") + "\n"]));
}
