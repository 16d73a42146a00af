/** Everything a soak runs on: a shop, a store that can be made to fail, and the machine that serves at the moment. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import Database from "better-sqlite3";
import { type S3Double, startS3Double } from "../../replica/s3-double.suite.ts";
import { FaultyS3 } from "../faulty-s3.ts";
import { register } from "../harness.ts";
import { type Shop, startShop } from "../shop.ts";
import { Machine } from "./machine.ts";

export type Durability = "disk" | "bucket";

export interface TownOptions {
  readonly durability: Durability;
  readonly program: string;
  readonly random: () => number;
  readonly flags: readonly string[];
  /** Null: a store in this process. */
  readonly store: OutsideStore | null;
}

/** A real store to run against: its address, and where in it the replica goes. Credentials come from the environment. */
export interface OutsideStore {
  readonly endpoint: string;
  readonly url: string;
}

const CREDENTIALS = { AWS_ACCESS_KEY_ID: "testkey", AWS_SECRET_ACCESS_KEY: "testsecret" };
const STOCK = 1_000_000_000;

export class Town {
  readonly root: string;
  readonly s3: FaultyS3;
  readonly shop: Shop;
  readonly bucketFlags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  machine: Machine;
  #machines = 1;
  readonly #options: TownOptions;
  readonly #double: S3Double | null;

  private constructor(
    options: TownOptions,
    parts: Pick<Town, "root" | "s3" | "shop" | "bucketFlags" | "env" | "machine"> & {
      readonly double: S3Double | null;
    },
  ) {
    this.#options = options;
    this.root = parts.root;
    this.s3 = parts.s3;
    this.shop = parts.shop;
    this.bucketFlags = parts.bucketFlags;
    this.env = parts.env;
    this.machine = parts.machine;
    this.#double = parts.double;
  }

  /** The server is started, the shop is registered, and the bucket knows it. */
  static async build(options: TownOptions): Promise<Town> {
    const root = mkdtempSync(path.join(tmpdir(), "holdfast-soak-"));
    const double = options.store === null ? await startS3Double() : null;
    const s3 = await FaultyS3.start(options.store?.endpoint ?? double?.url ?? "", options.random);
    const shop = await startShop("holdfast", root);
    fillShelves(shop.database);
    const url = options.store?.url ?? "s3://soak/replica";
    const bucketFlags = ["--bucket", url, "--bucket-endpoint", s3.url, "--bucket-path-style"];
    const env = options.store === null ? CREDENTIALS : {};
    const flags = [...bucketFlags, "--durability", options.durability, ...options.flags];
    const folder = path.join(root, "machine-1");
    const machine = await Machine.make({ folder, program: options.program, flags, env });
    const town = new Town(options, { root, s3, shop, bucketFlags, env, machine, double });
    await machine.process.start();
    await register(machine.admin, shop.endpoint);
    await town.caughtUp(30_000);
    return town;
  }

  /** Another machine, with an empty disk and other addresses. */
  async newMachine(): Promise<Machine> {
    this.#machines += 1;
    const { program, durability, flags } = this.#options;
    return await Machine.make({
      folder: path.join(this.root, `machine-${this.#machines}`),
      program,
      flags: [...this.bucketFlags, "--durability", durability, ...flags],
      env: this.env,
    });
  }

  /** Resolves when everything is in the bucket and `/health` says that all is well. */
  async caughtUp(timeoutMs: number): Promise<void> {
    const untilMs = Date.now() + timeoutMs;
    for (;;) {
      const health = await this.machine.health();
      if (health?.status === "ok" && health.replica?.lag_ms === 0) return;
      if (Date.now() > untilMs) {
        throw new Error(`the bucket did not catch up: ${JSON.stringify(health)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.machine.process.kill(), this.shop.process.kill()]);
    await this.s3.close();
    await this.#double?.close();
    this.shop.remove();
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Soaks sell more than the example has. */
function fillShelves(shopDatabase: string): void {
  const db = new Database(shopDatabase);
  try {
    db.prepare("UPDATE stock SET available = ?").run(STOCK);
  } finally {
    db.close();
  }
}
