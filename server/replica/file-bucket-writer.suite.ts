/**
 * A process of its own that writes to a directory: `race`, new keys that others want, too, and then says which it got; `overwrite`, one
 * object again and again until it is killed, each time filled with another byte.
 */
import { FileBucket } from "./file-bucket.ts";

async function race(bucket: FileBucket, name: string): Promise<void> {
  const won: string[] = [];
  for (let index = 0; index < 100; index += 1) {
    const key = `race/${index}`;
    const result = await bucket.putNew(key, new TextEncoder().encode(name));
    if (result === "created") won.push(key);
  }
  process.stdout.write(JSON.stringify(won));
}

async function overwrite(bucket: FileBucket): Promise<void> {
  for (let round = 0; ; round += 1) {
    await bucket.put("snapshots/1", new Uint8Array(4 * 1024 * 1024).fill(round));
    process.stdout.write(".");
  }
}

const [mode = "", directory = "", name = ""] = process.argv.slice(2);
const bucket = new FileBucket(directory);
void (mode === "race" ? race(bucket, name) : overwrite(bucket));
