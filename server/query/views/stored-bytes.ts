/** SQL for bytes that may lie in a file beside the database: the column has them, or `blob` the hash of the file. */
export const storedBytes = (table: string, column: string): string =>
  `CASE WHEN ${table}.blob IS NULL THEN ${table}.${column} ELSE read_blob(${table}.blob) END`;

/** Their number, for which no file is read. */
export const storedLength = (table: string, column: string): string =>
  `CASE WHEN ${table}.blob IS NULL THEN length(${table}.${column}) ELSE ` +
  `(SELECT b.size FROM main.blob b WHERE b.hash = ${table}.blob LIMIT 1) END`;
