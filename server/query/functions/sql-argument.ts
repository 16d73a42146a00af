/** What SQLite hands to a function; integers are numbers. */
export type SqlArgument = null | number | string | Uint8Array;
