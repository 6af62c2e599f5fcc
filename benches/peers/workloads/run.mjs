// Runs the program of a module: node run.mjs MODULE SIZE ROUNDS SECONDS. Reports as every engine does.
import { readFileSync } from 'node:fs';
import { PerformanceObserver, performance } from 'node:perf_hooks';

const [module, size, rounds, seconds] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(module));

let pause = 0;
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) pause = Math.max(pause, entry.duration);
});
observer.observe({ entryTypes: ['gc'] });

const [cpu, wall] = [[], []];
let checksum;
const begin = process.cpuUsage();
const total = ({ user, system }) => (user + system) / 1000;
for (let round = 0; round < Number(rounds); round++) {
  if (round > 0 && total(process.cpuUsage(begin)) >= 1000 * Number(seconds)) break;
  const [cpuBefore, wallBefore] = [process.cpuUsage(), performance.now()];
  checksum = instance.exports.run(Number(size));
  cpu.push(total(process.cpuUsage(cpuBefore)));
  wall.push(performance.now() - wallBefore);
}
// Entries are delivered between turns of the event loop.
await new Promise((resolve) => setTimeout(resolve, 50));
const peak = /VmHWM:\s*(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0;
console.log(`checksum ${checksum}\ncpu_ms ${cpu.join(' ')}\nwall_ms ${wall.join(' ')}\npeak_kib ${peak}\npause_ms ${pause}`);
