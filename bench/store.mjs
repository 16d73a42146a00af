// An S3 store in memory, in a process of its own. One door for each latency in milliseconds that is given as an argument.
// Prints {"urls":[…]} when it listens.
import { loadTypeScript } from "./load.mjs";

const { startS3Double } = await loadTypeScript("server/replica/s3-double.suite.ts");
const { FaultyS3 } = await loadTypeScript("server/test/faulty-s3.ts");

const double = await startS3Double();
const urls = [];
for (const latencyMs of process.argv.slice(2).map(Number)) {
  const door = await FaultyS3.start(double.url);
  door.set({ latencyMs });
  urls.push(latencyMs === 0 ? double.url : door.url);
}
process.stdout.write(`${JSON.stringify({ urls })}\n`);
