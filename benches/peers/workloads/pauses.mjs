// Full collections beside a tree: node --expose-gc pauses.mjs MODULE DEPTH RUNS. Prints the milliseconds of processor time of each.
import { readFileSync } from 'node:fs';

const [module, depth, runs] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(module));
instance.exports.hold(Number(depth));
// The first one promotes what is young.
gc();
const pauses = [];
for (let run = 0; run < Number(runs); run++) {
  const before = process.cpuUsage();
  gc();
  const { user, system } = process.cpuUsage(before);
  pauses.push((user + system) / 1000);
}
console.log(pauses.join(' '));
