/** `holdfast restore`, `holdfast replica verify` and `list` as an operator meets them, on a replica that a real server wrote. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { type CommandResult, command, startCommand } from "./cli.ts";
import { openBucket, parseBucketUrl } from "../replica/open-bucket.ts";
import { startS3Double } from "../replica/s3-double.suite.ts";
import { FaultyS3 } from "./faulty-s3.ts";
import { randomFrom } from "./soak/soak.ts";
import { type Endpoint, loadSdk, serve } from "./endpoint.ts";
import {
  get,
  persist,
  post,
  refusedStart,
  register,
  startServer,
  temporaryDirectory,
} from "./harness.ts";
import { type Executions, kitchen } from "./kitchen.ts";

const LARGE = "large ".repeat(60_000);

const directory = temporaryDirectory();
/** Where the server wrote; the tests damage copies. */
const original = `${directory.path}/bucket`;
let copies = 0;
let endpoint: Endpoint;

/** As `list --json` prints it. */
interface Listed {
  readonly newest: { readonly segment: number };
  readonly restore_points: readonly {
    readonly segment: number;
    readonly at: string;
    readonly epoch: number;
    readonly behind: { readonly first_segment: number } | null;
  }[];
  readonly epochs: readonly { readonly epoch: number; readonly host: string }[];
  readonly bytes: number;
}

let listed: Listed;

before(async () => {
  const sdk = await loadSdk("holdfast");
  const executions: Executions = new Map();
  endpoint = await serve(sdk, [kitchen(sdk, executions)], "h2");
  const flags = [
    "--bucket",
    `file://${original}`,
    "--durability",
    "bucket",
    "--snapshot-segments",
    "20",
  ];
  const server = await startServer(`${directory.path}/data`, flags);
  try {
    await register(server.admin, endpoint.url);
    const call = async (handler: string, input: unknown, key: string): Promise<void> => {
      const answer = await post(`${server.ingress}/Kitchen/${handler}`, input, {
        "idempotency-key": key,
      });
      assert.equal(answer.status, 200, answer.text);
    };
    await call("echo", LARGE, "large");
    for (let index = 0; index < 12; index += 1) await call("steps", `a${index}`, `a${index}`);
    await persist(() => Promise.resolve(names("snapshots").length >= 2 || undefined));
    // Another epoch.
    await server.process.stop();
    await server.process.start();
    for (let index = 0; index < 4; index += 1) await call("steps", `b${index}`, `b${index}`);
    await server.process.stop();
  } finally {
    await server.process.kill();
  }
  const { out } = await command(["replica", "list", "--bucket", `file://${original}`, "--json"]);
  listed = JSON.parse(out) as Listed;
});

after(async () => {
  await endpoint.close();
  directory.remove();
});

const names = (folder: string): string[] =>
  fs.existsSync(path.join(original, folder))
    ? fs.readdirSync(path.join(original, folder)).toSorted()
    : [];

const keyOf = (seq: number): string => seq.toString(16).padStart(16, "0");

class Copy {
  readonly folder = `${directory.path}/copy-${(copies += 1)}`;
  readonly url = `file://${this.folder}`;

  constructor() {
    fs.cpSync(original, this.folder, { recursive: true });
  }

  file(key: string): string {
    return path.join(this.folder, key);
  }

  change(key: string, damage: (bytes: Buffer) => Uint8Array): void {
    fs.writeFileSync(this.file(key), damage(fs.readFileSync(this.file(key))));
  }

  remove(key: string): void {
    fs.rmSync(this.file(key));
  }

  verify(): Promise<CommandResult> {
    return command(["replica", "verify", "--bucket", this.url]);
  }

  restore(data: string, ...more: readonly string[]): Promise<CommandResult> {
    return command(["restore", "--bucket", this.url, "--data", data, ...more]);
  }
}

/** In the midst of the history: a delta with a snapshot before it and many segments behind it. */
function middle(): number {
  const [first] = listed.restore_points;
  return (first?.behind?.first_segment ?? assert.fail()) + 2;
}

const flip = (at: number) => (bytes: Buffer) => bytes.fill((bytes[at] ?? 0) ^ 1, at, at + 1);

describe("holdfast replica verify", () => {
  it("finds nothing in a sound replica, and leaves nothing behind", async () => {
    const earlier = fs
      .readdirSync(os.tmpdir())
      .filter((name) => name.startsWith("holdfast-verify"));
    const { code, out, errors } = await new Copy().verify();
    assert.equal(code, 0, errors + out);
    const last = out.trimEnd().split("\n").at(-1) ?? "";
    assert.match(
      last,
      /^sound: \d+ segments, \d+ snapshots and 2 large payloads were read, [\d.]+ KiB; the newest state is that after segment \d+ of 20\d\d-/,
    );
    assert.match(last, new RegExp(`segment ${listed.newest.segment} of `));
    const now = fs.readdirSync(os.tmpdir()).filter((name) => name.startsWith("holdfast-verify"));
    assert.deepEqual(now, earlier);
  });

  it("tries again what passes, as with a store that answers 500 now and then, and says so", async () => {
    const store = await startS3Double();
    const proxy = await FaultyS3.start(store.url, randomFrom(1));
    const keys = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
    try {
      Object.assign(process.env, keys);
      const access = { region: "us-east-1", pathStyle: true };
      const location = parseBucketUrl("s3://store/replica");
      const bucket = await openBucket(location, { endpoint: store.url, ...access });
      for (const folder of ["segments", "snapshots", "blobs"]) {
        for (const name of names(folder))
          await bucket.putFile(`${folder}/${name}`, `${original}/${folder}/${name}`);
      }
      bucket.close();
      proxy.set({ errors: 0.1 });
      const { code, out, errors } = await command(
        [
          "replica",
          "verify",
          "--bucket",
          "s3://store/replica",
          "--bucket-path-style",
          "--bucket-endpoint",
          proxy.url,
        ],
        keys,
      );
      assert.equal(code, 0, errors);
      assert.match(errors, /^holdfast: .*500.*; trying again\n/);
      assert.match(out, /^sound: /m);
    } finally {
      await proxy.close();
      await store.close();
    }
  });

  const damages: Record<string, (copy: Copy) => RegExp> = {
    "a missing segment": (copy) => {
      copy.remove(`segments/${keyOf(middle())}`);
      return new RegExp(`segment ${middle()} is missing, and segment \\d+ is there`);
    },
    "a flipped byte": (copy) => {
      copy.change(`segments/${keyOf(middle())}`, flip(300));
      return new RegExp(`segment ${middle()}: the checksum of the segment is wrong`);
    },
    "a cut segment": (copy) => {
      copy.change(`segments/${keyOf(middle())}`, (bytes) => bytes.subarray(0, bytes.length - 7));
      return new RegExp(`segment ${middle()}: `);
    },
    "a segment with a forged checksum": (copy) => {
      copy.change(`segments/${keyOf(middle())}`, (bytes) => {
        const forged = flip(105)(bytes).subarray(0, -32);
        return Buffer.concat([forged, createHash("sha256").update(forged).digest()]);
      });
      return new RegExp(`segment ${middle()}(?:: | )|segment ${middle() + 1} does not follow`);
    },
    "a flipped byte in the oldest snapshot": (copy) => {
      const [name = ""] = names("snapshots");
      copy.change(`snapshots/${name}`, flip(2000));
      return new RegExp(`snapshots/${name}: the checksum of the pages from 1 on is wrong`);
    },
    "a cut snapshot": (copy) => {
      const name = names("snapshots").at(-1) ?? "";
      copy.change(`snapshots/${name}`, (bytes) => bytes.subarray(0, bytes.length >> 1));
      return new RegExp(`snapshots/${name}: `);
    },
    "no snapshot left": (copy) => {
      for (const name of names("snapshots")) copy.remove(`snapshots/${name}`);
      return /no snapshot leads to segment 17/;
    },
    "a missing payload": (copy) => {
      const [name = ""] = names("blobs");
      copy.remove(`blobs/${name}`);
      return new RegExp(`blobs/${name}: the payload is missing`);
    },
    "a payload that is another one": (copy) => {
      const [name = ""] = names("blobs");
      copy.change(`blobs/${name}`, flip(1000));
      return new RegExp(`blobs/${name}: the payload is not the one that was stored`);
    },
  };
  for (const [what, damage] of Object.entries(damages)) {
    it(`finds ${what}, names it, and ends with exit code 1`, async () => {
      const copy = new Copy();
      const expected = damage(copy);
      const { code, out, errors } = await copy.verify();
      assert.equal(code, 1, out + errors);
      const said = out.split("\n").filter((line) => line.startsWith("damaged  "));
      assert.equal(said.length, 1, out);
      assert.match(said[0] ?? "", expected);
      assert.match(out, /\ndamaged in 1 place: /);
      assert.equal(errors, "");
    });
  }

  it("does not call an empty prefix sound, nor one that is not there", async () => {
    const empty = `${directory.path}/empty`;
    fs.mkdirSync(empty);
    for (const words of [["verify"], ["list"]]) {
      const { code, errors } = await command(["replica", ...words, "--bucket", `file://${empty}`]);
      assert.equal(code, 1);
      assert.match(errors, /holds no state of a replica: is the prefix right\?\n$/);
      const nowhere = await command(["replica", ...words, "--bucket", `file://${empty}/none`]);
      assert.equal(nowhere.code, 1);
      assert.match(nowhere.errors, /there is no directory .*: create it, or name another\n$/);
    }
  });

  it("removes what it downloaded when it is broken off", async () => {
    const temporary = `${directory.path}/tmp`;
    fs.mkdirSync(temporary);
    const copy = new Copy();
    stall(copy);
    const args = ["replica", "verify", "--bucket", copy.url];
    const { child, result } = startCommand(args, { TMPDIR: temporary });
    await persist(() => Promise.resolve(fs.readdirSync(temporary).length > 0 || undefined));
    await new Promise((resolve) => setTimeout(resolve, 100));
    child.kill("SIGINT");
    // The read of the pipe holds a thread, and the process with it.
    unstall(copy);
    assert.equal((await result).code, 130);
    assert.deepEqual(fs.readdirSync(temporary), []);
  });
});

describe("holdfast replica list", () => {
  it("shows restore points, the segments behind them, who wrote, and the size, as JSON", () => {
    const { newest, restore_points: restorePoints, epochs, bytes } = listed;
    assert(restorePoints.length >= 2);
    assert.deepEqual(
      restorePoints.map(
        ({ segment, epoch }) => `${keyOf(segment)}-${epoch.toString(16).padStart(8, "0")}`,
      ),
      names("snapshots"),
    );
    assert.equal(keyOf(newest.segment), names("segments").at(-1));
    assert.deepEqual(
      epochs.map(({ epoch, host }) => [epoch, host]),
      [1, 2].map((epoch) => [epoch, os.hostname()]),
    );
    let size = 0;
    for (const folder of ["segments", "snapshots", "blobs"]) {
      for (const name of names(folder)) size += fs.statSync(`${original}/${folder}/${name}`).size;
    }
    assert.equal(bytes, size);
  });

  it("shows the same to people", async () => {
    const { code, out } = await command(["replica", "list", "--bucket", `file://${original}`]);
    assert.equal(code, 0);
    assert.match(
      out,
      new RegExp(
        `^replica         file://${original}\nnewest segment  ${listed.newest.segment} of 20`,
      ),
    );
    assert.match(out, /\nsize            [\d.]+ KiB|MiB: \d+ snapshots [\d.]+ KiB, \d+ segments /);
    assert.match(
      out,
      /\nRESTORE POINT +OF +EPOCH +SIZE +SEGMENTS BEHIND IT +UP TO +SIZE\nsegment 17 /,
    );
    assert.match(out, /\nEPOCH +CLAIMED +SEGMENT +HOST\n1 +20.* 1 +\S+\n2 +20/);
    assert.doesNotMatch(out, / \n/);
  });
});

/** Reading that object never ends: as with a store that is slow. */
function stall(copy: Copy): void {
  const file = copy.file(`segments/${keyOf(listed.newest.segment)}`);
  fs.renameSync(file, `${copy.folder}.kept`);
  assert.equal(spawnSync("mkfifo", [file]).status, 0);
}

function unstall(copy: Copy): void {
  const file = copy.file(`segments/${keyOf(listed.newest.segment)}`);
  // Whoever waits to read it reads nothing.
  try {
    fs.closeSync(fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
  } catch {
    // Nobody does.
  }
  fs.rmSync(file);
  fs.renameSync(`${copy.folder}.kept`, file);
}

describe("holdfast restore", () => {
  it("makes a directory that a server goes on from, with all that was acknowledged", async () => {
    const data = `${directory.path}/restored`;
    const { code, out, errors } = await new Copy().restore(data);
    assert.equal(code, 0, errors);
    assert.match(
      out,
      new RegExp(
        `^${data} is the state after segment ${listed.newest.segment} of \\S+Z: the snapshot of segment \\d+, ` +
          "\\d+ segments? and 2 large payloads, [\\d.]+ [KM]iB in [\\d.]+ s\n$",
      ),
    );
    assert(!fs.existsSync(path.join(data, "held.json")));
    const server = await startServer(data);
    try {
      const answer = await post(`${server.ingress}/Kitchen/echo`, LARGE, {
        "idempotency-key": "large",
      });
      assert.equal(answer.text, JSON.stringify(LARGE));
      assert.deepEqual(JSON.parse((await get(`${server.admin}/health`)).text), { status: "ok" });
    } finally {
      await server.process.kill();
    }
  });

  it("is to a moment what it is to the segment of that moment", async () => {
    const copy = new Copy();
    const point = listed.restore_points[1] ?? assert.fail();
    const { at } = point;
    const [byTime, bySegment] = ["by-time", "by-segment"].map(
      (each) => `${directory.path}/${each}`,
    );
    const timed = await copy.restore(byTime ?? "", "--at", at);
    const numbered = await copy.restore(bySegment ?? "", "--segment", `${point.segment}`);
    assert.deepEqual([timed.code, numbered.code], [0, 0], timed.errors + numbered.errors);
    // Others of the same millisecond come behind it.
    const [, seq = ""] = /after segment (\d+) of/.exec(timed.out) ?? [];
    assert(Number(seq) >= point.segment);
    for (const each of [byTime, bySegment]) assert(fs.existsSync(`${each}/held.json`));
    if (Number(seq) === point.segment) {
      const files = [byTime, bySegment].map((each) => fs.readFileSync(`${each}/holdfast.db`));
      assert.deepEqual(files[0], files[1]);
    }
  });

  it("says which is the first state where an earlier one is asked for, and makes nothing", async () => {
    const data = `${directory.path}/too-early`;
    const copy = new Copy();
    for (const point of [
      ["--at", "2020-01-01T00:00:00Z"],
      ["--segment", "3"],
    ]) {
      const { code, out, errors } = await copy.restore(data, ...point);
      assert.deepEqual([code, out], [1, ""]);
      assert.match(
        errors,
        /^holdfast: file:.* has no state so early: the first one is that after segment 17 of 20\S+Z\n$/,
      );
    }
    assert.deepEqual(fs.readdirSync(data), ["holdfast.lock"]);
  });

  it("refuses a command line that does not say which state, with exit code 2", async () => {
    const cases: [readonly string[], RegExp][] = [
      [["--at", "yesterday"], /--at.*expected a time with its zone/],
      [["--at", "2999-01-01T00:00:00Z"], /has not been yet/],
      [["--segment", "0"], /--segment.*from 1/],
      [["--segment", "17", "--at", "1m"], /give one of them/],
    ];
    for (const [point, message] of cases) {
      const data = `${directory.path}/bad-usage`;
      const { code, errors } = await command([
        "restore",
        "--bucket",
        `file://${original}`,
        "--data",
        data,
        ...point,
      ]);
      assert.equal(code, 2, errors);
      assert.match(errors, message);
      assert(!fs.existsSync(data));
    }
    const { code, errors } = await command(["restore", "--data", `${directory.path}/none`]);
    assert.equal(code, 2);
    assert.match(errors, /--bucket \(HOLDFAST_BUCKET\) is missing/);
  });

  it("refuses a directory with something in it, and leaves it as it was", async () => {
    const data = `${directory.path}/full`;
    fs.mkdirSync(data);
    fs.writeFileSync(`${data}/notes.txt`, "mine");
    const full = await new Copy().restore(data);
    assert.equal(full.code, 2);
    assert.match(full.errors, /full is not empty \(notes.txt\): give --data an empty directory/);
    assert.deepEqual(fs.readdirSync(data), ["notes.txt"]);
    const journal = await new Copy().restore(`${directory.path}/data`);
    assert.equal(journal.code, 2);
    assert.match(journal.errors, /data holds a journal already/);
    const file = await new Copy().restore(`${data}/notes.txt`);
    assert.notEqual(file.code, 0);
    assert.match(file.errors, /notes.txt is not a directory/);
  });

  it("that was killed leaves nothing that a server takes for whole, and is done again in the same place", async () => {
    const data = `${directory.path}/killed`;
    const copy = new Copy();
    stall(copy);
    const { child, result } = startCommand(["restore", "--bucket", copy.url, "--data", data]);
    const half = path.join(data, "restore.tmp", "holdfast.db");
    await persist(() =>
      Promise.resolve((fs.existsSync(half) && fs.statSync(half).size > 0) || undefined),
    );
    child.kill("SIGKILL");
    assert.equal((await result).code, null);
    assert.deepEqual(fs.readdirSync(data).toSorted(), ["holdfast.lock", "restore.tmp"]);
    unstall(copy);

    assert.match(
      await refusedStart(data),
      /exited with 2[^]*a restore into \S+ was broken off: run it again/,
    );
    const again = await copy.restore(data);
    assert.equal(again.code, 0, again.errors);
    assert.deepEqual(fs.readdirSync(data).toSorted(), [
      "blobs",
      "holdfast.db",
      "holdfast.lock",
      "replica.json",
    ]);
    const other = `${directory.path}/never-killed`;
    assert.equal((await copy.restore(other)).code, 0);
    assert.deepEqual(
      fs.readFileSync(`${data}/holdfast.db`),
      fs.readFileSync(`${other}/holdfast.db`),
    );
  });

  it("goes on without a snapshot that is damaged, and says so", async () => {
    const copy = new Copy();
    const name = names("snapshots").at(-1) ?? "";
    copy.change(`snapshots/${name}`, flip(2000));
    const { code, out } = await copy.restore(`${directory.path}/older`);
    assert.equal(code, 0);
    assert.match(
      out,
      new RegExp(`^damaged  snapshots/${name}: .* \\(an older snapshot was taken instead\\)\n`),
    );
    assert.match(out, new RegExp(`after segment ${listed.newest.segment} of`));
  });

  it("says the last state that can be had where a later one is damaged", async () => {
    const copy = new Copy();
    const seq = listed.newest.segment;
    copy.change(`segments/${keyOf(seq)}`, flip(300));
    const data = `${directory.path}/damaged`;
    const failed = await copy.restore(data);
    assert.equal(failed.code, 1);
    const message = new RegExp(
      `segment ${seq}: the checksum .* is wrong\\. The last state before that is the one after segment (\\d+)\n`,
    );
    const [, last = ""] = message.exec(failed.errors) ?? assert.fail(failed.errors);
    const { code, out } = await copy.restore(data, "--segment", last);
    assert.equal(code, 0);
    assert.match(out, /The latest state is not all there was: segment \d+: the checksum/);
  });
});

describe("the commands on a replica", () => {
  it("explain themselves, with what an exit code means and an example", async () => {
    const expected: [readonly string[], readonly RegExp[]][] = [
      [
        ["restore", "--help"],
        [
          /--at <time>/,
          /--segment <number>/,
          /HOLDFAST_BUCKET/,
          /HOLDFAST_DATA/,
          /holdfast release/,
        ],
      ],
      [
        ["replica", "verify", "--help"],
        [/every checksum/, /TMPDIR/, /1 damaged or not readable/],
      ],
      [
        ["replica", "list", "--help"],
        [/--json/, /--segment N/],
      ],
      [
        ["release", "--help"],
        [/--admin-token/, /HOLDFAST_ADMIN/, /--show/, /127\.0\.0\.1:9070/],
      ],
    ];
    for (const [args, patterns] of expected) {
      const { code, out } = await command(args);
      assert.equal(code, 0);
      for (const pattern of [...patterns, /Exit codes: 0 /, /Examples?:\n {2}holdfast /])
        assert.match(out, pattern);
    }
    const { code, out } = await command(["--help"]);
    assert.equal(code, 0);
    for (const name of ["serve", "restore", "replica", "release"])
      assert.match(out, new RegExp(`\n  ${name} `));
  });
});
