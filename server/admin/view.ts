/** What is made into JSON: fields that are undefined are left out of it. */
export type View = Record<string, unknown>;
