/**
 * Servers under durability `bucket`: their journal is a replica, two machines have one each, and one takes over from the other. Callers
 * reach either, as long as it lives, also one that does not know yet that it is fenced.
 */
import type { Store } from "../processor/ports.ts";
import { Commits } from "./commits.ts";
import { type BucketFaults, FaultyBucket, NO_FAULTS } from "./faulty-bucket.ts";
import { Life } from "./life.ts";
import { type ReplicaSettings, startReplicaServer } from "./replica-server.ts";
import { SimServer } from "./server.ts";
import type { Servers, ServersOptions } from "./servers.ts";
import { SimDisk } from "./sim-disk.ts";
import { SimObjects } from "./sim-objects.ts";
import { TrueHistory } from "./true-history.ts";
import type { World } from "./world.ts";

export interface BucketServersOptions extends ServersOptions {
  /** Of a new disk. */
  readonly newDirectory: () => string;
}

interface Machine {
  readonly name: string;
  disk: SimDisk;
  lives: number;
  life: Life | null;
  server: SimServer | null;
  epoch: number;
  isFenced: boolean;
}

/** A fenced process ends; nobody says how soon. */
const END_MS_MAX = 300;
const RECOVERY_MS_MAX = 400;

export class BucketServers implements Servers {
  readonly #options: BucketServersOptions;
  readonly #history = new TrueHistory();
  readonly #objects: SimObjects;
  readonly #commits = new Commits();
  readonly #faults: BucketFaults;
  readonly #settings: ReplicaSettings;
  readonly #machines: readonly [Machine, Machine];
  #last: SimServer | null = null;
  /** Two servers lived at once: a step may have run for one that did not count any more. */
  #wereTwo = false;

  constructor(options: BucketServersOptions) {
    const { world } = options;
    this.#options = options;
    this.#faults = {
      ...NO_FAULTS,
      fail: world.random() * 0.2,
      twice: world.random() * 0.1,
      lateMsMax: 2000,
      listLagMsMax: world.below(2) * 500,
    };
    this.#settings = settingsOf(world);
    this.#objects = new SimObjects(
      () => world.nowMs(),
      (key, bytes) => this.#history.stored(key, bytes),
    );
    this.#machines = [this.#machine("a"), this.#machine("b")];
    this.#start(this.#machines[0]);
  }

  get broken(): readonly string[] {
    return this.#history.broken;
  }

  get wereTwo(): boolean {
    return this.#wereTwo;
  }

  any(): SimServer | null {
    const alive = this.#machines.flatMap(({ server }) => server ?? []);
    this.#last = alive[this.#options.world.below(alive.length)] ?? this.#last;
    return this.#last;
  }

  current(): SimServer | null {
    const current = this.#machines.find(({ epoch }) => epoch === this.#history.epoch);
    return current?.server ?? null;
  }

  hit(recovered: () => void): void {
    const { world } = this.#options;
    const [one, other] = world.chance(0.5) ? this.#machines : this.#machines.toReversed();
    if (one === undefined || other === undefined) return;
    if (one.life === null) this.#start(one);
    else
      [
        () => this.#end(one),
        () => this.#losePower(one),
        () => this.#lose(one),
        () => this.#sleep(one),
        () => this.#start(other),
      ][world.below(5)]?.();
    world.after(world.below(RECOVERY_MS_MAX), () => {
      this.#seeToOne();
      recovered();
    });
  }

  heal(): void {
    Object.assign(this.#faults, NO_FAULTS);
    for (const { life } of this.#machines) life?.wake();
    this.#seeToOne();
  }

  /** All machines are lost; another has nothing but the bucket. */
  loseAll(): boolean {
    for (const machine of this.#machines) this.#lose(machine);
    this.#start(this.#machines[1]);
    return true;
  }

  #machine(name: string): Machine {
    const disk = new SimDisk(this.#options.newDirectory());
    return { name, disk, lives: 0, life: null, server: null, epoch: -1, isFenced: false };
  }

  #seeToOne(): void {
    if (this.#machines.every(({ life }) => life === null)) this.#start(this.#machines[0]);
  }

  #losePower(machine: Machine): void {
    const { commits, durable } = machine.disk;
    this.#end(machine);
    machine.disk.cutOff(durable + this.#options.world.below(commits.length - durable + 1));
  }

  #lose(machine: Machine): void {
    this.#end(machine);
    machine.disk = new SimDisk(this.#options.newDirectory());
  }

  #sleep({ life }: Machine): void {
    const { world } = this.#options;
    life?.sleep();
    world.trace(`${life?.name} sleeps`);
    world.after(world.below(3 * RECOVERY_MS_MAX), () => life?.wake());
  }

  #end(machine: Machine): void {
    const { life, server } = machine;
    if (life !== null) this.#options.world.trace(`${life.name} ends`);
    server?.kill();
    life?.kill();
    Object.assign(machine, { life: null, server: null, epoch: -1 });
  }

  #start(machine: Machine): void {
    if (machine.life !== null) return;
    const { world } = this.#options;
    machine.lives += 1;
    machine.isFenced = false;
    const life = new Life(world, `${machine.name}${machine.lives}`);
    this.#wereTwo ||= this.#machines.some((each) => each.life !== null);
    machine.life = life;
    void this.#run(machine, life).catch((error: unknown) => {
      world.trace(`${life.name}: ${error instanceof Error ? error.name : String(error)}`);
      // The history has gone on without it.
      this.#lose(machine);
      world.after(world.below(END_MS_MAX), () => this.#seeToOne());
    });
  }

  async #run(machine: Machine, life: Life): Promise<void> {
    const { world, network, attemptsMax } = this.#options;
    const { disk } = machine;
    const history = this.#history;
    const acknowledged = history.acknowledgedLength;
    const { store, epoch } = await startReplicaServer({
      world,
      life,
      disk,
      bucket: new FaultyBucket(world, life, this.#objects, this.#faults),
      commits: this.#commits,
      settings: this.#settings,
      skewMs: 0,
      onRestored: (restored) => history.restored(restored, acknowledged, `${life.name}'s restore`),
      onLog: (event) => world.trace(`${life.name}: ${event}`),
      onFenced: () => {
        world.trace(`${life.name}: fenced`);
        machine.isFenced = true;
        life.after(world.below(END_MS_MAX), () => {
          this.#end(machine);
          this.#seeToOne();
        });
      },
      onFatal: (error) => this.#failed(machine, error),
    });
    machine.epoch = epoch;
    machine.server = new SimServer({
      world,
      life,
      store: this.#watched(store, machine),
      network,
      attemptsMax,
      onFatal: (error) => this.#failed(machine, error),
    });
  }

  #failed({ name, isFenced }: Machine, error: unknown): void {
    if (!isFenced) this.#history.broken.push(`${name} failed: ${String(error)}`);
  }

  /** What its barriers say is acknowledged. */
  #watched(store: Store, machine: Machine): Store {
    const { disk } = machine;
    const begin = disk.commits.length;
    return {
      transact: (fn, options) => store.transact(fn, options),
      read: (fn) => store.read(fn),
      barrier: (done, synced) => {
        const { length } = disk.commits;
        const number = disk.commits[length - 1];
        store.barrier((error) => {
          if (error === null && number !== undefined && length > begin)
            this.#history.acknowledge(number, machine);
          done(error);
        }, synced);
      },
      get isDurable() {
        return store.isDurable;
      },
      get commitGate() {
        return store.commitGate;
      },
    };
  }
}

function settingsOf(world: World): ReplicaSettings {
  return {
    isEager: true,
    segmentIntervalMs: 50,
    segmentBytes: world.chance(0.5) ? 8192 : 1024 * 1024,
    snapshotIntervalMs: 300 + world.below(2000),
    snapshotSegments: 4 + world.below(40),
    unshippedBytesMax: world.chance(0.3) ? 40_000 : 64 * 1024 * 1024,
    retention: { retentionMs: 0, snapshotsMin: 1 },
    logFramesMax: 20 + world.below(100),
  };
}
