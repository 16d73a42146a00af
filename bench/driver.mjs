// What the benchmarks have in common: processes that are started and ended, load in a closed loop, and what /proc says.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { Pool } from "undici";

const TICKS_PER_SECOND = 100;
const children = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});

/** A child and the JSON line that it prints when it is ready. */
export async function start(args, { env = {}, node = process.execPath, stderr = "inherit" } = {}) {
  const child = spawn(node, args, {
    stdio: ["ignore", "pipe", stderr],
    env: { ...process.env, NODE_NO_WARNINGS: "1", ...env },
  });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return { child, ready: await firstLine(child) };
}

function firstLine(child) {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end >= 0) resolve(JSON.parse(text.slice(0, end)));
    });
    child.on("exit", (code) => reject(new Error(`exited with ${code} before it was ready`)));
  });
}

export async function stop(child, signal = "SIGTERM") {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}

export async function stopAll() {
  for (const child of children) await stop(child);
}

export async function register(admin, uri) {
  const answer = await fetch(`${admin}/deployments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ uri }),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

/** User and system time of the process, all its threads. */
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function rssMiB(pid) {
  const line = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(line?.[1] ?? 0) / 1024);
}

export const SMALL_BODY = JSON.stringify({ name: "Bob", text: "x".repeat(200) });

/** Each caller sends the next request when it has its answer. `onAnswer(latencyMs, headers)` is told of each; returns the failed. */
export async function drive(
  url,
  { service = "Bench", handler, callers, isOver, body = () => SMALL_BODY, onAnswer },
) {
  const pool = new Pool(url, { connections: callers, pipelining: 1 });
  let failed = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (!isOver()) {
        const begin = performance.now();
        const answer = await pool.request({
          path: `/${service}/${handler}`,
          method: "POST",
          headers: { "content-type": "application/json" },
          body: body(),
        });
        await answer.body.arrayBuffer();
        if (answer.statusCode !== 200) failed += 1;
        onAnswer(performance.now() - begin, answer.headers);
      }
    }),
  );
  await pool.close();
  return failed;
}

export function quantile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}
