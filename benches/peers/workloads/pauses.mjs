// Full collections beside a tree: node --expose-gc pauses.mjs MODULE DEPTH RUNS. Prints the milliseconds of each.
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

const [module, depth, runs] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(module));
instance.exports.hold(Number(depth));
// The first one promotes what is young.
gc();
const pauses = [];
for (let run = 0; run < Number(runs); run++) {
  const before = performance.now();
  gc();
  pauses.push(performance.now() - before);
}
console.log(pauses.join(' '));
