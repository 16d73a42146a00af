/**
 * Statements and iterators are kept for the life of the process, which the server replaces after some queries: better-sqlite3 12
 * aborts Node 24.19 and later when the garbage collector finds a dropped one while no JavaScript runs.
 */
const kept: object[] = [];

export function keep<T extends object>(object: T): T {
  kept.push(object);
  return object;
}
