// Bytes that a program allocates: node bytes.mjs MODULE SIZE, with a young generation in which all of it has room.
import { readFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

const [module, size] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(module));
let collections = 0;
new PerformanceObserver((list) => { collections += list.getEntries().length; }).observe({ entryTypes: ['gc'] });
// Once, so that what compiling allocates is there before.
instance.exports.run(1000 < Number(size) ? 1000 : 4);
await new Promise((resolve) => setTimeout(resolve, 100));
collections = 0;
const before = getHeapStatistics().used_heap_size;
instance.exports.run(Number(size));
const after = getHeapStatistics().used_heap_size;
await new Promise((resolve) => setTimeout(resolve, 100));
if (collections > 0) throw new Error(`${collections} collections in between`);
console.log(after - before);
