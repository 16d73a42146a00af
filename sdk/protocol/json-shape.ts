/**
 * Reads JSON of a known shape and says where it is wrong: every error names the path, as in `services[0].handlers[2].ty`.
 * `null` reads as absent, because serializers of other languages write absent fields that way.
 */

/** A manifest that cannot be used. The message names the path of the field and what would be right. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

export class JsonObject {
  readonly path: string;
  readonly #fields: ReadonlyMap<string, unknown>;

  /** Throws unless `json` is an object all of whose fields are among `allowed`. */
  constructor(json: unknown, path: string, allowed: ReadonlySet<string>) {
    if (!isRecord(json)) throw new ManifestError(`${path || "the manifest"} must be an object`);
    this.path = path;
    this.#fields = new Map(Object.entries(json));
    for (const name of this.#fields.keys()) {
      if (!allowed.has(name)) throw new ManifestError(`${this.at(name)} is not a known field`);
    }
  }

  /** The path of a field. */
  at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }

  value(name: string): unknown {
    return this.#fields.get(name) ?? undefined;
  }

  string(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === "string") return value;
    throw new ManifestError(`${this.at(name)} must be a string`);
  }

  boolean(name: string): boolean | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === "boolean") return value;
    throw new ManifestError(`${this.at(name)} must be true or false`);
  }

  integer(name: string, min: number, max: number): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
      return value;
    }
    throw new ManifestError(`${this.at(name)} must be an integer from ${min} to ${max}`);
  }

  /**
   * An integer of at least 0. Peers count in 64 bits and write the largest number for "for ever"; anything above the
   * safe integers reads as the largest of them.
   */
  natural(name: string): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0) {
      return Math.min(value, Number.MAX_SAFE_INTEGER);
    }
    throw new ManifestError(`${this.at(name)} must be an integer of at least 0`);
  }

  number(name: string, min: number): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value) && value >= min) return value;
    throw new ManifestError(`${this.at(name)} must be a number of at least ${min}`);
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const choice = choices.find((candidate) => candidate === value);
    if (choice === undefined) {
      throw new ManifestError(`${this.at(name)} must be one of ${choices.join(", ")}`);
    }
    return choice;
  }

  /** The elements with their paths. */
  array(name: string): readonly { readonly json: unknown; readonly path: string }[] | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw new ManifestError(`${this.at(name)} must be an array`);
    return value.map((json: unknown, index) => ({ json, path: `${this.at(name)}[${index}]` }));
  }

  /** An object whose values are all strings. */
  strings(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (!isRecord(value)) throw new ManifestError(`${this.at(name)} must be an object of strings`);
    const entries = Object.entries(value).map(([key, entry]): [string, string] => {
      if (typeof entry === "string") return [key, entry];
      throw new ManifestError(`${this.at(name)}[${JSON.stringify(key)}] must be a string`);
    });
    return Object.fromEntries(entries);
  }

  /** The value of a field that must be there. */
  required<T>(name: string, value: T | undefined): T {
    if (value === undefined) throw new ManifestError(`${this.at(name)} is missing`);
    return value;
  }
}

function isRecord(json: unknown): json is Record<string, unknown> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
