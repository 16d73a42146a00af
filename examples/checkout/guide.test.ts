/** What `npm start` prints works when it is pasted, and what it runs survives being killed. */
import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { persist, temporaryDirectory } from "../../server/test/harness.ts";

const exec = promisify(execFile);

class Demo {
  readonly #child: ChildProcess;
  output = "";

  constructor(directory: string, flags: readonly string[]) {
    const args = ["scripts/demo.mjs", "--data", `${directory}/data`, ...flags];
    this.#child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, CHECKOUT_DIRECTORY: directory },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    }
  }

  /** Waits until it has printed this; returns what the pattern captured. */
  async printed(pattern: RegExp): Promise<string> {
    return await persist(() => {
      const match = pattern.exec(this.output);
      if (match === null && this.#child.exitCode !== null) throw new Error(this.output);
      return Promise.resolve(match === null ? undefined : (match[1] ?? match[0]));
    }, 30_000);
  }

  async stop(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode === null) {
      const gone = once(this.#child, "exit");
      this.#child.kill(signal);
      await gone;
    }
    return this.#child.exitCode;
  }

  get ended(): Promise<unknown> {
    return this.#child.exitCode === null ? once(this.#child, "exit") : Promise.resolve();
  }
}

const paste = async (line: string) => (await exec("bash", ["-c", line])).stdout;
const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("the guide of npm start", () => {
  const directory = temporaryDirectory();
  const ports = ["--ingress", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  let demo: Demo;
  let lines: string[];

  before(async () => {
    demo = new Demo(directory.path, ports);
    await demo.printed(/Ctrl-C stops everything/);
    lines = [...demo.output.matchAll(/^ {2}((?:curl|kill) .*)$/gm)].map((match) => match[1] ?? "");
  });

  after(async () => {
    await demo.stop("SIGTERM");
    directory.remove();
  });

  it("leads from an order over a killed server to its receipt", async () => {
    const [place, look, kill, pay, attach] = lines;
    assert.ok(place && look && kill && pay && attach && lines.length === 5, demo.output);
    assert.match(await paste(place), /"invocationId":"inv_1/);
    // The person who pastes takes longer than the checkout.
    await persist(async () => (/"awaiting-payment"/.test(await paste(look)) ? true : undefined));
    await paste(kill);
    await demo.printed(/The server was killed \(SIGKILL\)[^]*The server is back after \d+ ms/);
    assert.equal(await paste(pay), "");
    assert.match(await paste(attach), /"paymentReference":"payment-1","trackingCode":"parcel-/);
    assert.match(await paste(place), /PreviouslyAccepted/);
  });

  it("starts a killed endpoint again at the same address", async () => {
    const [place, look] = lines;
    assert.ok(place && look);
    const pid = await demo.printed(/examples\/checkout, process (\d+)/);
    process.kill(Number(pid), "SIGKILL");
    await demo.printed(/The checkout example is back after \d+ ms/);
    assert.match(await paste(look), /"orderId"/);
  });

  it("stops everything with SIGTERM and says where it can go on", async () => {
    const pid = Number(await demo.printed(/The server is back after \d+ ms, process (\d+)/));
    assert.equal(alive(pid), true);
    assert.equal(await demo.stop("SIGTERM"), 0);
    assert.match(demo.output, /Stopped\. The journal is kept/);
    assert.equal(alive(pid), false);
  });
});

describe("npm start on a taken port", () => {
  it("says which setting chooses another, and leaves nothing running", async () => {
    const directory = temporaryDirectory();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    assert.ok(address !== null && typeof address === "object");
    const taken = `127.0.0.1:${address.port}`;
    const demo = new Demo(directory.path, ["--ingress", taken, "--admin", "127.0.0.1:0"]);
    await demo.ended;
    other.close();
    directory.remove();
    assert.equal(await demo.stop("SIGKILL"), 1);
    assert.match(demo.output, /A port is taken[^]*HOLDFAST_INGRESS=/);
  });
});
